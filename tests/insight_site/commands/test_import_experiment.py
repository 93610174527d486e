"""`import_experiment` keeps moments and no rows; `pool` and REST say what all together say; bad input keeps nothing."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from aha.models import AhaMoment, Finding
from stats.iv_moments import iv_moments, iv_moments_adjusted
from stats.results import computable
from stats.summaries import Joint
from tests.experiments.stored import MOMENT

pytestmark = pytest.mark.django_db
ABOUT = ("--behaviour-key", "friend_add", "--times", "3", "--days", "7", "--outcome-spec", "window:21-27")
DATES = ("--from", "2026-01-01", "--to", "2026-02-01")
COLUMNS = (
    "--unit",
    "user",
    "--variant",
    "arm",
    "--control",
    "control",
    "--outcome",
    "stayed",
    "--behaviour",
    "reached",
)
type Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file of a test whose nudge moves `moved` of the users, each by `effect`, and everybody by `direct`."""

    def made(
        name: str, *, seed: int, moved: float = 0.3, effect: float = 0.2, direct: float = 0.0, n: int = 4_000
    ) -> Path:
        rng = np.random.default_rng(seed)
        nudge, draw = np.arange(n) % 2, rng.random(n)
        reached = (draw < 0.2 + moved * nudge).astype(int)
        stayed = (rng.random(n) < 0.3 + effect * reached + direct * nudge).astype(int)
        path = tmp_path / f"{name}.csv"
        lines = [
            f"u{at},{'nudge' if g else 'control'},{r},{s},{at // 8}"
            for at, (g, r, s) in enumerate(zip(nudge, reached, stayed, strict=True))
        ]
        path.write_text("\n".join(["user,arm,reached,stayed,guild", *lines]))
        return path

    return made


def imported(path: Path, name: str, *options: str, about: tuple[str, ...] = ABOUT) -> dict[str, Any]:
    out = StringIO()
    call_command(
        "import_experiment", str(path), *COLUMNS, "--name", name, *about, *DATES, *options, "--json", stdout=out
    )
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def refusal(path: Path, name: str = "Banner", *options: str, about: tuple[str, ...] = ABOUT) -> str:
    before = Finding.objects.count()
    with pytest.raises(CommandError) as caught:
        imported(path, name, *options, about=about)
    assert caught.value.returncode == 2
    assert Finding.objects.count() == before
    return str(caught.value)


def pooled(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("pool", "friend_add", *options, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def columns(path: Path) -> np.ndarray:
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return np.array([[float(s), float(r), float(g == "nudge")] for _user, g, r, s, _guild in rows])


def test_import__keeps_the_moments_of_the_file_and_nothing_of_its_users(write: Write) -> None:
    path = write("banner", seed=1)
    [found] = imported(path, "Banner")["kept"]
    table = columns(path)
    control, variant = (Joint.from_columns(table[table[:, 2] == arm][:, :2]) for arm in (0, 1))
    wanted = iv_moments(control, variant)

    row = Finding.objects.get()
    assert computable(wanted)
    for name, value in vars(wanted).items():
        assert getattr(row, name) == value == found["moments"][name], name
    assert (row.behaviour, row.times, row.days, row.outcome) == ("friend_add", 3, 7, "window:21-27")
    assert row.control_v_r == pytest.approx(float(control.covariance[0, 0]) / control.n)
    assert not any("u17" in str(value) for value in Finding.objects.values().get().values())


def test_import__clusters__keeps_the_moments_between_them(write: Write, tmp_path: Path) -> None:
    rows = write("guilds", seed=2).read_text().splitlines()
    lines = [line.split(",") for line in rows[1:]]
    for line in lines:  # whole guilds are nudged
        line[1] = "nudge" if int(line[4]) % 2 else "control"
    path = tmp_path / "clustered.csv"
    path.write_text("\n".join([rows[0], *(",".join(line) for line in lines)]))

    imported(path, "Guilds", "--cluster", "guild")

    table, clusters = columns(path), np.array([int(line[4]) for line in lines])
    wanted = iv_moments_adjusted(table[:, 0], table[:, 1], table[:, 2], np.empty((len(table), 0)), clusters)
    row = Finding.objects.get()
    assert computable(wanted)
    assert (row.v_r, row.degrees_of_freedom) == (wanted.v_r, wanted.degrees_of_freedom)
    assert row.control_v_r is None


def test_import__of_a_moment__takes_its_definition_and_promise(write: Write) -> None:
    difference = {"estimate": 0.4, "low": 0.3, "high": 0.5}
    evidence = {"ladder": {"rungs": [{"difference": difference}, {"difference": {**difference, "estimate": 0.25}}]}}
    AhaMoment.objects.create(**MOMENT, evidence=evidence)

    imported(write("banner", seed=1), "Banner", about=("--behaviour-key", "friends"))
    imported(write("letter", seed=2), "Letter", about=("--behaviour-key", "friends", "--outcome-spec", "on_day:7"))

    first, second = Finding.objects.order_by("pk")
    assert (first.behaviour, first.times, first.outcome, first.promised) == ("friend_add", 3, "window:21-27", 0.25)
    assert first.promised_error == pytest.approx(0.2 / (2 * 1.959964))
    assert (second.outcome, second.promised) == ("on_day:7", None)  # nobody promised this


def test_refusals__in_a_sentence__nothing_is_kept(write: Write) -> None:
    path = write("banner", seed=1)
    imported(path, "Banner")

    assert "stored already, as 'Banner'" in refusal(path, "Another name")
    assert "Give another name" in refusal(write("other", seed=2), "Banner")
    assert "--behaviour-key: 'friend_add' isn't the key of an AHA moment" in refusal(
        path, "X", about=("--behaviour-key", "friend_add")
    )
    assert "--to: " in refusal(path, "X", "--to", "2025-01-01")
    assert "no retention definition" in refusal(path, "X", "--outcome-spec", "sometimes")
    assert "grows as the data age" in refusal(path, "X", "--outcome-spec", "unbounded:7")
    assert "retention is 0 or 1" in refusal(path, "X", "--outcome-spec", "count:chat:0-6")
    assert "there is no column 'nobody'" in refusal(path, "X", "--behaviour", "nobody")
    with pytest.raises(CommandError, match="no date"):
        imported(path, "X", "--from", "spring")


@pytest.mark.slow
def test_pool__experiments_that_agree__one_answer(write: Write) -> None:
    for seed in range(1, 6):
        imported(write(f"t{seed}", seed=seed, moved=0.1 + 0.05 * seed), f"Test {seed}")
    imported(write("other", seed=9), "Other", "--times", "4")

    found = pooled()

    assert (found["answer"], found["experiments"], found["times"]) == ("pooled", 5, 3)
    [one] = found["pooled"]["set"]
    assert one["low"] < 0.2 < one["high"]
    assert [(row["name"], row["why"]) for row in found["left_out"]] == [("Other", "other_claim")]
    assert pooled("--times", "4")["answer"] == "one_experiment"
    with pytest.raises(CommandError, match="No finished experiment"):
        pooled("--times", "5")


def test_pool__one_nudge_that_acts_by_itself__no_pooled_set(write: Write, client: Client) -> None:
    for seed in range(1, 4):
        path = write(f"t{seed}", seed=seed, direct=0.15 if seed == 3 else 0.0, effect=0.1)
        imported(path, f"Test {seed}")

    found = pooled()

    assert found["answer"] == "nudges_disagree"
    assert "not_computable" in found["pooled"]
    assert found["influence"][0]["name"] == "Test 3"


def test_rest__lists_findings_and_pools_them(write: Write, admin_client: Client) -> None:
    imported(write("banner", seed=1), "Banner")

    listed = admin_client.get("/api/v1/findings").json()
    assert [row["name"] for row in listed["results"]] == ["Banner"]
    assert admin_client.get("/api/v1/findings/pool?behaviour=friend_add").json() == pooled()
    assert admin_client.get("/api/v1/findings/pool").status_code == 400
    assert admin_client.get("/api/v1/findings/pool?behaviour=chat").status_code == 409  # nothing to pool


@pytest.mark.slow
def test_pages__moment_shows_the_forest__its_tables_are_a_file(write: Write, admin_client: Client) -> None:
    AhaMoment.objects.create(**MOMENT)
    assert "What all experiments say" not in admin_client.get("/aha/moments/friends/?tab=evidence").content.decode()

    for seed in (1, 2):
        imported(write(f"t{seed}", seed=seed), f"Test {seed}", about=("--behaviour-key", "friends"))
    page = admin_client.get("/aha/moments/friends/?tab=evidence").content.decode()

    assert "What all experiments say of it" in page
    assert "What each experiment adds" in page
    assert "Test 2" in page
    address = page.split('href="/aha/past/')[1].split('"')[0].replace("&amp;", "&")
    file = admin_client.get(f"/aha/past/{address}")
    assert file["Content-Type"].startswith("text/csv")
    assert "Test 1" in file.content.decode()
    assert admin_client.get("/aha/past/?behaviour=x").status_code == 404
