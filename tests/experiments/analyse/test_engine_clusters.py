"""What a report says of clusters of unequal size: effective numbers, the randomisation test, the lift."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.analyse.comparison.by_segment import segment_effects, stratified_effects
from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.engine import analyze
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report.document import document
from stats.results import computable
from stats.sequential.looks import Look

DESIGN = Design("arm", "control", ("score",), cluster="guild")


def _units(sizes: list[int], seed: int = 1) -> Units:
    """Guilds of these sizes, the first half in control; no effect."""
    rng = np.random.default_rng(seed)
    guild = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.normal(size=len(sizes))[guild] + rng.normal(size=len(guild))
    return Units(
        labels=("control", "nudge"),
        arm=(guild >= len(sizes) // 2).astype(np.int64),
        outcomes=(Outcome("score", Kind.MEAN, values),),
        rows=len(guild),
        cluster=guild,
    )


def test_clusters__one_holds_most_of_an_arm__no_verdict_and_shown() -> None:
    """Six clusters, of which one has 400 of 500 units: they tell as much as 1.5 of equal size."""
    report = analyze("data", DESIGN, _units([400, *[20] * 11]))

    assert report.verdict.reason == "few_clusters"
    assert report.clusters is not None
    assert report.clusters["control"].clusters == 6
    assert report.clusters["control"].effective == pytest.approx(500**2 / (400**2 + 5 * 20**2))
    assert report.clusters["nudge"].effective == pytest.approx(6.0)
    finding = next(finding for finding in report.health if finding.check == "few_clusters")
    assert finding.details == {"variant": "control", "n": 6, "effective": 1.5, "needed": 20}


def test_clusters__few__randomisation_test_stands_beside_the_difference() -> None:
    few, many = (analyze("data", DESIGN, _units([20] * 2 * half)) for half in (10, 20))

    found = few.outcomes[0].comparisons[0].randomisation
    assert found is not None
    assert computable(found)
    assert computable(few.outcomes[0].comparisons[0].difference)
    # Equal clusters: both tests read the same cluster means.
    assert found.p_value == pytest.approx(few.outcomes[0].comparisons[0].difference.p_value, abs=0.05)
    assert found.seed is not None
    assert many.outcomes[0].comparisons[0].randomisation is None
    # The same units get the same p: the seed is part of the method.
    again = analyze("data", DESIGN, _units([20] * 20))
    assert again.outcomes[0].comparisons[0].randomisation == found


def test_clusters__document__has_numbers_effective_numbers_and_the_randomisation_test() -> None:
    few = document(analyze("data", DESIGN, _units([20] * 20)))
    plain = document(analyze("data", replace(DESIGN, cluster=None), replace(_units([20] * 20), cluster=None)))

    assert few["clusters"] == {label: {"n": 10, "effective": pytest.approx(10.0)} for label in ("control", "nudge")}
    assert set(few["outcomes"][0]["comparisons"][0]["randomisation"]) == {"p_value", "draws", "seed"}
    assert plain["clusters"] is None
    assert plain["outcomes"][0]["comparisons"][0]["randomisation"] is None


def test_clusters__lift__is_as_wide_as_the_difference() -> None:
    """With few clusters a normal quantile would make the lift surer than the difference."""
    units = _units([20] * 10)
    raised = replace(units, outcomes=(Outcome("score", Kind.MEAN, units.outcomes[0].values + 10),))

    row = analyze("data", DESIGN, raised).outcomes[0].comparisons[0]

    assert computable(row.lift)
    assert computable(row.difference)
    mean = raised.outcomes[0].values[raised.arm == 0].mean()
    # Relative to control, about the same width (the lift adds control's own error once more).
    assert row.lift.high - row.lift.low == pytest.approx((row.difference.high - row.difference.low) / mean, rel=0.1)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0001])
def test_clusters__two_an_arm__lift_has_the_quantile_of_t(alpha: float) -> None:
    """With one degree of freedom the same quantile of the normal law has a level that no number holds: it crashed."""
    units = _units([30] * 4)
    raised = replace(units, outcomes=(Outcome("score", Kind.MEAN, units.outcomes[0].values + 1_000),))

    row = analyze("data", replace(DESIGN, alpha=alpha), raised).outcomes[0].comparisons[0]

    assert computable(row.difference)
    if not computable(row.lift):  # the t quantile of 1 in 10,000 reaches 0
        assert alpha == 0.0001
        return
    mean = raised.outcomes[0].values[raised.arm == 0].mean()
    assert row.lift.high - row.lift.low == pytest.approx((row.difference.high - row.difference.low) / mean, rel=0.2)


def test_odds_ratio__at_a_look__is_labelled_with_the_level_of_all_looks() -> None:
    rng = np.random.default_rng(4)
    units = Units(
        labels=("control", "nudge"),
        arm=rng.integers(0, 2, 2_000),
        outcomes=(Outcome("kept", Kind.PROPORTION, (rng.random(2_000) < 0.4).astype(float)),),
        rows=2_000,
        segment=rng.integers(0, 3, 2_000),
        segment_labels=("a", "b", "c"),
    )
    pair = RowData(units).pair("kept", 1)
    look = Look(0.05, "group_sequential", fractions=(0.2,), planned_units=4_000)

    found = stratified_effects(pair, segment_effects(pair, look), look)

    assert found is not None
    assert computable(found.odds_ratio)
    assert computable(found.risk_difference)
    assert found.odds_ratio.level == found.risk_difference.level == 0.95
