"""Units of one cluster get one arm and keep it; those without one are left out and counted."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from events.models import OutboxEvent, UnitTraits
from experiments.analyse.analyses import audit_of
from experiments.analyse.gather.admitting import rule_of
from experiments.draw.bucketing import unit_hash
from experiments.draw.evaluation import Evaluation, Failed
from experiments.models import Assignment
from experiments.plan.record import PlannedRow, PlannedVariant
from experiments.plan.validation import problems, words
from experiments.serve import assign, config
from runs.refusals import Refused
from tests.experiments.make import ARMS, a_plan, a_situation, cut_off, running

pytestmark = pytest.mark.django_db
SEED = "9f2c41d07ab3"
STAGED = [{"key": "control", "value": "none", "weight": 6_040}, {"key": "banner", "value": "banner", "weight": 3_960}]
SATURATIONS = [[0, 3_400], [4_000, 3_300], [8_000, 3_300]]


def ask(unit: str, *, detailed: bool = True, **context: Any) -> Evaluation:
    answer = assign.evaluate("exp", unit, context, detailed=detailed)
    assert isinstance(answer, Evaluation)
    return answer


def test_units_of_a_cluster__get_its_arm_and_carry_it_frozen() -> None:
    running(seed=SEED, cluster="guild")

    answers = [ask(f"u{n}", guild="g7") for n in range(8)]

    bucket = unit_hash(SEED, "g7")
    assert {(one.variant, one.metadata["bucket"]) for one in answers} == {
        ("banner" if bucket >= 0.5 else "control", bucket)
    }
    assert set(Assignment.objects.values_list("cluster", "bucket")) == {("g7", round(bucket * 10_000))}
    assert {json.loads(one.properties)["cluster"] for one in OutboxEvent.objects.all()} == {"g7"}
    assert {one.metadata["cluster"] for one in answers[1:]} == {"g7"}
    assert "cluster" not in ask("u1", detailed=False, guild="g7").metadata  # names of guilds aren't for browsers


def test_unit__that_changes_its_guild__keeps_arm_and_cluster() -> None:
    running(seed=SEED, cluster="guild")
    first = ask("u1", guild="g0")

    later = [ask("u1", guild=f"g{n}") for n in range(1, 12)]

    assert {one.variant for one in later} == {first.variant}
    assert {one.variant for one in (ask(f"v{n}", guild=f"g{n}") for n in range(1, 12))} == {"control", "banner"}
    assert Assignment.objects.get(unit="u1").cluster == "g0"


def test_cluster__of_a_stored_trait__counts_where_the_context_names_none() -> None:
    running(seed=SEED, cluster="guild")
    UnitTraits.objects.create(user_id="u1", traits={"guild": 12}, times={})

    known, told, unknown = ask("u1"), ask("u2", guild="12"), ask("u3")

    assert (known.variant, known.metadata["bucket"]) == (told.variant, unit_hash(SEED, "12"))
    assert unknown.document()["reason"] == "STATIC"
    assert unknown.metadata["excludedBy"] == "cluster"


def test_units_without_a_cluster__have_no_row_and_no_exposure_and_are_counted() -> None:
    running(cluster="guild")
    labels = {"outcome": "no_cluster"}
    before = REGISTRY.get_sample_value("insight_assignments_total", labels) or 0

    for unit, guild in (("a", None), ("b", ""), ("c", 0), ("d", 1.5), ("e", True)):
        assert ask(unit, guild=guild).variant == "default"

    assert not Assignment.objects.exists()
    assert not OutboxEvent.objects.exists()
    assert REGISTRY.get_sample_value("insight_assignments_total", labels) == before + 5


@pytest.mark.slow
def test_saturations__draw_units_inside_a_cluster() -> None:
    running(seed=SEED, cluster="guild", variants=STAGED, saturations=SATURATIONS)
    names = [f"g{n}" for n in range(40)]
    place = {
        name: next(at for at, edge in enumerate((0.34, 0.67, 1)) if unit_hash(SEED, name) < edge) for name in names
    }

    arms = {name: {ask(f"{name}-{n}", guild=name).variant for n in range(25)} for name in names}

    assert {at: set().union(*(arms[name] for name in names if place[name] == at)) for at in range(3)} == {
        0: {"control"},
        1: {"control", "banner"},
        2: {"control", "banner"},
    }


def test_without_the_database__the_context_is_enough_and_a_trait_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    running(seed=SEED, cluster="guild")
    ask("warm", guild="g1")  # the configuration is in this process

    def silent(*_: Any, **__: Any) -> Any:
        raise config.AWAY[0]

    cut_off(monkeypatch, silent)
    told, asked = assign.evaluate("exp", "u1", {"guild": "g1"}), assign.evaluate("exp", "u1", {})

    assert isinstance(told, Evaluation)
    assert told.metadata["bucket"] == unit_hash(SEED, "g1")
    assert isinstance(asked, Failed)


def test_audit_and_admission__draw_the_cluster_again() -> None:
    experiment = running(seed=SEED, cluster="guild")
    for n in range(20):
        ask(f"u{n}", guild=f"g{n}")
    arm = {n: Assignment.objects.select_related("variant").get(unit=f"u{n}").variant.key for n in range(20)}
    owed = rule_of(experiment).owed

    assert audit_of(experiment).differ == 0
    Assignment.objects.filter(unit="u3").update(cluster="another-guild-9")
    other = unit_hash(SEED, "another-guild-9") >= 0.5
    assert audit_of(experiment).differ == int(other != (arm[3] == "banner"))
    # Of units without a row: the arm that the named cluster draws, and none without a cluster.
    drawn = "banner" if unit_hash(SEED, "g0") >= 0.5 else "control"
    units, arms, clusters = (
        ["new", "new", "new"],
        [drawn, "banner" if drawn == "control" else "control", drawn],
        ["g0", "g0", ""],
    )
    assert owed(units, arms, clusters).tolist() == [True, False, False]


def command(*options: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("assign", "exp", *options, stdout=out, stderr=StringIO())
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_command__clusters_in_the_file_or_stored__agrees_with_the_door(tmp_path: Path) -> None:
    running(seed=SEED, cluster="guild")
    file = tmp_path / "units.txt"
    file.write_text("u1\tg1\nu2\tg1\nu3\tg2\n", encoding="utf-8")
    UnitTraits.objects.create(user_id="u4", traits={"guild": "g2"}, times={})

    told, stored = command("--file", str(file), "--with-cluster"), command("--unit", "u4", "u5")

    assert told[0]["variant"] == told[1]["variant"] == ask("other", guild="g1").variant
    assert stored[0]["variant"] == told[2]["variant"]
    assert (stored[1]["variant"], stored[1]["metadata"]["excludedBy"]) == ("default", "cluster")


@pytest.mark.parametrize(("text", "options"), [("u1 g1\n", ["--with-cluster"]), ("u1\t\n", ["--with-cluster"])])
def test_command__a_line_without_a_cluster__is_refused_before_anything_is_kept(
    tmp_path: Path, text: str, options: list[str]
) -> None:
    running(cluster="guild")
    (tmp_path / "units.txt").write_text("u0\tg0\n" + text, encoding="utf-8")

    with pytest.raises(CommandError, match="line 2"):
        command("--file", str(tmp_path / "units.txt"), *options)
    assert not Assignment.objects.exists()


# ── What a plan may not say ───────────────────────────────────────────────────
TWO = (PlannedVariant("control", "none", 6_040), PlannedVariant("banner", "banner", 3_960))
FINE: dict[str, Any] = {
    "cluster": "guild",
    "variants": TWO,
    "saturations": ((0, 3_400), (4_000, 3_300), (8_000, 3_300)),
}
THREE = (PlannedVariant("control", "none", 4_000), PlannedVariant("a", "a", 3_000), PlannedVariant("b", "b", 3_000))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"saturations": (), "variants": a_plan().variants}, None),
        ({"cluster": "id"}, "bad_cluster"),
        ({"cluster": "segments"}, "bad_cluster"),
        ({"cluster": "a'b"}, "bad_cluster"),
        ({"cluster": ""}, "saturations_without_cluster"),
        ({"audience": (PlannedRow(None, 10_000, (5_000, 5_000)),)}, "cluster_row_weights"),
        ({"saturations": ((4_000, 5_000), (8_000, 5_000))}, "bad_saturations"),
        ({"saturations": ((0, 5_000), (0, 5_000))}, "bad_saturations"),
        ({"saturations": ((0, 5_000), (5_000, 4_000))}, "bad_saturations"),
        ({"saturations": ((0, 10_000),)}, "bad_saturations"),
        ({"variants": THREE}, "saturation_variants"),
        ({"saturations": ((0, 5_000), (5_000, 5_000))}, "saturation_weights"),
    ],
)
def test_plan__of_clusters__says_what_is_wrong(changes: dict[str, Any], code: str | None) -> None:
    found = problems(a_plan(**{**FINE, **changes}), a_situation())

    assert [one.code for one in found] == ([] if code is None else [code])
    assert all(words(one) for one in found)


def test_cluster__is_frozen_from_the_start_on() -> None:
    experiment = running(cluster="guild", variants=ARMS)
    experiment.cluster = "class"

    with pytest.raises(Exception, match="frozen") as caught:
        experiment.clean()
    assert not isinstance(caught.value, Refused)
