"""Several nudges that could lead the report: what its sentence rests on holds for all of them together."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.effects import Encouragement, Report
from experiments.analyse.engine import analyze, leading_comparison, set_looks
from experiments.analyse.gather.answers import Audit
from experiments.analyse.result import Opened
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report import behaviour
from experiments.report.document import document
from experiments.report.verdict import verdict_sentence
from reporting.document import dump, load
from stats.instrument.exclusion import breakdown_value
from stats.results import computable
from stats.sequential.looks import Look, fixed
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import opened
from tests.rates import at_most

LABELS = ("control", "a", "b", "c")
DESIGN = Design("arm", "control", ("kept",), behaviour="did")


def draw(n: int, seed: int, *, arms: int = 3, direct: float = 0.02, effect: float = 0.0) -> dict[str, Any]:
    """A fifth are always-takers, a fifth compliers of every nudge; each nudge keeps `direct` more of everybody."""
    rng = np.random.default_rng(seed)
    arm, kind = rng.integers(0, arms + 1, n), rng.random(n)
    did = ((kind < 0.2) | ((arm > 0) & (kind < 0.4))).astype(float)
    base = np.where(kind < 0.2, 0.5, np.where(kind < 0.4, 0.3, 0.25))
    kept = (rng.random(n) < base + direct * (arm > 0) + effect * ((arm > 0) & (kind >= 0.2) & (kind < 0.4))).astype(
        float
    )
    return {"arm": arm.astype(np.int64), "did": did, "kept": kept}


def report_of(found: dict[str, Any], design: Design = DESIGN, labels: tuple[str, ...] = LABELS) -> Report:
    outcome = Outcome("kept", Kind.PROPORTION, found["kept"])
    return analyze("file", design, Units(labels, found["arm"], (outcome,), len(found["arm"]), behaviour=found["did"]))


def told(report: Report, variant: str) -> Encouragement:
    found = next(row for row in report.outcomes[0].comparisons if row.variant == variant).encouragement
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("placebo", "doses", "able"),
    [
        (None, (), ("a", "b", "c")),
        ("c", (), ("a", "b")),
        ("c", ("b",), ("a",)),
        (None, ("a", "b", "c"), ("a", "b", "c")),  # none nudges to the moment itself
    ],
)
def test_set_looks__who_may_lead__shares_alpha(
    placebo: str | None, doses: tuple[str, ...], able: tuple[str, ...]
) -> None:
    design = replace(DESIGN, placebo=placebo, doses=doses)
    for look in (
        fixed(0.05),
        Look(0.05, "group_sequential", fractions=(0.4, 0.7)),
        Look(0.05, "always_valid", units=900, planned_units=2_000),
    ):
        found = set_looks(design, dict.fromkeys(LABELS[1:], look))
        assert design.may_lead(LABELS[1:]) == able
        for label, one in found.items():
            assert one == (replace(look, alpha=0.05 / len(able)) if label in able else look)


def test_report__three_nudges__the_sentence_stands_at_the_simultaneous_level() -> None:
    report = report_of(draw(40_000, 1, effect=0.3))
    leading = leading_comparison(DESIGN, report.outcomes[0])

    for row in report.outcomes[0].comparisons:
        one, together = row.encouragement, row.simultaneous
        assert one is not None
        assert one.moments is not None
        assert together is not None
        assert computable(together)
        assert computable(one.effect_set)
        assert computable(one.effect)
        assert computable(one.breakdown)
        assert one.effect_set.level == pytest.approx(1 - 0.05 / 3)
        assert one.effect.level == 0.95
        # One outcome and three arms: the same family as that of the simultaneous interval.
        assert one.breakdown == pytest.approx(together.low)
        assert one.breakdown < breakdown_value(one.moments, 1.96)  # type: ignore[operator]
        (at,) = [step for step in one.sensitivity if step.direct == one.breakdown]
        assert at.low == pytest.approx(0, abs=1e-9)
    assert report.verdict.code is Code.CAUSES
    assert report.verdict.details["level"] == pytest.approx(1 - 0.05 / 3)
    assert "98.33" in verdict_sentence(report.verdict)
    table = behaviour.table(report, report.outcomes[0], leading)
    assert table is not None
    assert "98.33%: holds for all nudges together" in " ".join(cells[0] for cells in table.rows)
    shown = document(report)["outcomes"][0]["comparisons"]
    assert [row["encouragement"]["set_level"] for row in shown] == pytest.approx([1 - 0.05 / 3] * 3)


def test_report__one_nudge__stands_at_the_plain_level() -> None:
    report = report_of(draw(20_000, 1, arms=1, effect=0.3), labels=LABELS[:2])
    found = told(report, "a")

    assert computable(found.effect_set)
    assert (found.effect_set.level, report.verdict.details["level"]) == (0.95, 0.95)
    row = report.outcomes[0].comparisons[0]
    assert computable(row.difference)
    assert found.breakdown == pytest.approx(row.difference.low)
    table = behaviour.table(report, report.outcomes[0], row)
    assert table is not None
    assert "Anderson-Rubin set (decides)" in [cells[0] for cells in table.rows]


def test_report__three_nudges__causes_never_has_a_set_that_holds_nothing() -> None:
    """Holm's p below alpha and the set at alpha/3: the leading arm has both or neither."""
    codes = []
    for seed in range(30):
        report = report_of(draw(8_000, seed, direct=0.025))
        found = told(report, report.leading).effect_set
        assert computable(found)
        row = leading_comparison(DESIGN, report.outcomes[0])
        assert computable(row.adjusted_p)
        assert (row.adjusted_p < 0.05) is not found.contains(0.0)
        codes.append((report.verdict.code, report.verdict.reason))
    assert {code for code, _reason in codes} >= {Code.CAUSES, Code.INCONCLUSIVE}
    assert (Code.INCONCLUSIVE, "multiplicity") in codes


def test_breakdown__of_the_leading_of_three__is_above_the_direct_effect_as_seldom_as_that_of_one() -> None:
    """Audit of 0.4, N7: 6.6 % at the plain level, 2.5 % of all runs promised."""
    runs, above = 60, 0
    for seed in range(runs):
        report = report_of(draw(12_000, 500 + seed))
        value = told(report, report.leading).breakdown
        above += computable(value) and value > 0.02
    assert at_most(above, runs, 0.025)


# ── Looks ─────────────────────────────────────────────────────────────────────
METRIC = "window:21-27"


def stored(found: dict[str, Any], **more: Any) -> Opened:
    drawn = draw_units(
        len(found["arm"]), arm=found["arm"], reached=found["did"], times=3 * found["did"], value=found["kept"]
    )
    earlier = more.pop("earlier", ())
    given: dict[str, Any] = {
        "variants": LABELS,
        "shares": {"": (0.25,) * 4},
        "method": "group_sequential",
        "looks": (0.5, 1.0),
        "planned_units": 2 * len(found["arm"]),
        "enrolment_ended": None,
    }
    answers = make_answers(drawn, cells=make_cells(drawn, variants=LABELS))
    analysed, audit = make_analysed(**{**given, **more}), Audit(0, 0, {})
    return opened(analyse_answers(analysed, answers, audit, today=date(2026, 4, 1), earlier=earlier))


@pytest.mark.slow
def test_look__three_nudges__what_it_kept_is_the_condition_of_the_bound_that_was_crossed() -> None:
    readout = stored(draw(16_000, 1, effect=0.4))
    assert readout.verdict is not None
    assert readout.verdict.code is Code.CAUSES
    look, row = readout.path[0], readout.report.outcomes[0].comparisons[0]
    assert (look.variant, look.verdict, row.variant) == ("a", "CAUSES", "a")
    assert row.simultaneous is not None
    assert computable(row.simultaneous)
    assert look.breakdown == pytest.approx(row.simultaneous.low)
    assert look.breakdown is not None
    assert look.breakdown < look.low

    nothing = draw(16_000, 2, direct=0.0)
    then = {"earlier": readout.path, "looks": (0.5, 0.9, 1.0), "planned_units": 17_000}
    after = stored(nothing, **then)
    assert after.verdict is not None
    assert (after.verdict.reason, after.verdict.details["breakdown"]) == ("crossed", look.breakdown)
    # Payloads of 0.4 have no value of their own: the interval's end was it.
    old = [replace(one, breakdown=None) for one in readout.path]
    kept = dump(readout)
    for one in kept["path"]:
        del one["breakdown"]
    assert list(load(Opened, kept).path) == old
    then["earlier"] = tuple(old)
    told_then = stored(nothing, **then).verdict
    assert told_then is not None
    assert told_then.details["breakdown"] == look.low


@pytest.mark.slow
def test_look__dose_arm_crossed__does_not_lead_beside_a_nudge_to_the_moment() -> None:
    readout = stored(draw(16_000, 1, effect=0.4))
    nothing = draw(16_000, 2, direct=0.0)
    then: dict[str, Any] = {"earlier": readout.path, "looks": (0.5, 0.9, 1.0), "planned_units": 17_000}
    crossed = [look.variant for look in readout.path if look.verdict == "CAUSES"]
    assert crossed == ["a", "b", "c"]

    after = stored(nothing, doses={"a": 2, "b": 5}, **then)
    assert after.verdict is not None
    assert (after.verdict.reason, after.verdict.details["variant"]) == ("crossed", "c")
