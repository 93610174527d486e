"""The retention curve and its plateau: found where one was planted, refused where none is."""

from collections.abc import Callable
from math import exp

import numpy as np
import pytest

from aha.evidence.retention_curve import Curve, DayCount, Plateau, retention_curve
from events.simulation import WORLDS, simulate
from stats.results import NotComputable, Reason
from tests.stats.make import computed

MANY = 10_000_000


def counted(share: Callable[[int], float], *, days: int = 41, units: int = MANY) -> list[DayCount]:
    """A curve without noise."""
    return [DayCount(day, round(units * share(day)) if day else units, units) for day in range(days)]


def drawn(share: Callable[[int], float], seed: int, *, days: int = 41, units: int = 20_000) -> list[DayCount]:
    rng = np.random.default_rng(seed)
    return [DayCount(day, int(rng.binomial(units, share(day))) if day else units, units) for day in range(days)]


def settling(day: int) -> float:
    """Falls from 65 % to a quarter that stays. From day 12 on, 8 days in a row fall by less than 1 % a day."""
    return 0.25 + 0.4 * exp(-day / 4)


def reason(curve: Curve) -> Reason:
    if not isinstance(curve.plateau, NotComputable):
        raise AssertionError(f"a plateau: {curve.plateau}")
    return curve.plateau.reason


def test_curve__settling_cohort__plateau_where_it_was_planted() -> None:
    plateau = computed(retention_curve(counted(settling), seed=1).plateau)

    # By hand: ln(r(12)/r(19))/7 = .0090 and ln(r(11)/r(18))/7 = .0114.
    assert plateau.day in (11, 12)
    assert (plateau.day_low, plateau.day_high) in ((11, 12), (12, 12), (11, 11))
    assert plateau.height == pytest.approx(np.mean([settling(day) for day in range(plateau.day, 41)]), abs=1e-6)
    assert plateau.found_share == 1.0
    assert 0 < plateau.decline < plateau.decline_high < plateau.tolerance == 0.01
    assert plateau.units == MANY


@pytest.mark.slow
def test_curve__twenty_thousand_users__near_the_planted_day() -> None:
    plateaus = [computed(retention_curve(drawn(settling, seed), seed=1).plateau) for seed in range(20)]

    assert all(9 <= plateau.day <= 13 for plateau in plateaus)
    assert all(plateau.low < 0.253 < plateau.high for plateau in plateaus)


@pytest.mark.parametrize(("decline", "found"), [(0.0098, True), (0.0102, False)])
def test_curve__decline_beside_the_tolerance__decides(decline: float, found: bool) -> None:
    curve = retention_curve(counted(lambda day: 0.5 * exp(-decline * day)), seed=1)

    if found:
        assert computed(curve.plateau).day == 1
        assert computed(curve.plateau).decline == pytest.approx(decline, abs=1e-5)
    else:
        assert reason(curve) == Reason.CURVE_STILL_FALLS


def test_curve__own_tolerance__moves_the_day() -> None:
    days = [computed(retention_curve(counted(settling), seed=1, tolerance=t).plateau).day for t in (0.002, 0.01, 0.05)]

    assert days == sorted(days, reverse=True)
    assert days[0] > days[2]


@pytest.mark.parametrize("units", [30, 60])
def test_curve__flat_but_few_users__too_noisy(units: int) -> None:
    # 30 users can't show it; 60 do by luck, and most redraws of them don't.
    assert reason(retention_curve(drawn(lambda day: 0.3, 1, units=units), seed=1)) == Reason.CURVE_TOO_NOISY


def test_curve__flat_and_enough_users__from_the_first_day() -> None:
    plateau = computed(retention_curve(drawn(lambda day: 0.3, 1), seed=1).plateau)

    assert (plateau.day, plateau.day_low, plateau.day_high) == (1, 1, 1)
    assert plateau.low < 0.3 < plateau.high


@pytest.mark.parametrize(("days", "expected"), [(8, Reason.CURVE_TOO_SHORT), (9, None), (0, Reason.CURVE_TOO_SHORT)])
def test_curve__days_after_day_zero__eight_needed(days: int, expected: Reason | None) -> None:
    curve = retention_curve(counted(lambda day: 0.3, days=days), seed=1)

    assert (curve.plateau.reason if isinstance(curve.plateau, NotComputable) else None) == expected
    assert len(curve.points) == days


def test_curve__day_zero__drawn_but_never_flat() -> None:
    curve = retention_curve(counted(lambda day: 1.0 if day == 0 else 0.999), seed=1)

    assert curve.points[0].share == 1.0
    assert computed(curve.plateau).day == 1


def test_curve__a_day_without_units__keeps_its_points_and_says_so() -> None:
    curve = retention_curve([*counted(settling, days=20), DayCount(20, 0, 0)], seed=1)

    assert reason(curve) == Reason.CURVE_TOO_SHORT
    assert (curve.points[20].low, curve.points[20].high, curve.points[20].units) == (0.0, 1.0, 0)


def test_curve__points__wilson_by_hand() -> None:
    # Wilson for 10 of 100: (.1 + 1.9207/100 -+ 1.95996 sqrt(.0009 + .0096037/100)) / (1 + 3.84146/100).
    point = retention_curve([DayCount(1, 10, 100)], seed=1).points[0]

    assert (point.low, point.high) == pytest.approx((0.05523, 0.17437), abs=1e-5)


@pytest.mark.parametrize(("active", "expected"), [(0, Reason.CURVE_TOO_NOISY), (MANY, None)])
def test_curve__nobody_or_everybody_active__no_crash(active: int, expected: Reason | None) -> None:
    plateau = retention_curve([DayCount(day, active, MANY) for day in range(60)], seed=1).plateau

    assert (plateau.reason if isinstance(plateau, NotComputable) else None) == expected


@pytest.mark.slow
def test_curve__step_world__ends_before_it_flattens() -> None:
    world = simulate(WORLDS["step"], 20_000, 1)
    counts = [DayCount(day, int((world.active_day == day).sum()), world.units) for day in range(35)]

    curve = retention_curve(counts, seed=1)

    assert reason(curve) == Reason.CURVE_STILL_FALLS


@pytest.mark.parametrize(
    "counts",
    [
        [DayCount(1, 5, 10), DayCount(3, 5, 10)],
        [DayCount(2, 5, 10), DayCount(1, 5, 10)],
        [DayCount(1, 11, 10)],
        [DayCount(1, -1, 10)],
        [DayCount(-1, 1, 10)],
    ],
)
def test_curve__impossible_counts__raise(counts: list[DayCount]) -> None:
    with pytest.raises(ValueError, match="day"):
        retention_curve(counts, seed=1)


@pytest.mark.parametrize(("tolerance", "alpha"), [(0.0, 0.05), (1.0, 0.05), (0.01, 0.0), (0.01, 1.0)])
def test_curve__option_out_of_range__raises(tolerance: float, alpha: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        retention_curve(counted(settling), seed=1, tolerance=tolerance, alpha=alpha)


@pytest.mark.slow
@pytest.mark.parametrize("units", [2_000, 20_000])
def test_curve__falls_exactly_at_the_tolerance__rarely_called_flat(units: int) -> None:
    runs = 400

    found = sum(
        isinstance(
            retention_curve(drawn(lambda day: 0.5 * exp(-0.01 * day), seed, units=units), seed=1).plateau, Plateau
        )
        for seed in range(runs)
    )

    assert found <= 0.05 * runs
