"""Effect by enrolment week: does it fade, grow, turn, or can't one tell?"""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.compare import compare_unpooled
from stats.novelty import Change, Novelty, Trend, effect_by_week, linear_trend
from stats.results import Estimate, NotComputable, Reason
from stats.stratified import heterogeneity
from stats.summaries import Mean
from tests.marks import first_in_ci
from tests.rates import plausible
from tests.stats.make import computed

MONDAY = date(2026, 1, 5)
EFFECTS = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=3, max_size=12)


def week(n: int) -> date:
    return MONDAY + timedelta(weeks=n)


def estimate(value: float, error: float) -> Estimate:
    return Estimate(value, error, value - 2 * error, value + 2 * error, 0.5, 0.95, "given")


def series(values: list[tuple[float, float]]) -> list[tuple[date, Estimate]]:
    return [(week(n), estimate(value, error)) for n, (value, error) in enumerate(values)]


def of_lifts(lifts: list[float], n: int = 4000) -> Novelty:
    rows = [
        (week(k), Mean.from_counts(round(0.3 * n), n), Mean.from_counts(round((0.3 + lift) * n), n))
        for k, lift in enumerate(lifts)
    ]
    return effect_by_week(rows)


@pytest.mark.slow
@settings(deadline=None)
@given(EFFECTS)
def test_trend__any_effects__equals_weighted_least_squares_of_statsmodels(values: list[tuple[float, float]]) -> None:
    import statsmodels.api as sm

    found = computed(linear_trend(series(values)))
    y, error = (np.array(column) for column in zip(*values, strict=True))
    fit = sm.WLS(y, sm.add_constant(np.arange(len(y), dtype=float)), weights=error**-2.0).fit(cov_type="fixed scale")
    assert found.slope.estimate == pytest.approx(fit.params[1], abs=1e-9)
    assert found.slope.standard_error == pytest.approx(fit.bse[1], rel=1e-7)
    ends = fit.get_prediction([[1, 0], [1, len(y) - 1]])
    assert [found.first.estimate, found.last.estimate] == pytest.approx(ends.predicted_mean.tolist(), abs=1e-8)
    assert [found.first.standard_error, found.last.standard_error] == pytest.approx(ends.se_mean.tolist(), rel=1e-6)


@pytest.mark.slow
@given(EFFECTS, st.floats(0.1, 100))
def test_trend__turned_round_or_rescaled__follows(values: list[tuple[float, float]], scale: float) -> None:
    found = computed(linear_trend(series(values)))
    mirrored = computed(linear_trend(series([(-value, error) for value, error in values])))
    scaled = computed(linear_trend(series([(value * scale, error * scale) for value, error in values])))
    assert mirrored.slope.estimate == pytest.approx(-found.slope.estimate, abs=1e-12)
    assert scaled.slope.estimate == pytest.approx(found.slope.estimate * scale, abs=1e-9)
    assert scaled.slope.p_value == pytest.approx(found.slope.p_value, abs=1e-7)
    assert mirrored.change == found.change


@pytest.mark.parametrize(
    ("lifts", "change"),
    [
        ([0.12, 0.09, 0.06, 0.03], Change.FADES),
        ([-0.12, -0.09, -0.06, -0.03], Change.FADES),
        ([0.03, 0.06, 0.09, 0.12], Change.GROWS),
        ([-0.03, -0.06, -0.09, -0.12], Change.GROWS),
        ([0.0, 0.03, 0.06, 0.09], Change.GROWS),
        ([0.09, 0.06, 0.03, 0.0], Change.FADES),
        ([0.12, 0.04, -0.04, -0.12], Change.TURNS),
        ([0.06, 0.06, 0.06, 0.06], Change.NONE_DETECTED),
        ([0.06, 0.05, 0.06, 0.05], Change.NONE_DETECTED),
        # Weeks differ wildly, but not steadily: Q sees it, the line doesn't.
        ([0.12, -0.12, -0.12, 0.12], Change.NONE_DETECTED),
    ],
)
def test_effect_by_week__planted_change__is_named(lifts: list[float], change: Change) -> None:
    assert computed(of_lifts(lifts).trend).change is change


def test_effect_by_week__differs_without_direction__heterogeneity_sees_it() -> None:
    found = of_lifts([0.12, -0.12, -0.12, 0.12])
    equal = computed(heterogeneity([row.effect for row in found.weeks if isinstance(row.effect, Estimate)]))
    assert found.heterogeneity == equal
    assert equal.p_value < 1e-6
    assert equal.degrees_of_freedom == 3
    assert computed(of_lifts([0.06] * 4).heterogeneity).p_value > 0.99


def test_effect_by_week__means_in_any_order__are_sorted_and_compared_unpooled() -> None:
    control, variant = Mean(80, 5.0, 4.0), Mean(90, 6.0, 9.0)
    found = effect_by_week([(week(1), control, variant), (week(0), variant, control)])
    assert [row.week for row in found.weeks] == [week(0), week(1)]
    assert found.weeks[1].effect == compare_unpooled(control, variant)
    assert (found.weeks[1].control_n, found.weeks[1].variant_n) == (80, 90)


@pytest.mark.parametrize(
    ("n", "ones", "tested"), [(49, 10, False), (50, 10, True), (50, 5, True), (60, 4, False), (60, 56, False)]
)
def test_effect_by_week__size_on_either_side_of_the_floor__is_tested_or_only_shown(
    n: int, ones: int, tested: bool
) -> None:
    row = effect_by_week([(week(0), Mean.from_counts(ones, n), Mean.from_counts(ones, n))]).weeks[0]
    assert row.tested == tested
    assert isinstance(row.effect, Estimate)


def test_effect_by_week__small_week__changes_no_test() -> None:
    rows = [
        (week(k), Mean.from_counts(300, 1000), Mean.from_counts(300 + extra, 1000))
        for k, extra in enumerate((60, 55, 30))
    ]
    small = (week(9), Mean.from_counts(0, 5), Mean.from_counts(5, 5))
    found, plain = effect_by_week([*rows, small]), effect_by_week(rows)
    assert (found.trend, found.heterogeneity) == (plain.trend, plain.heterogeneity)
    assert len(found.weeks) == 4


@pytest.mark.parametrize(
    ("count", "q", "line"), [(0, False, False), (1, False, False), (2, True, False), (3, True, True)]
)
def test_effect_by_week__number_of_weeks__decides_what_is_computed(count: int, q: bool, line: bool) -> None:
    found = of_lifts([0.05] * count)
    assert isinstance(found.trend, Trend) == line
    assert (not isinstance(found.heterogeneity, NotComputable)) == q
    if not line:
        assert isinstance(found.trend, NotComputable)
        assert found.trend.reason is Reason.TOO_FEW_WEEKS


def test_trend__missing_week_between__counts_calendar_weeks() -> None:
    found = computed(linear_trend([(week(n), estimate(0.02 * n, 0.1)) for n in (0, 1, 5)]))
    assert found.slope.estimate == pytest.approx(0.02)
    assert found.last.estimate == pytest.approx(0.1)


def test_effect_by_week__week_given_twice__raises() -> None:
    pair = (Mean.from_counts(30, 100), Mean.from_counts(40, 100))
    with pytest.raises(ValueError, match="once"):
        effect_by_week([(MONDAY, *pair), (MONDAY, *pair)])


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_effect_by_week__steady_effect__alarms_at_its_level(runs: int) -> None:
    """6 weeks x 2 x 300 units with a constant effect of 5 points."""
    rng = np.random.default_rng(5)
    alarms = np.zeros(2)
    for _ in range(runs):
        rows = [
            (
                week(k),
                Mean.from_counts(int(rng.binomial(300, 0.3)), 300),
                Mean.from_counts(int(rng.binomial(300, 0.35)), 300),
            )
            for k in range(6)
        ]
        found = effect_by_week(rows)
        alarms += (
            computed(found.trend).change is not Change.NONE_DETECTED,
            computed(found.heterogeneity).p_value < 0.05,
        )
    assert all(plausible(int(count), runs, 0.05) for count in alarms), alarms
