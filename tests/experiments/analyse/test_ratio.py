"""A ratio of sums with segments: standardised first, divided then, so that levels and difference agree."""

from typing import Any

import numpy as np
import pytest

from benchmarks.audit_04 import population_ratio
from stats.compare import compare_unpooled
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse import ratio_world as ratio
from tests.marks import first_in_ci
from tests.rates import at_least

SEGMENTS = ("casual", "heavy")


def _pair(seed: int, shares: tuple[float, float], *, behaviour: bool = False, n: int = 8_000) -> Any:
    arm, segment, values = ratio.draw(np.random.default_rng(seed), n, shares)
    data = ratio.data_of(arm, segment, values[:, : 3 if behaviour else 2], names=SEGMENTS)
    return data.pair(ratio.METRIC, 1), (arm, segment, values)


def _by_hand(units: Any) -> tuple[list[float], list[float], list[float]]:
    """The ratio delta method, from the units: levels, their variances inside segments, the mix's (arms, both)."""
    arm, segment, values = units
    shares = [float((segment == code).mean()) for code in (0, 1)]
    levels, variances, columns = [], [], []
    for g in (0, 1):
        rows = [values[(arm == g) & (segment == code), :2] for code in (0, 1)]
        above, below = (sum(s * row[:, i].mean() for s, row in zip(shares, rows, strict=True)) for i in (0, 1))
        r = above / below
        parts = [s**2 * (row[:, 0] - r * row[:, 1]).var(ddof=1) / len(row) for s, row in zip(shares, rows, strict=True)]
        levels.append(float(r))
        variances.append(float(sum(parts) / below**2))
        columns.append(np.array([r + (row[:, 0] - r * row[:, 1]).mean() / below for row in rows]))
    mix = [
        float(sum(s * (x - one @ shares) ** 2 for s, x in zip(shares, one, strict=True)) / len(arm))
        for one in (*columns, columns[1] - columns[0])
    ]
    return levels, variances, mix


@pytest.mark.parametrize("shares", [ratio.EQUAL, ratio.UNEQUAL])
@pytest.mark.parametrize("behaviour", [False, True])
def test_ratio__segments__is_the_formula_by_hand(shares: tuple[float, float], behaviour: bool) -> None:
    pair, units = _pair(3, shares, behaviour=behaviour)
    levels, variances, mix = _by_hand(units)

    found = pair.difference(alpha=0.05)

    assert computable(found)
    assert [pair.control.mean, pair.variant.mean] == pytest.approx(levels, abs=1e-12)
    assert found.estimate == pytest.approx(levels[1] - levels[0], abs=1e-12)
    assert found.standard_error == pytest.approx((sum(variances) + mix[2]) ** 0.5, rel=1e-9)
    for arm, one in enumerate((pair.control, pair.variant)):
        assert one.standard_error == pytest.approx((variances[arm] + mix[arm]) ** 0.5, rel=1e-9)
    lift = pair.lift(alpha=0.05)
    assert computable(lift)
    within = [variances[0], variances[1] + mix[2]]
    log = sum(v / level**2 for v, level in zip(within, levels, strict=True)) ** 0.5
    assert np.log((1 + lift.high) / (1 + lift.low)) == pytest.approx(2 * 1.959964 * log, rel=1e-6)


@pytest.mark.parametrize("runs", first_in_ci([300, 1_500]))
def test_ratio__few_whales__covers_that_of_the_population(runs: int) -> None:
    seen = population_ratio.count(np.random.default_rng(20261214), runs)

    assert at_least(seen["the 95 % interval of the difference"], runs, 0.95)
    assert at_least(seen["the Anderson-Rubin set"], runs, 0.95)
    assert not at_least(seen["the interval without the mix's error"], runs, 0.90)


def test_ratio__one_mix_of_segments__agrees_with_no_segments() -> None:
    arm, segment, values = ratio.draw(np.random.default_rng(5), 40_000, ratio.EQUAL)

    outcomes = [ratio.read(ratio.data_of(arm, segment, values[:, :2], names=names)) for names in (SEGMENTS, ("",))]

    (with_levels, with_segments), (_, without) = outcomes
    assert computable(with_segments.difference)
    assert computable(without.difference)
    # The segments' own ratios, averaged by units, said +.2 and CAUSES.
    assert with_segments.difference.estimate == pytest.approx(ratio.TRUTH, abs=0.01)
    assert with_segments.difference.estimate == pytest.approx(without.difference.estimate, abs=0.005)
    assert str(with_segments.verdict.code) == "HARMS"
    lift = with_segments.lift
    assert computable(lift)
    assert lift.estimate < 0
    assert set(with_levels.values) == {"control", "nudge"}


def test_ratio__pooled_rows__are_the_difference__and_single_segments_their_own() -> None:
    arm, segment, values = ratio.draw(np.random.default_rng(6), 40_000, ratio.EQUAL)

    row = ratio.read(ratio.data_of(arm, segment, values[:, :2], names=SEGMENTS))[1]

    assert row.stratified is not None
    assert computable(row.difference)
    for found in (row.stratified.risk_difference, row.stratified.population):
        assert computable(found)
        assert found.estimate == pytest.approx(row.difference.estimate, abs=1e-12)
    own = [one.difference.estimate for one in row.by_segment if computable(one.difference)]
    assert own == pytest.approx(list(ratio.CHANGE), abs=0.03)


@pytest.mark.parametrize("shares", [ratio.EQUAL, ratio.UNEQUAL])
def test_ratio__behaviour__set_and_take_up_use_the_same_mix(shares: tuple[float, float]) -> None:
    pair, (arm, segment, values) = _pair(7, shares, behaviour=True)
    mix = [float((segment == code).mean()) for code in (0, 1)]

    moments = pair.moments()

    assert computable(moments)
    reached = [sum(s * values[(arm == g) & (segment == code), 2].mean() for code, s in enumerate(mix)) for g in (0, 1)]
    assert moments.itt == pytest.approx(pair.variant.mean - pair.control.mean, abs=1e-12)
    assert moments.first_stage == pytest.approx(reached[1] - reached[0], abs=1e-12)
    assert pair.take_up() == pytest.approx(tuple(reached), abs=1e-12)


def test_ratio__three_arms__control_has_one_level() -> None:
    """Segments are weighted by the units of all arms, so control's level stands beside every difference."""
    from dataclasses import replace

    from experiments.analyse.comparison.warehouse_cells import CellData
    from experiments.analyse.gather.answers import Block

    arm, segment, values = ratio.draw(np.random.default_rng(8), 9_000, ratio.UNEQUAL)
    arm = np.where((arm == 1) & (np.arange(9_000) % 3 == 0), 2, arm)
    keys = [(g, s) for g in (0, 1, 2) for s in (0, 1)]
    rows = [values[(arm == g) & (segment == s), :2] for g, s in keys]
    block = Block(
        ("value", "denominator"),
        np.array([len(row) for row in rows]),
        np.array([row.mean(axis=0) for row in rows]),
        np.array([np.cov(row.T) for row in rows]),
    )
    two = ratio.data_of(arm.clip(0, 1), segment, values[:, :2], names=SEGMENTS).cells
    g, s = (np.array(part) for part in zip(*keys, strict=True))
    cells = replace(
        two,
        variants=("control", "a", "b"),
        variant=g,
        segment=s,
        week=np.zeros(6, dtype=np.int64),
        covariate=np.empty((6, 0), dtype=np.int64),
        exposed=block.n,
        blocks={ratio.METRIC: block},
    )
    data = CellData(cells, (ratio.METRIC,), {})

    pairs = [data.pair(ratio.METRIC, code) for code in (1, 2)]

    assert pairs[0].control.mean == pairs[1].control.mean == data.level(ratio.METRIC, 0, alpha=0.05).mean
    for code, pair in enumerate(pairs, start=1):
        found = pair.difference(alpha=0.05)
        assert computable(found)
        level = data.level(ratio.METRIC, code, alpha=0.05).mean
        assert isinstance(level, float)
        assert found.estimate == pytest.approx(level - pairs[0].control.mean, abs=1e-12)


def test_ratio__no_denominator_in_an_arm__keeps_the_numerator() -> None:
    arm, segment, values = ratio.draw(np.random.default_rng(9), 400, ratio.EQUAL)
    values[arm == 1, :2] = 0.0

    pair = ratio.data_of(arm, segment, values[:, :2], names=("",)).pair(ratio.METRIC, 1)

    assert pair.variant == Mean(int((arm == 1).sum()), 0.0, 0.0)
    assert pair.difference(alpha=0.05) == compare_unpooled(pair.control, pair.variant)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [ratio.EQUAL, ratio.UNEQUAL])
def test_ratio__segments_that_move_apart__levels_and_difference_agree_and_nothing_is_caused(
    shares: tuple[float, float],
) -> None:
    """Averaging the segments' own ratios called it a gain of .199 and CAUSES."""
    rng = np.random.default_rng(13)
    for _ in range(20):
        arm, segment, values = ratio.draw(rng, 6_000, shares)
        outcome, row = ratio.read(ratio.data_of(arm, segment, values[:, :2], names=SEGMENTS))
        assert computable(row.difference)
        control, nudge = (outcome.values[name].mean for name in ("control", "nudge"))
        assert isinstance(control, float)
        assert isinstance(nudge, float)
        assert row.difference.estimate == pytest.approx(nudge - control, abs=1e-9)
        assert row.verdict.code != "CAUSES"
