"""The D-n curve of two arms: intervals, the band over all days, days that count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.compare import compare_proportions, wilson
from stats.results import NotComputable, Reason
from stats.summaries import Mean
from stats.survival.day_curve import curve_difference, day_shares, sidak_alpha
from tests.marks import first_in_ci
from tests.rates import at_least, at_most
from tests.stats.make import computed

COUNTS = st.tuples(st.integers(1, 300), st.floats(0, 1)).map(lambda pair: (pair[0], round(pair[0] * pair[1])))
CURVES = st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=4)


def test_day_shares__days_in_any_order__are_wilson_and_empty_days_are_left_out() -> None:
    found = day_shares({7: (50, 0), 0: (100, 100), 1: (100, 40), 8: (0, 0)})
    assert [(row.day, row.eligible, row.active) for row in found] == [(0, 100, 100), (1, 100, 40), (7, 50, 0)]
    assert found[1].share == wilson(40, 100)
    assert (found[0].share.high, found[2].share.low) == (1.0, 0.0)


@pytest.mark.parametrize("counts", [(5, 6), (5, -1)])
def test_day_shares__impossible_counts__raise(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="successes"):
        day_shares({0: counts})


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(CURVES)
def test_curve_difference__any_counts__pointwise_is_the_score_interval_and_lies_inside_the_band(
    rows: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    control = {day: row[0] for day, row in enumerate(rows)}
    variant = {day: row[1] for day, row in enumerate(rows)}
    found = computed(curve_difference(control, variant))
    swapped = computed(curve_difference(variant, control))
    assert (found.higher, found.lower) == (swapped.lower, swapped.higher)
    for day, back in zip(found.days, swapped.days, strict=True):
        assert day.difference.estimate == pytest.approx(-back.difference.estimate)
        assert (day.band.low, day.band.high) == pytest.approx((-back.band.high, -back.band.low), abs=1e-9)
        slack = 1e-12
        assert day.band.low - slack <= day.difference.low <= day.difference.high <= day.band.high + slack
        if len(rows) == 1:
            assert (day.band.low, day.band.high) == pytest.approx((day.difference.low, day.difference.high))


def test_curve_difference__one_day__is_the_interval_of_the_fixed_comparison() -> None:
    day = computed(curve_difference({7: (1000, 300)}, {7: (900, 310)})).days[0]
    plain = computed(compare_proportions(Mean.from_counts(300, 1000), Mean.from_counts(310, 900)))
    assert (day.difference.estimate, day.difference.low, day.difference.high) == pytest.approx(
        (plain.estimate, plain.low, plain.high)
    )


def test_curve_difference__day_of_one_arm_or_without_units__is_skipped_and_not_counted() -> None:
    control = {0: (100, 90), 1: (100, 50), 2: (0, 0), 3: (40, 10)}
    variant = {0: (100, 90), 1: (100, 70), 2: (10, 5)}
    found = computed(curve_difference(control, variant))
    assert ([day.day for day in found.days], found.skipped) == ([0, 1], (2, 3))
    alone = computed(curve_difference({0: (100, 90), 1: (100, 50)}, {0: (100, 90), 1: (100, 70)}))
    assert found.days == alone.days
    assert found.higher == (1,)
    nothing = curve_difference({0: (0, 0)}, {0: (5, 5)})
    assert isinstance(nothing, NotComputable)
    assert nothing.reason is Reason.NO_DATA


def test_curve_difference__effect_between_the_two_levels__is_pointwise_only() -> None:
    control = dict.fromkeys(range(28), (1000, 300))
    variant = {**control, 5: (1000, 345)}
    found = computed(curve_difference(control, variant))
    assert found.days[5].difference.low > 0 > found.days[5].band.low
    assert found.higher == ()
    assert computed(curve_difference({5: control[5]}, {5: variant[5]})).higher == (5,)


def test_curve_difference__identical_days__band_matches_the_sidak_level() -> None:
    """The band is the score interval at .05 corrected: p of the pooled z at its edge equals that level."""
    m = 28
    counts = dict.fromkeys(range(m), (20_000, 6_000))
    band = computed(curve_difference(counts, counts)).days[0].band
    level = sidak_alpha(0.05, m)
    assert (1 - level) ** m == pytest.approx(0.95)
    half = stats.norm.isf(level / 2) * np.sqrt(2 * 0.3 * 0.7 / 20_000)
    assert band.high == pytest.approx(half, rel=0.002)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("runs", first_in_ci([60, 300]))
def test_band__no_effect__holds_on_all_days_together(runs: int, sticky: bool) -> None:
    """2 x 500 units over 8 days, activity independent between days or by stable habit."""
    rng = np.random.default_rng(3)
    days, n, wrong, pointwise = 8, 500, 0, 0
    for _ in range(runs):
        arms = []
        for _ in range(2):
            habit = rng.beta(0.3, 0.7, (n, 1)) if sticky else np.full((n, 1), 0.3)
            active = (rng.random((n, days)) < habit).sum(axis=0)
            arms.append({day: (n, int(active[day])) for day in range(days)})
        found = computed(curve_difference(arms[0], arms[1]))
        wrong += bool(found.higher or found.lower)
        pointwise += any(day.difference.low > 0 or day.difference.high < 0 for day in found.days)
    assert at_most(wrong, runs, 0.05)
    # Without the band a reader would be fooled far more often, which is why it exists.
    assert pointwise > 2 * wrong
    if not sticky:
        assert at_least(wrong, runs, 0.05)
