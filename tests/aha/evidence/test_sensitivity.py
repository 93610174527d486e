"""E-values, the activity benchmark, negative controls."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from aha.evidence.aipw import Difference, RiskRatio, normal_difference
from aha.evidence.sensitivity import EValue, benchmark, calibrate, e_value, e_values, empirical_null
from stats.results import NotComputable, Reason
from tests.marks import first_in_ci
from tests.rates import at_most
from tests.stats.make import computed


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, 1.0), (2.0, 2 + sqrt(2)), (0.5, 2 + sqrt(2))])
def test_e_value__by_hand__exact(ratio: float, expected: float) -> None:
    assert e_value(ratio) == pytest.approx(expected, rel=1e-15)


def test_e_values__published_example__seven_and_three() -> None:
    # VanderWeele and Ding 2017: breastfeeding and respiratory death, RR 3.9 (1.8, 8.7): E-values 7.26 and 3.0.
    result = e_values(RiskRatio(3.9, 1.8, 8.7, 0.95))

    assert round(result.point, 2) == 7.26
    assert round(result.limit, 1) == 3.0


def test_e_values__interval_touches_one__limit_is_one() -> None:
    assert e_values(RiskRatio(1.5, 1.0, 2.0, 0.95)) == EValue(e_value(1.5), 1.0)
    assert e_values(RiskRatio(1.5, 1.0001, 2.0, 0.95)).limit > 1.0
    assert e_values(RiskRatio(0.5, 0.4, 1.0, 0.95)).limit == 1.0
    assert e_values(RiskRatio(0.5, 0.4, 0.8, 0.95)).limit == e_value(0.8)


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan")])
def test_e_value__not_above_zero__raises(ratio: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        e_value(ratio)


@given(st.floats(1.0, 1e6))
def test_e_value__a_cause_of_that_strength__just_makes_the_ratio(ratio: float) -> None:
    strength = e_value(ratio)

    assert strength**2 / (2 * strength - 1) == pytest.approx(ratio, rel=1e-6)


def activity_world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Retained, did, active days of 300 units. By hand: 100 with 7 active days, 200 with 3.

    Of the 100, 80 did it (60 of them stayed) and 20 didn't (10 stayed); of the 200, 40 did it (15 stayed) and 160
    didn't (40 stayed).
    """
    cells = [(7, True, 60, 80), (7, False, 10, 20), (3, True, 15, 40), (3, False, 40, 160)]
    retained = np.concatenate([np.arange(n) < stayed for _, _, stayed, n in cells])
    did = np.concatenate([np.full(n, flag) for _, flag, _, n in cells])
    return retained, did, np.concatenate([np.full(n, days) for days, _, _, n in cells])


def test_benchmark__hand_counted_world__bounding_factor() -> None:
    retained, did, days = activity_world()

    result = computed(benchmark(1.5, retained=retained, did=did, active_days=days))

    # P(top|did) = 80/120, P(top|not) = 20/180: ratio 6. Retention by activity: .75/.375 = .5/.25 = 2.
    assert result.top_share == pytest.approx(1 / 3)
    assert result.ratio_did == pytest.approx(6)
    assert result.ratio_retained == pytest.approx(2)
    assert result.bounding_factor == pytest.approx(12 / 7)
    assert result.would_erase


@pytest.mark.parametrize(("shift", "erased"), [(-1e-6, True), (1e-6, False)])
def test_benchmark__ratio_beside_the_factor__decides(shift: float, erased: bool) -> None:
    retained, did, days = activity_world()

    result = computed(benchmark(12 / 7 + shift, retained=retained, did=did, active_days=days))

    assert result.would_erase == erased


def test_benchmark__ratio_below_one__roles_change() -> None:
    retained, did, days = activity_world()

    below = computed(benchmark(0.5, retained=retained, did=~did, active_days=days))
    above = computed(benchmark(2.0, retained=retained, did=did, active_days=days))

    assert below == above


def test_benchmark__an_empty_cell__not_computable() -> None:
    retained, did, days = activity_world()

    for flags in (days == 7, np.ones(300, dtype=bool), np.zeros(300, dtype=bool)):
        assert benchmark(1.5, retained=retained, did=flags, active_days=days) == NotComputable(Reason.SPARSE_TABLE)
    only_active_stay = retained & (days == 7)
    assert benchmark(1.5, retained=only_active_stay, did=did, active_days=days) == NotComputable(Reason.SPARSE_TABLE)
    same = np.full(300, 3)
    assert benchmark(1.5, retained=retained, did=did, active_days=same) == NotComputable(Reason.SPARSE_TABLE)


def control(estimate: float, error: float = 0.01) -> Difference:
    return normal_difference(estimate, error, alpha=0.05)


def planted(mean: float, sd: float, controls: int, seed: int) -> list[Difference]:
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.005, 0.02, controls)
    return [control(float(rng.normal(mean, (sd**2 + s**2) ** 0.5)), float(s)) for s in errors]


@pytest.mark.parametrize(("n", "weak"), [(4, None), (5, True), (9, True), (10, False)])
def test_null__number_of_controls__five_needed_ten_wanted(n: int, weak: bool | None) -> None:
    result = empirical_null(planted(0.0, 0.02, n, 1))

    if weak is None:
        assert result == NotComputable(Reason.TOO_FEW_CONTROLS, {"n": 4, "needed": 5})
    else:
        assert computed(result).is_weak == weak


def test_null__random_controls__is_the_maximum_that_a_general_search_finds() -> None:
    for seed in range(20):
        controls = planted(0.03, 0.02, 12, seed)
        t, s = (np.array([getattr(each, name) for each in controls]) for name in ("estimate", "standard_error"))

        def loss(sd: float, t: np.ndarray = t, s: np.ndarray = s) -> float:
            # The restricted likelihood as an integral over the mean, without its closed form.
            weight = np.asarray(1 / (sd**2 + s**2))
            centre, width = np.average(t, weights=weight), weight.sum() ** -0.5
            means = centre + width * np.linspace(-12, 12, 4001)
            logs = np.asarray(stats.norm.logpdf(t[:, None], means, np.sqrt(sd**2 + s**2)[:, None])).sum(axis=0)
            return -float(logs.max() + np.log(np.exp(logs - logs.max()).sum() * (means[1] - means[0])))

        found = computed(empirical_null(controls))
        best = optimize.minimize_scalar(loss, bounds=(0.0, 0.2), method="bounded", options={"xatol": 1e-9})
        assert loss(found.sd) <= best.fun + 1e-6
        assert found.sd == pytest.approx(best.x, abs=2e-5)
        weight = 1 / (found.sd**2 + s**2)
        assert found.mean == pytest.approx(np.average(t, weights=weight))
        assert found.mean_error == pytest.approx(weight.sum() ** -0.5)


def test_null__equal_errors__spread_is_that_of_the_unbiased_variance() -> None:
    t = np.array([0.01, 0.07, -0.02, 0.05, 0.03, 0.09])

    found = computed(empirical_null([control(x) for x in t]))

    # With equal errors the restricted likelihood has its maximum where sd^2 + s^2 is the variance over k - 1.
    assert found.sd**2 + 0.01**2 == pytest.approx(t.var(ddof=1), rel=1e-4)
    assert found.mean_error == pytest.approx(t.std(ddof=1) / 6**0.5, rel=1e-4)


def test_null__controls_that_agree__has_no_spread() -> None:
    result = computed(empirical_null([control(0.02)] * 6))

    assert result.mean == pytest.approx(0.02)
    assert result.sd == 0.0


def test_null__a_control_without_error__not_computable() -> None:
    controls = [*planted(0.0, 0.02, 6, 1), Difference(0.1, 0.0, 0.1, 0.1, 0.95)]

    assert empirical_null(controls) == NotComputable(Reason.NO_VARIANCE)


def test_calibrate__inert_as_strong__flagged_only_when_it_turns_the_answer() -> None:
    null = computed(empirical_null(planted(0.05, 0.03, 30, 2)))

    same, stronger, nothing = (calibrate(control(x), null) for x in (0.06, 0.3, 0.001))

    assert same.as_strong_as_inert
    assert not stronger.as_strong_as_inert
    assert not nothing.as_strong_as_inert  # it never looked strong
    assert stronger.p_value < 1e-6 < same.p_value
    assert same.low < 0 < same.high
    spread = (null.sd**2 + 0.01**2 + null.mean_error**2) ** 0.5
    assert stronger.z == pytest.approx((0.3 - null.mean) / spread)
    assert stronger.p_value == pytest.approx(2 * stats.t.sf(stronger.z, 29))
    assert stronger.high - stronger.low == pytest.approx(2 * stats.t.isf(0.025, 29) * spread)


def test_calibrate__ten_controls_that_agree_at_zero__cost_a_tenth_of_the_variance_and_nine_degrees() -> None:
    null = computed(empirical_null([control(0.0)] * 10))

    result = calibrate(control(0.03), null)

    # Worked by hand: spread^2 = .01^2 + .01^2 / 10.
    spread = 0.01 * 1.1**0.5
    assert result.p_value == pytest.approx(2 * stats.t.sf(0.03 / spread, 9))
    assert result.low == pytest.approx(0.03 - stats.t.isf(0.025, 9) * spread)


@given(st.floats(-1, 1), st.floats(0.5, 3))
def test_null__shifted_and_scaled__follows(shift: float, k: float) -> None:
    controls = planted(0.02, 0.02, 8, 3)
    null = computed(empirical_null(controls))

    moved = computed(empirical_null([control(k * c.estimate + shift, k * c.standard_error) for c in controls]))

    assert moved.mean == pytest.approx(k * null.mean + shift, abs=1e-5)
    assert moved.sd == pytest.approx(k * null.sd, abs=1e-5 * k)


@pytest.mark.slow
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.0), (0.03, 0.02), (-0.05, 0.04)])
@pytest.mark.parametrize("runs", first_in_ci([80, 400]))
def test_null__planted_error__recovered_and_calibrated(runs: int, mean: float, sd: float) -> None:
    nulls = [computed(empirical_null(planted(mean, sd, 50, seed))) for seed in range(runs)]
    inert = [calibrate(planted(mean, sd, 51, seed + runs)[0], null) for seed, null in enumerate(nulls)]

    means, sds = np.array([null.mean for null in nulls]), np.array([null.sd for null in nulls])
    assert means.mean() == pytest.approx(mean, abs=4 * means.std() / runs**0.5)
    assert np.median(sds) == pytest.approx(sd, abs=0.002)
    assert at_most(sum(each.p_value < 0.05 for each in inert), runs, 0.05)
    assert all(np.isfinite(each.z) and each.z != inf for each in inert)


@pytest.mark.slow
@pytest.mark.parametrize("k", [5, 10])
def test_calibrate__few_controls__one_more_of_their_kind_is_seldom_called_stronger(k: int) -> None:
    runs, alarms = 600, 0
    for seed in range(runs):
        rng = np.random.default_rng([k, seed])
        *controls, candidate = (control(float(x), 0.008) for x in rng.normal(0.02, np.hypot(0.03, 0.008), k + 1))
        alarms += calibrate(candidate, computed(empirical_null(controls))).p_value < 0.05

    # Mean and spread taken as known gave .196 and .117.
    assert alarms <= stats.binom.isf(1e-4, runs, 0.055)
