"""One draw everywhere: many units × 6 experiments by both local SDKs, our own draw and `assign`.

OFREP answers for the first fifth of them, since all take it more than a minute.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from experiments.draw.bucketing import unit_hash
from experiments.draw.evaluation import Arm, Flag, Row, Slot, draw
from tests.clients.flags import arm_edges, arms, ask, create, edges_first, evaluate, issue
from tests.clients.server import ROOT, Site
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
UNITS = 10_000
IOS = {"all": [{"trait": "platform", "is": "ios"}]}
PAYS = {"any": [{"trait": "spent", "at_least": 10}]}
SEEDS = {flag: f"9f2c41d07ab{at}" for at, flag in enumerate("abcdef")} | {"a": "roll"}
TWO, THREE = (8_000, 2_000), (3_400, 3_300, 3_300)
ROWS: dict[str, list[tuple[str | None, Any, int, Sequence[int]]]] = {
    "a": [(None, None, 10_000, TWO)],
    "b": [(None, None, 8_000, THREE)],
    "c": [(None, None, 10_000, TWO)],
    "d": [(None, None, 9_000, TWO)],
    "e": [("ios", IOS, 5_000, (5_000, 5_000)), ("payers", PAYS, 9_000, (1_000, 9_000))],
    "f": [("payers", PAYS, 2_500, TWO), (None, None, 3_000, TWO)],
}
SLICES = {"c": (0, 5_000), "d": (5_000, 10_000)}
HELD = ("b", "f")
TRAITS = """
import json
from events.models import UnitTraits
from experiments.models import Assignment
given = json.load(open(PATH))
made = [UnitTraits(user_id=u, traits=t) for u, t in given]  # another test's unit may have the same id
UnitTraits.objects.bulk_create(
    made, batch_size=2000, update_conflicts=True, unique_fields=["user_id"], update_fields=["traits"]
)
print(json.dumps(Assignment.objects.all()._raw_delete("default") if WIPE else 0))
"""


@pytest.fixture(scope="module")
def people() -> list[dict[str, Any]]:
    """Ids of several shapes, a fifth of them Hangul, with traits and what follows from them."""
    chance = random.Random(7)
    shapes = ("유저-{n}", "{n}", "unit-{n}@example.com", "{x:032x}", "U{n}-é")
    found = []
    for n in range(UNITS):
        platform, spent = chance.choice(["ios", "android"]), chance.randrange(20)
        traits = {"platform": platform, "spent": spent}
        member = [name for name, is_in in (("ios", platform == "ios"), ("payers", spent >= 10)) if is_in]
        unit = shapes[n % 5].format(n=n, x=chance.getrandbits(128))
        found.append({"id": unit, "segments": member, "traits": traits})
    edges = {SEEDS[flag]: set[int]().union(*(arm_edges(row[2], row[3]) for row in rows)) for flag, rows in ROWS.items()}
    edges |= {"layer:gb": {0, 5_000}, "holdout:2026h2": {500}}
    found = edges_first(found, edges)
    found[0]["id"] = "x5474"  # it draws exactly 0.8 under the seed `roll`, the edge of the first arm of a
    return found


@pytest.fixture(scope="module")
def keys(site: Site) -> list[str]:
    experiments = []
    for flag, rows in ROWS.items():
        fields: dict[str, Any] = {"key": f"gb-{flag}", "seed": SEEDS[flag], "variants": arms(*rows[0][3])}
        fields["audience"] = [
            {"segment_key": segment, "rule": rule, "coverage": coverage, "weights": list(weights)}
            for segment, rule, coverage, weights in rows
        ]
        if flag in SLICES:
            low, high = SLICES[flag]
            fields |= {"layer": "gb", "layer_low": low, "layer_high": high}
        experiments.append(fields | ({"holdout": "2026h2"} if flag in HELD else {}))
    create(site, *experiments)
    time.sleep(2)
    return issue(site, ("client", 1_000_000, []), ("server", 1_000_000, []))


def by_our_own_draw(people: list[dict[str, Any]]) -> list[list[str]]:
    """Our own draw, told the configuration by this file and not by the site."""
    names = []
    for at, (flag, rows) in enumerate(ROWS.items()):
        given = tuple(Row(s, r, c / 10_000, tuple(w / 10_000 for w in ws)) for s, r, c, ws in rows)
        low, high = SLICES.get(flag, (0, 10_000))
        made = Flag(
            pk=at,
            flag=flag,
            key=flag,
            name=flag,
            version=1,
            state="running",
            default=None,
            seed=SEEDS[flag],
            arms=tuple(Arm(n, f"arm{n}", "", None) for n in range(len(given[0].weights))),
            rows=given,
            layer=Slot("layer:gb", low / 10_000, high / 10_000) if flag in SLICES else None,
            holdout=Slot("holdout:2026h2", 0.05, 1.0) if flag in HELD else None,
        )
        first = [
            next((n for n, row in enumerate(given) if row.segment is None or row.segment in one["segments"]), -1)
            for one in people
        ]
        drawn = [
            draw(made, one["id"], is_new=True, row=None if at < 0 else given[at])
            for one, at in zip(people, first, strict=True)
        ]
        names.append(["default" if found.arm is None else f"arm{found.arm}" for found in drawn])
    return [list(unit) for unit in zip(*names, strict=True)]


def by_ofrep(site: Site, key: str, people: list[dict[str, Any]]) -> list[list[str]]:
    def one(person: dict[str, Any]) -> list[str]:
        context = {"targetingKey": person["id"], **person["traits"], "segments": ["ios", "payers"]}  # the last is a lie
        status, _, body = ask(site, key, "/ofrep/v1/evaluate/flags", {"context": context})
        assert status == 200
        return [flag["variant"] for flag in body["flags"] if flag["key"].startswith("gb-")]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, people))


def by_command(site: Site, people: list[dict[str, Any]]) -> list[list[str]]:
    """`assign` of the whole file for each experiment, with the traits stored and no assignment yet."""
    (site.folder / "traits.json").write_text(json.dumps([[one["id"], one["traits"]] for one in people]))
    code = TRAITS.replace("PATH", repr(str(site.folder / "traits.json"))).replace("WIPE", "True")
    assert site.run(code) > 0
    file = site.folder / "units.txt"
    file.write_text("".join(one["id"] + "\n" for one in people), encoding="utf-8")
    columns = []
    for flag in ROWS:
        command = [sys.executable, "manage.py", "assign", f"gb-{flag}", "--file", str(file)]
        done = subprocess.run(command, cwd=ROOT, env=site.environment, check=True, capture_output=True)
        columns.append([json.loads(line)["variant"] for line in done.stdout.splitlines()])
    return [list(unit) for unit in zip(*columns, strict=True)]


@pytest.mark.parametrize("units", first_in_ci([200, UNITS]))
def test_all_doors__for_many_units_and_6_experiments__agree(
    units: int, site: Site, keys: list[str], people: list[dict[str, Any]]
) -> None:
    everybody, people, by_http = people, people[:units], units // 5
    flags = [f"gb-{flag}" for flag in ROWS]
    attributes = [{"id": one["id"], "segments": one["segments"]} for one in people]

    ours = by_our_own_draw(everybody)
    python = evaluate("python", "growthbook", site, keys[0], units=attributes, flags=flags)
    node = evaluate("node", "growthbook", site, keys[0], units=attributes, flags=flags)
    ofrep = by_ofrep(site, keys[1], people[:by_http])
    command = by_command(site, people)

    assert unit_hash("roll", "x5474") == 0.8
    assert ours[0][0] == "arm1"
    assert [len(other) for other in (python, node, ofrep, command)] == [units, units, by_http, units]
    for other in (python, node, ofrep, command):
        assert [(mine, theirs) for mine, theirs in zip(ours, other, strict=False) if mine != theirs] == []
    shares = [sum(unit[at] != "default" for unit in ours) / UNITS for at in range(6)]
    expected = [1, 0.8 * 0.95, 0.5, 0.5 * 0.9, 0.5 * 0.5 + 0.25 * 0.9, 0.95 * (0.5 * 0.25 + 0.5 * 0.3)]
    assert shares == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("language", ["python", "node"])
def test_remote_evaluation__fires_the_tracking_callback_and_agrees(
    language: str, site: Site, keys: list[str], people: list[dict[str, Any]]
) -> None:
    some = people[:20]
    flags = [f"gb-{flag}" for flag in ROWS]
    units = [{"id": one["id"], **one["traits"]} for one in some]

    answers = evaluate(language, "remote", site, keys[0], units=units, flags=flags)

    for answer, expected in zip(answers, by_our_own_draw(some), strict=True):
        assert answer["values"] == ["none" if arm == "default" else arm for arm in expected]
        tracked = sorted([flag, arm] for flag, arm in zip(flags, expected, strict=True) if arm != "default")
        assert sorted(answer["tracked"]) == tracked


@pytest.mark.parametrize("language", ["python", "node"])
def test_sdk__with_a_bad_or_secret_key__falls_back_to_its_own_default(
    language: str, site: Site, keys: list[str]
) -> None:
    for key in ("pk_" + "x" * 43, keys[1]):
        answers = evaluate(language, "growthbook", site, key, units=[{"id": "u"}], flags=["gb-a"])

        assert answers == [["default"]]
