"""The change of a curve at a date: by hand, beside least squares made elsewhere, and its error rate on both sides."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize
from scipy import stats as scipy_stats

from stats.launch_effect import Change, OwnPast, Series, change, own_past
from stats.results import Interval, NotComputable, Reason

type Array = NDArray[np.float64]


def series(
    value: Array, n: Array | None = None, day: NDArray[np.int_] | None = None, controls: Array | None = None
) -> Series:
    days = np.arange(len(value)) if day is None else day
    beside = np.zeros((len(value), 0)) if controls is None else controls
    return Series(days.astype(np.int64), np.full(len(value), 100.0) if n is None else n, value, beside)


def changed(given_: Series, after: int) -> Change:
    made = change(given_, after=after)
    assert isinstance(made, Change)
    return made


def wave(rng: np.random.Generator, days: int) -> Array:
    """A level with weekdays, a trend and noise."""
    day = np.arange(days)
    return 0.4 + 0.02 * np.cos(2 * np.pi * day / 7) + 0.0002 * day + 0.01 * rng.normal(size=days)


# ── By hand ───────────────────────────────────────────────────────────────────
def test_change__of_a_dozen_weekly_cohorts__is_that_of_the_line_through_the_first_ten() -> None:
    # Cohorts of Mondays: no weekdays to part, so a straight line by the textbook, in fractions.
    value = [40, 42, 41, 43, 45, 44, 46, 45, 47, 49, 56, 55]
    known = [Fraction(number) for number in value[:10]]
    middle_x, middle_y = Fraction(9, 2), sum(known) / 10
    slope = sum((x - middle_x) * (y - middle_y) for x, y in enumerate(known)) / sum(
        (x - middle_x) ** 2 for x in range(10)
    )
    expected = [middle_y + slope * (x - middle_x) for x in range(12)]
    by_hand = (value[10] - expected[10] + value[11] - expected[11]) / 2
    assert by_hand == Fraction(667, 110)  # 49 and 49.87 expected, 56 and 55 seen
    made = changed(series(np.array(value, dtype=float), day=7 * np.arange(12)), after=2)
    assert made.effect.estimate == pytest.approx(float(by_hand), abs=1e-10)
    assert made.expected == pytest.approx([float(number) for number in expected], abs=1e-10)
    assert (made.before, made.after) == (10, 2)
    assert made.p_value == pytest.approx(1 / 12)  # no other run of two weeks misfits as much


def test_change__of_cohorts_of_different_size__weighs_each_by_its_users() -> None:
    value = np.array([40.0, 42, 41, 43, 45, 44, 46, 45, 47, 49, 56, 50])
    n = np.array([100.0] * 10 + [300, 100])
    made = changed(series(value, n, 7 * np.arange(12)), after=2)
    rest = value - made.expected
    assert made.effect.estimate == pytest.approx((3 * rest[10] + rest[11]) / 4)


# ── Beside other programs ─────────────────────────────────────────────────────
def test_expected__from_the_past__is_weighted_least_squares_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    value, n = wave(rng, 84), rng.integers(50, 200, 84).astype(float)
    columns = np.column_stack(
        [np.ones(84), np.arange(84), *((np.arange(84) % 7 == weekday) * 1.0 for weekday in range(1, 7))]
    )
    fitted = sm.WLS(value[:70], columns[:70], weights=n[:70]).fit()
    made = changed(series(value, n), after=14)
    assert made.expected == pytest.approx(columns @ fitted.params, abs=1e-9)
    rest = (value - columns @ fitted.params)[70:]
    assert made.effect.estimate == pytest.approx(np.average(rest, weights=n[70:]), abs=1e-9)


def test_expected__from_other_curves__is_the_synthetic_control_of_a_general_solver() -> None:
    rng = np.random.default_rng(2)
    common, own = np.cumsum(rng.normal(size=(2, 84)), axis=1) * 0.005
    controls = np.column_stack([0.3 + share * common + 0.004 * rng.normal(size=84) for share in (1.0, 0.2, 0.7)])
    controls[:, 1] += own
    value = 0.4 + 0.6 * controls[:, 0] + 0.4 * controls[:, 2] + 0.004 * rng.normal(size=84)
    value[70:] += 0.03
    free = np.column_stack([np.ones(84), *((np.arange(84) % 7 == k) * 1.0 for k in range(1, 7))])

    def fitted(weights: Array) -> Array:
        rest = value - controls @ weights
        curve: Array = controls @ weights + free @ np.linalg.lstsq(free[:70], rest[:70], rcond=None)[0]
        return curve

    solve: Any = optimize.minimize  # its stubs don't know our condition
    found = solve(
        lambda weights: 1e4 * np.sum((value - fitted(weights))[:70] ** 2),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-12},
    )
    made = changed(series(value, controls=controls), after=14)
    assert made.expected == pytest.approx(fitted(found.x), abs=1e-5)
    assert made.effect.estimate == pytest.approx(0.03, abs=0.01)
    assert made.effect.low <= 0.03 <= made.effect.high
    alone = changed(series(value), after=14)
    assert made.effect.high - made.effect.low < 0.6 * (alone.effect.high - alone.effect.low)


@pytest.mark.parametrize("shock", [0.0, -0.06])
def test_change__beside_noisy_curves_with_a_common_shock__is_called_in_one_of_twenty(shock: float) -> None:
    # A regression on noisy curves expects a part of the shock only, and would take the rest for the launch's work.
    called, effects = 0, []
    for seed in range(1_000):
        rng = np.random.default_rng(seed)
        share = 0.4 + np.cumsum(rng.normal(size=126)) * 0.002 + np.where(np.arange(126) >= 112, shock, 0.0)
        n = rng.poisson(1_000, 126)
        controls = np.column_stack([rng.binomial(1_000, share + 0.1) / 1_000 for _ in range(2)])
        made = changed(series(rng.binomial(n, share) / n, n.astype(float), controls=controls), after=14)
        called += made.p_value <= 0.05
        effects.append(made.effect.estimate)
    assert called <= 65
    assert np.mean(effects) == pytest.approx(0.0, abs=0.001)


def test_p_value__of_a_supposed_effect__is_counted_over_cyclic_runs_of_a_whole_fit() -> None:
    rng = np.random.default_rng(3)
    value, n = wave(rng, 84), np.linspace(20, 400, 84)
    value[70:] += 0.03
    columns = np.column_stack([np.ones(84), np.arange(84), *((np.arange(84) % 7 == k) * 1.0 for k in range(1, 7))])
    made = changed(series(value, n), after=14)

    def p_of(effect: float) -> float:
        supposed = value - effect * (np.arange(84) >= 70)
        rest = supposed - columns @ sm.WLS(supposed, columns, weights=n).fit().params
        runs = []
        for start in range(84):
            at = [(start + step) % 84 for step in range(14)]
            runs.append(abs(n[at] @ rest[at]) / np.sqrt(n[at].sum()))  # a mean over its standard error
        return float(np.mean([run >= runs[70] * (1 - 1e-9) for run in runs]))

    assert made.p_value == pytest.approx(p_of(0.0))
    width = made.effect.high - made.effect.low
    for inside, outside in ((made.effect.low, -1), (made.effect.high, 1)):
        assert p_of(inside - outside * 0.01 * width) > 0.10
        assert p_of(inside + outside * 0.02 * width) <= 0.10


# ── Properties ────────────────────────────────────────────────────────────────
@given(st.integers(0, 10_000), st.floats(-0.2, 0.2), st.floats(0.5, 20))
def test_change__of_a_curve_moved_or_stretched__moves_and_stretches_with_it(
    seed: int, step: float, stretch: float
) -> None:
    value = wave(np.random.default_rng(seed), 84)
    plain = changed(series(value), after=14)
    moved = changed(series(value + step * (np.arange(84) >= 70)), after=14)
    assert moved.effect.estimate == pytest.approx(plain.effect.estimate + step, abs=1e-9)
    stretched = changed(series(1 + stretch * value), after=14)
    assert stretched.effect.estimate == pytest.approx(stretch * plain.effect.estimate, rel=1e-6, abs=1e-9)
    assert stretched.p_value == pytest.approx(plain.p_value)
    assert plain.effect.low <= plain.effect.estimate <= plain.effect.high


def test_change__of_a_noisy_level__is_called_in_about_one_of_twenty() -> None:
    rng = np.random.default_rng(4)
    called = [changed(series(0.4 + 0.01 * rng.normal(size=126)), after=14).p_value <= 0.05 for _ in range(600)]
    assert 0.0 < np.mean(called) <= 0.065


# ── What can't be said ────────────────────────────────────────────────────────
@pytest.mark.parametrize(("days", "after", "enough"), [(84, 14, True), (83, 14, False), (42, 7, True), (41, 7, False)])
def test_change__with_fewer_than_five_times_as_many_days_before__is_a_reason(
    days: int, after: int, enough: bool
) -> None:
    made = change(series(wave(np.random.default_rng(5), days)), after=after)
    assert isinstance(made, Change) is enough
    if not enough:
        assert made == NotComputable(Reason.TOO_FEW_DAYS_BEFORE, {"n": days - after, "needed": 5 * after})


def test_change__of_a_curve_that_never_moves__is_a_reason() -> None:
    assert change(series(np.full(84, 0.4)), after=14) == NotComputable(Reason.NO_VARIANCE)


def test_change__with_a_weekday_that_the_days_before_lack__is_judged_without_it() -> None:
    day = np.array([place for place in range(98) if place % 7 != 3 or place >= 84])
    value = wave(np.random.default_rng(6), 98)[day]
    assert isinstance(change(series(value, day=day), after=14), Change)


# ── The error rate ────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("blocks", "wrong", "sound"),
    [
        (9, 0, None),  # one date too few
        (10, 0, True),
        (10, 1, True),
        (10, 2, True),  # lower limit 3.7 %
        (10, 3, False),  # 8.7 %
        (29, 3, True),  # 10.3 %, and fewer than thirty dates
        (30, 3, True),  # 10 %, not above it
        (30, 4, False),
        (40, 4, True),
        (40, 5, False),
        (100, 9, True),
        (100, 10, False),  # lower limit 5.5 %
    ],
)
def test_own_past__at_its_thresholds__is_sound_or_not(blocks: int, wrong: int, sound: bool | None) -> None:
    past = own_past([0.05] * wrong + [0.051] * (blocks - wrong))
    assert (past.blocks, past.wrong) == (blocks, wrong)
    assert past.is_sound is sound
    assert isinstance(past.rate, Interval)
    low = scipy_stats.beta.ppf(0.05, wrong, blocks - wrong + 1) if wrong else 0.0
    high = scipy_stats.beta.ppf(0.95, wrong + 1, blocks - wrong)
    assert (past.rate.low, past.rate.high) == pytest.approx((low, high))


def test_own_past__without_dates__is_a_reason() -> None:
    assert own_past([]) == OwnPast(0, 0, NotComputable(Reason.NO_DATA))
    assert own_past([]).is_sound is None


def test_own_past__of_a_sound_method__is_refused_seldom_and_of_one_that_errs_in_23_percent_mostly() -> None:
    sound = sum(scipy_stats.binom.pmf(k, 30, 0.05) for k in range(31) if own_past(_p(k, 30)).is_sound is False)
    errs = sum(scipy_stats.binom.pmf(k, 30, 0.23) for k in range(31) if own_past(_p(k, 30)).is_sound is False)
    assert sound == pytest.approx(0.0608, abs=0.001)
    assert errs >= 0.8


def _p(wrong: int, blocks: int) -> list[float]:
    return [0.01] * wrong + [0.5] * (blocks - wrong)
