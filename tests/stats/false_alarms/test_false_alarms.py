"""Tests on halves of the same units: the planned rate where it should be, and the arithmetic of all others."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats import compare
from stats.false_alarms import (
    FEWEST_UNITS,
    FalseAlarms,
    Summary,
    false_alarms,
    halves,
    level_of_units,
    mean_of_sums,
    mixed,
    quantile_of_sorted,
    ratio_of_sums,
)
from stats.results import Interval, NotComputable, Reason
from stats.summaries import Mean
from tests.rates import at_least
from tests.stats.make import computed

KEYS = np.arange(2_000, dtype=np.uint64)


def rate(values: Any, **asked: Any) -> FalseAlarms:
    found = false_alarms(np.asarray(values, dtype=float), KEYS[: len(values)], **{"splits": 500, "seed": 1, **asked})
    assert isinstance(found, FalseAlarms)
    return found


def test_halves__same_seed__are_the_same_whatever_the_order_and_how_many_are_asked() -> None:
    order = np.random.default_rng(1).permutation(len(KEYS))
    whole = np.concatenate(list(halves(KEYS, 40, 7)))
    shuffled = np.concatenate(list(halves(KEYS[order], 40, 7)))
    fewer = np.concatenate(list(halves(KEYS, 11, 7)))

    assert (whole[:, order] == shuffled).all()
    assert (whole[:11] == fewer).all()
    assert not (whole == np.concatenate(list(halves(KEYS, 40, 8)))).all()


def test_halves__of_units_and_of_splits__are_even_and_unrelated() -> None:
    drawn = np.concatenate(list(halves(KEYS, 1_000, 1))).astype(float)

    assert abs(drawn.mean() - 0.5) < 4 * 0.5 / np.sqrt(drawn.size)
    sizes = drawn.sum(axis=1)
    assert 0.85 < sizes.var() / (len(KEYS) / 4) < 1.15  # binomial: its standard error is 4.5 %
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 4 / np.sqrt(len(KEYS))
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 4 / np.sqrt(1_000)


def test_mixed__numbers_of_the_source() -> None:
    # The first outputs of SplitMix64 from state 0, as in Vigna's splitmix64.c.
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        states = np.array([0, golden, golden * np.uint64(2)], dtype=np.uint64)

    assert [hex(one) for one in mixed(states).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(-1e3, 1e3))
def test_mean_of_sums__whatever_the_centre__is_the_mean_of_the_values(values: list[float], centre: float) -> None:
    y = np.array(values)
    expected = Mean.from_values(y)

    found = mean_of_sums(len(y), np.array([(y - centre).sum(), ((y - centre) ** 2).sum()]), centre)

    assert found.mean == pytest.approx(expected.mean, abs=1e-6)
    assert found.variance == pytest.approx(expected.variance, rel=1e-6, abs=1e-4)


def test_ratio_of_sums__is_the_ratio_with_the_error_of_the_delta_method() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.exponential(3, 500), rng.poisson(4, 500) + 1.0
    centre = np.array([2.5, 5.5])
    x, y = a - centre[0], b - centre[1]
    sums = np.array([x.sum(), y.sum(), x @ x, x @ y, y @ y])

    found = ratio_of_sums(500, sums, centre)

    assert isinstance(found, Mean)
    ratio = a.mean() / b.mean()
    assert found.mean == pytest.approx(ratio)
    assert found.variance == pytest.approx(((a - ratio * b) / b.mean()).var(ddof=1))
    assert ratio_of_sums(500, sums * 0, np.zeros(2)) == NotComputable(Reason.NO_DENOMINATOR)
    assert ratio_of_sums(1, sums, centre) == NotComputable(Reason.TOO_FEW_UNITS)


def test_quantile_of_sorted__is_the_smallest_value_that_the_share_doesnt_exceed() -> None:
    values = np.arange(1.0, 11.0)

    assert [quantile_of_sorted(values, share)[0] for share in (0.1, 0.11, 0.5, 0.9)] == [1.0, 2.0, 5.0, 9.0]
    assert quantile_of_sorted(values, 0.5)[1].mean == 5.0  # exactly half of them lie at or below


def test_rate__of_one_split__is_the_test_of_its_two_halves() -> None:
    values = np.random.default_rng(3).exponential(1, 2_000)
    half = next(iter(halves(KEYS, 1, 5)))[0]
    expected = compare.compare_means(Mean.from_values(values[~half]), Mean.from_values(values[half]))
    assert not isinstance(expected, NotComputable)

    for alpha, alarms in ((expected.p_value * 1.0001, 1), (expected.p_value * 0.9999, 0)):
        assert rate(values, summary=Summary.MEAN, splits=1, seed=5, alpha=alpha).alarms == alarms


def test_false_alarms__too_few_units_or_no_variance__have_a_reason() -> None:
    few = np.ones(FEWEST_UNITS - 1)
    same = np.ones(FEWEST_UNITS)

    found = false_alarms(few, KEYS[: len(few)], summary=Summary.MEAN, splits=10, seed=1)
    assert isinstance(found, NotComputable)
    assert found.reason == Reason.TOO_FEW_VALUES
    for summary, why in ((Summary.MEAN, Reason.NO_VARIANCE), (Summary.QUANTILE, Reason.NO_DENSITY)):
        found = false_alarms(same, KEYS[: len(same)], summary=summary, splits=10, seed=1)
        assert isinstance(found, NotComputable)
        assert found.reason == why
    assert rate(same, summary=Summary.SHARE, splits=10).alarms == 0


@pytest.mark.parametrize("bad", [0.0, 1.0, -1.0, float("nan")])
def test_false_alarms__no_error_rate__is_the_callers_mistake(bad: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        rate(np.ones(200), summary=Summary.MEAN, alpha=bad)


# Wilson limits exclude .05 where |alarms - 50| > z sqrt(1,000 x .05 x .95) = 6.892 z: z is 1.960 for one metric (13.5),
# 3.227 for forty together (22.2).
@pytest.mark.parametrize(
    ("alarms", "metrics", "off"),
    [
        *[(36, 1, True), (37, 1, False), (63, 1, False), (64, 1, True)],
        *[(27, 40, True), (28, 40, False), (72, 40, False), (73, 40, True), (150, 40, True)],
    ],
)
def test_is_off__on_both_sides_of_the_interval_for_all_metrics_together(alarms: int, metrics: int, off: bool) -> None:
    made = FalseAlarms(alarms, 1_000, 0, 3, Interval(alarms / 1_000, 0.0, 1.0, 0.95, "wilson-interval"), 0.05)

    assert made.is_off(metrics) is off
    assert computed(made.among(metrics)).level == pytest.approx(1 - 0.05 / metrics)


@pytest.mark.slow
@pytest.mark.parametrize("summary", list(Summary))
def test_rate__of_values_that_the_test_is_made_for__is_the_planned_one(summary: Summary) -> None:
    rng = np.random.default_rng(4)
    values = {Summary.SHARE: (rng.random(2_000) < 0.3).astype(float)}.get(summary, rng.exponential(1, 2_000))
    below = rng.poisson(5, 2_000) + 1.0

    found = rate(values, summary=summary, below=below, splits=1_000)

    assert found.splits == 1_000
    assert found.rate.low <= 0.05 <= found.rate.high or summary is Summary.QUANTILE
    assert found.rate.estimate < 0.075  # a quantile's density is estimated: it errs on the careful side here


@pytest.mark.slow
def test_rate__of_a_heavy_tail__is_far_from_the_planned_one_and_a_cap_mends_it() -> None:
    rng = np.random.default_rng(5)
    values = np.where(rng.random(2_000) < 0.05, rng.pareto(0.7, 2_000) * 10, 0.0)

    raw, capped = (rate(one, summary=Summary.MEAN, splits=1_000) for one in (values, np.minimum(values, 100.0)))

    assert raw.is_off(40)
    assert raw.rate.high < 0.05  # one giant decides both the difference and its error
    assert not capped.is_off()


def test_rate__median_of_sessions__is_not_tested() -> None:
    """Rates between .04 and .70 before, by luck, and called "as planned" in three of eight logs."""
    sessions = np.random.default_rng(6).geometric(0.2, 2_000).astype(float)

    found = false_alarms(sessions, KEYS, summary=Summary.QUANTILE, splits=50, seed=1)

    assert found == NotComputable(Reason.NO_DENSITY)


def test_level_of_units__median_of_whole_numbers__covers_it() -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(500):
        found = level_of_units(rng.geometric(0.2, 200).astype(float), summary=Summary.QUANTILE, share=0.5)
        assert isinstance(found, Interval)
        covered += found.low <= 4 <= found.high  # 1 - .8^4 = .59, 1 - .8^3 = .488

    assert at_least(covered, 500, 0.95)


def test_level_of_units__each_summary() -> None:
    y = np.array([0.0, 1.0, 1.0, 1.0])

    share = level_of_units(y, summary=Summary.SHARE)
    mean = level_of_units(y, summary=Summary.MEAN)
    ratio = level_of_units(y, summary=Summary.RATIO, below=np.array([1.0, 2.0, 3.0, 4.0]))
    median = level_of_units(np.arange(101.0), summary=Summary.QUANTILE, share=0.5)

    assert [round(one.estimate, 6) for one in (share, mean, ratio, median) if isinstance(one, Interval)] == [
        0.75,
        0.75,
        0.3,
        50.0,
    ]
    assert isinstance(median, Interval)
    assert (median.low, median.high) == (40.0, 60.0)  # the 41st and 61st of 101
    assert level_of_units(np.arange(5.0), summary=Summary.QUANTILE, share=0.5) == NotComputable(Reason.NO_DENSITY)
    assert level_of_units(y[:0], summary=Summary.MEAN) == NotComputable(Reason.NO_DATA)
    assert level_of_units(y[:1], summary=Summary.MEAN) == NotComputable(Reason.TOO_FEW_UNITS)
