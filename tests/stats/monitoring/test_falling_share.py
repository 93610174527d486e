"""When does a weekly share count as fallen? Both sides of each threshold, and false alarms in simulated years."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.falling_share import ALPHA, FEWEST_UNITS, FEWEST_WEEKS, MOST_WEEKS, SMALLEST_FALL, Fall, WeekCount, falling
from stats.results import NotComputable, Reason, computable

SAME = [WeekCount(300, 1_000)] * 8


def judged(before: list[WeekCount], newest: WeekCount) -> Fall:
    found = falling(before, newest)
    assert computable(found)
    return found


def test_falling__eight_equal_weeks__limit_by_hand() -> None:
    # usual .3, no spread beyond the binomial's: .3 - t(.005, 7) sqrt(.21 (1/1000 + 1/8000)) = .3 - 3.4995 x .015370
    found = judged(SAME, WeekCount(300, 1_000))

    assert found.limit == pytest.approx(0.3 - 3.4995 * 0.0153704, abs=1e-5)
    assert (found.usual, found.overdispersion, found.weeks, found.fallen) == (0.3, 1.0, 8, False)


@pytest.mark.parametrize(("reached", "fallen"), [(246, True), (247, False)])
def test_falling__just_below_and_above_the_limit(reached: int, fallen: bool) -> None:
    assert judged(SAME, WeekCount(reached, 1_000)).fallen is fallen  # the limit is .24621


@pytest.mark.parametrize(("reached", "fallen"), [(27_000, True), (27_001, False)])
def test_falling__many_users__a_tenth_of_the_usual_share_at_least(reached: int, fallen: bool) -> None:
    found = judged([WeekCount(30_000, 100_000)] * 8, WeekCount(reached, 100_000))

    assert found.share < found.limit
    assert found.fallen is fallen
    assert SMALLEST_FALL == 0.1


def test_falling__seven_weeks_or_a_small_week__says_why() -> None:
    small, enough = WeekCount(9, FEWEST_UNITS - 1), WeekCount(9, FEWEST_UNITS)

    assert falling(SAME[:7], WeekCount(1, 1_000)) == NotComputable(Reason.TOO_FEW_WEEKS)
    assert falling([*SAME[:7], small], WeekCount(1, 1_000)) == NotComputable(Reason.TOO_FEW_WEEKS)
    assert computable(falling([*SAME[:7], enough], WeekCount(1, 1_000)))
    assert falling(SAME, small) == NotComputable(Reason.TOO_FEW_UNITS)
    assert computable(falling(SAME, enough))


def test_falling__nobody_or_everybody_ever__not_computable() -> None:
    for reached in (0, 1_000):
        assert falling([WeekCount(reached, 1_000)] * 8, WeekCount(5, 1_000)) == NotComputable(Reason.NO_VARIANCE)


def test_falling__one_broken_week_before__neither_moves_the_level_nor_hides_a_fall() -> None:
    broken = [*SAME[:4], WeekCount(10, 1_000), *SAME[4:]]

    found = judged(broken, WeekCount(200, 1_000))

    assert found.usual == pytest.approx(0.3)
    assert found.fallen


def test_falling__old_weeks__do_not_count() -> None:
    assert judged([WeekCount(900, 1_000)] * 20 + [WeekCount(300, 1_000)] * MOST_WEEKS, WeekCount(299, 1_000)) == (
        judged([WeekCount(300, 1_000)] * MOST_WEEKS, WeekCount(299, 1_000))
    )


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0])
def test_falling__level_out_of_range__refuses(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        falling(SAME, SAME[0], alpha=alpha)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 999), min_size=FEWEST_WEEKS, max_size=20), st.integers(0, 999))
def test_falling__fewer_who_reach_it__never_turn_a_fall_into_none(counts: list[int], newest: int) -> None:
    before = [WeekCount(n, 1_000) for n in counts]
    found, lower = judged(before, WeekCount(newest, 1_000)), judged(before, WeekCount(max(newest - 50, 0), 1_000))

    assert lower.limit == found.limit
    assert not found.fallen or lower.fallen


# Users a week, usual share, spread of the weeks and of the drift (standard deviations of the log odds).
WORLDS = {
    "binomial, 200 users": (200, 0.3, 0.0, 0.0),
    "binomial, 2,000 users": (2_000, 0.3, 0.0, 0.0),
    "weeks differ": (2_000, 0.3, 0.1, 0.0),
    "weeks differ and drift": (2_000, 0.3, 0.05, 0.03),
    "drifts fast": (5_000, 0.3, 0.0, 0.05),
}


def alarms_a_year(name: str, years: int, seed: int) -> float:
    """Times at which a share without any cause begins to count as fallen."""
    users, share, spread, drift = WORLDS[name]
    rng, begun = np.random.default_rng(seed), 0
    for _ in range(years):
        weeks = MOST_WEEKS + 52
        odds = np.log(share / (1 - share)) + rng.normal(0, drift, weeks).cumsum() + rng.normal(0, spread, weeks)
        units = rng.poisson(users, weeks)
        reached = rng.binomial(units, 1 / (1 + np.exp(-odds)))
        rows = [WeekCount(int(x), int(n)) for x, n in zip(reached, units, strict=True)]
        told = False
        for week in range(MOST_WEEKS, weeks):
            now = judged(rows[:week], rows[week]).fallen
            begun += now and not told
            told = now
    return begun / years


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_falling__simulated_years__at_most_one_false_alarm_in_about_two(name: str) -> None:
    years = 50
    rate = alarms_a_year(name, years, 20_261)

    assert stats.poisson.sf(round(rate * years) - 1, 0.6 * years) > 0.001  # no more than .6 a year
    if name == "binomial, 2,000 users":
        assert rate <= 52 * ALPHA


@pytest.mark.slow
def test_falling__a_third_less__is_found_in_the_first_week() -> None:
    rng, found = np.random.default_rng(20_262), 0
    for _ in range(200):
        rows = [WeekCount(int(x), 2_000) for x in rng.binomial(2_000, 0.3, 12)]
        found += judged(rows, WeekCount(int(rng.binomial(2_000, 0.2)), 2_000)).fallen

    assert found >= 195
