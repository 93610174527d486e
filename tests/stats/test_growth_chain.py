"""States of the growth model on fingers, its levels beside pooled shares, its forecast beside a matrix by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from stats import growth_chain as growth
from stats.growth_chain import (
    ACTIVE,
    INFLOW,
    LONG,
    RATE_OF,
    RATES,
    SETTLES,
    BackTest,
    Future,
    Naive,
    NoBackTest,
    Rate,
    Weeks,
    back_test,
    bands,
    forecast,
    future,
    levels,
    too_short,
    weeks_of,
    worth,
)
from stats.results import Interval, NotComputable, Reason
from tests.stats.growth_logs import steady_weeks, weeks_from

type Array = NDArray[np.float64]

USUAL = np.array([0.5, 0.8, 0.5, 0.3, 0.3, 0.2, 0.1, 0.04, 0.02, 0.01])


def made(weeks: int, seed: int = 1, *, step: float = 0.0, scatter: float = 0.0, inflow: float = 400.0) -> Weeks:
    """A log whose rates are known, after a year in which its states filled."""
    rng = np.random.default_rng(seed)
    moves = np.cumsum(rng.normal(size=(weeks, 11)) * step, axis=0) + rng.normal(size=(weeks, 11)) * scatter
    rates = special.expit(special.logit(USUAL) + moves[:, :10])
    return steady_weeks(rates, inflow * np.exp(moves[:, 10]), rng)


def still(start: Array, rates: Array, inflow: float, ahead: int, draws: int = 3) -> Future:
    """A future without any chance in it."""
    path = np.append(special.logit(rates), np.log(inflow))
    return Future(start, np.broadcast_to(path, (ahead, draws, INFLOW + 1)), np.zeros((ahead, draws, start.size + 1)))


# ── States ────────────────────────────────────────────────────────────────────
def test_weeks_of__of_four_users__are_their_states_on_fingers() -> None:
    # A: weeks 0, 1, 3. B: week 0 only. C: weeks 1 and 6, four silent weeks between. D: weeks 5 and 6.
    a_and_b = [(0, -1, 1, 1), (1, 0, 2, 1), (3, 1, 0, 1), (0, -1, 0, 1)]
    rows = np.array([*a_and_b, (1, -1, 5, 1), (6, 4, 0, 1), (5, -1, 1, 1), (6, 0, 0, 1)])
    found = weeks_of(*rows.T, weeks=7)
    new, current, reactivated, resurrected = found.states[:, :ACTIVE].T.tolist()
    assert new == [2, 1, 0, 0, 0, 1, 0]
    assert current == [0, 1, 0, 0, 0, 0, 1]
    assert reactivated == [0, 0, 0, 1, 0, 0, 0]
    assert resurrected == [0, 0, 0, 0, 0, 0, 1]
    assert found.states[:, ACTIVE].tolist() == [0, 1, 2, 0, 1, 0, 0]  # silent for one week
    assert found.states[6, ACTIVE + 2] == 1  # A since week 3
    assert found.states[6, ACTIVE + 5] == 1  # B since week 0
    assert found.active.tolist() == [2, 2, 0, 1, 0, 1, 2]
    of = {rate: (found.n[place].tolist(), found.back[place].tolist()) for place, rate in enumerate(RATES)}
    assert of[Rate.NEW] == ([0, 2, 1, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0, 1])
    assert of[Rate.SILENT_1] == ([0, 0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 0, 0, 0])
    assert of[Rate.DORMANT][1] == [0, 0, 0, 0, 0, 0, 1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 34), min_size=1), min_size=1, max_size=12))
def test_weeks_of__any_visits__are_what_a_walk_through_each_user_finds(users: list[set[int]]) -> None:
    rows = []
    for visited in users:
        at = sorted(visited)
        for place, week in enumerate(at):
            silent = week - at[place - 1] - 1 if place else -1
            rows.append((week, silent, at[place + 1] - week if place + 1 < len(at) else 0, 1))
    found = weeks_of(*np.array(rows).T, weeks=35)
    states, n, back = np.zeros((35, ACTIVE + LONG)), np.zeros((10, 35)), np.zeros((10, 35))
    for visited in users:
        state: int | None = None
        silence = 0
        for week in range(35):
            before = state
            if week in visited:
                state = 0 if before is None else 1 if silence == 0 else 2 if silence <= 3 else 3
                silence = 0
            elif before is not None:
                silence += 1
                state = ACTIVE + min(silence, LONG) - 1
            if state is not None:
                states[week, state] += 1
            if before is not None:
                n[RATE_OF[before], week] += 1
                back[RATE_OF[before], week] += week in visited
    assert (found.states == states).all()
    assert (found.n == n).all()
    assert (found.back == back).all()


def test_weeks_from__a_user_who_came_on_the_last_day__is_active_in_the_last_week() -> None:
    found = weeks_from(np.array([0, 0, 1]), np.array([0, 13, 6]))
    assert found.active.tolist() == [2, 1]
    assert found.new.tolist() == [2, 0]


# ── Levels ────────────────────────────────────────────────────────────────────
def test_levels__without_step_and_scatter__are_the_pooled_share_with_its_binomial_variance() -> None:
    weeks = made(60)
    found = levels(weeks)
    for place in range(len(RATES) - 2):  # the longest silences aren't there from the start
        n, back = weeks.n[place, SETTLES + 1 :].sum(), weeks.back[place, SETTLES + 1 :].sum()
        share = back / n
        assert special.expit(found.mean[-1, place, 0]) == pytest.approx(share, rel=0.01)
        assert found.variance[-1, place, 0] == pytest.approx(1 / (n * share * (1 - share)), rel=0.05)


def test_levels__of_a_log_that_scatters_or_moves__find_which() -> None:
    steps, scatters = np.meshgrid(growth.STEPS, growth.SCATTERS, indexing="ij")
    place = RATES.index(Rate.CURRENT)
    sizes = {}
    for name, step, scatter in (("still", 0.0, 0.0), ("scatters", 0.0, 0.2), ("moves", 0.08, 0.0)):
        weights = levels(made(100, inflow=4_000.0, step=step, scatter=scatter)).weights(99)[place]
        sizes[name] = (float(weights @ steps.ravel()), float(weights @ scatters.ravel()))
    assert sizes["still"][0] < 0.01
    assert sizes["still"][1] < 0.04
    assert sizes["scatters"][0] < 0.02
    assert sizes["scatters"][1] == pytest.approx(0.2, abs=0.05)
    assert sizes["moves"][0] == pytest.approx(0.08, abs=0.03)


def test_levels__up_to_a_week__know_nothing_of_later_ones() -> None:
    whole = made(60, step=0.05)
    part = Weeks(whole.states[:40], whole.n[:, :40], whole.back[:, :40])
    assert (levels(whole).mean[39] == levels(part).mean[39]).all()
    assert (levels(whole).weights(39) == levels(part).weights(39)).all()


def test_level__of_a_silence_that_nobody_has_been_in_yet__stands_beside_the_shorter_one() -> None:
    weeks = made(20)
    found = levels(weeks)
    place = RATES.index(Rate.DORMANT_26)
    assert not weeks.n[place].any()
    assert found.mean[-1, place] == pytest.approx(found.mean[-1, place - 1] + growth.LONGER)
    assert found.variance[-1, place] == pytest.approx(found.variance[-1, place - 1] + growth.LONGER_SPREAD**2)


# ── Forecast ──────────────────────────────────────────────────────────────────
def by_hand(start: Array, rates: Array, inflow: float, ahead: int) -> list[float]:
    """Active users of the weeks to come, by the matrix of the chain."""
    size = ACTIVE + LONG
    matrix = np.zeros((size, size))
    for state in range(size):
        returns = 1 if state < ACTIVE else 2 if state < ACTIVE + 3 else 3
        silent = ACTIVE if state < ACTIVE else min(state + 1, size - 1)
        matrix[state, returns] += rates[RATE_OF[state]]
        matrix[state, silent] += 1 - rates[RATE_OF[state]]
    found, state_ = [], start
    for _ in range(ahead):
        state_ = state_ @ matrix
        state_[0] += inflow
        found.append(float(state_[:ACTIVE].sum()))
    return found


def test_active__without_chance__is_the_power_of_the_matrix() -> None:
    start = np.arange(1.0, 31.0) * 10
    drawn = still(start, USUAL, 50.0, 60)
    assert drawn.active()[:, 0] == pytest.approx(by_hand(start, USUAL, 50.0, 60))
    assert (drawn.active()[:, 0] == drawn.active()[:, 2]).all()


@pytest.mark.parametrize("rate", RATES)
def test_worth__of_one_point__is_the_difference_of_two_matrices(rate: Rate) -> None:
    start = np.arange(1.0, 31.0) * 10
    better = USUAL.copy()
    better[RATES.index(rate)] += 0.01
    found = worth(still(start, USUAL, 50.0, 52), rate=rate, points=0.01)
    more = by_hand(start, better, 50.0, 52)[-1] - by_hand(start, USUAL, 50.0, 52)[-1]
    assert (found.estimate, found.low, found.high) == pytest.approx((more, more, more))
    assert more > 0


def test_worth__of_an_effect__takes_its_interval_over() -> None:
    start = np.arange(1.0, 31.0) * 10
    lift = np.linspace(-0.1, 0.3, 1_001)
    found = worth(still(start, USUAL, 50.0, 52, 1_001), rate=Rate.CURRENT, times=1 + lift)
    ends = [worth(still(start, USUAL, 50.0, 52), rate=Rate.CURRENT, times=1 + end).estimate for end in (-0.06, 0.26)]
    assert (found.low, found.high) == pytest.approx(ends, rel=0.01)


def test_worth__of_new_users__is_in_step_with_their_number() -> None:
    start = np.zeros(30)
    one, two = (worth(still(start, USUAL, 50.0, 52), rate=None, times=times).estimate for times in (1.01, 1.02))
    assert two == pytest.approx(2 * one)


def test_forecast__of_known_rates__holds_them_and_meets_what_comes() -> None:
    whole = made(130)
    weeks = Weeks(whole.states[:104], whole.n[:, :104], whole.back[:, :104])
    found = levels(weeks)
    drawn = future(weeks, found, at=103, ahead=26, draws=1_000, rng=np.random.default_rng(2))
    said = forecast(weeks, found, drawn)
    for transition, known in zip(said.transitions, USUAL, strict=True):
        assert isinstance(transition.now, Interval)
        assert transition.now.estimate == pytest.approx(known, rel=0.05)
        assert transition.now.low < transition.now.estimate < transition.now.high
    assert said.new.estimate == pytest.approx(400, rel=0.02)
    inside = [band.low <= came <= band.high for band, came in zip(said.active, whole.active[104:], strict=True)]
    assert sum(inside) >= 18
    assert said.active[-1].middle == pytest.approx(whole.active[-1], rel=0.05)


def test_bands__of_a_restless_log__are_wider_than_of_a_still_one() -> None:
    widths = []
    for step, scatter in ((0.0, 0.0), (0.0, 0.2), (0.05, 0.0)):
        weeks = made(104, step=step, scatter=scatter)
        drawn = future(weeks, levels(weeks), at=103, ahead=52, draws=400, rng=np.random.default_rng(3))
        last = bands(drawn.active())[-1]
        widths.append((last.high - last.low) / last.middle)
    assert widths[0] < widths[1] < widths[2]


def test_future__of_the_same_seed__is_the_same() -> None:
    weeks = made(40)
    found = levels(weeks)
    one, two = (future(weeks, found, at=39, ahead=8, draws=50, rng=np.random.default_rng(7)).active() for _ in range(2))
    assert (one == two).all()


def test_bands__of_a_tiny_site__never_fall_below_nobody() -> None:
    weeks = made(40, inflow=0.4)
    drawn = future(weeks, levels(weeks), at=39, ahead=52, draws=400, rng=np.random.default_rng(3))
    assert drawn.active().min() >= 0


# ── Too short ─────────────────────────────────────────────────────────────────
def test_log__of_eleven_weeks__is_too_short_and_of_twelve_is_not() -> None:
    assert too_short(made(11)) == NotComputable(Reason.LOG_TOO_SHORT, {"n": 11, "needed": 12})
    assert too_short(made(12)) is None


def test_log__without_a_visit_in_a_quarter__has_no_forecast() -> None:
    weeks = made(40)
    states = weeks.states.copy()
    states[-13:, :ACTIVE] = 0
    assert too_short(replace(weeks, states=states)) == NotComputable(Reason.NO_DATA)
    states[-13, 0] = 1
    assert too_short(replace(weeks, states=states)) is None


def test_back_test__of_34_weeks__tests_nothing_and_of_35_tests_four_weeks_ahead() -> None:
    rng = np.random.default_rng(1)
    short, enough = made(34), made(35)
    assert all(isinstance(row, NoBackTest) for row in back_test(short, levels(short), rng))
    four, thirteen, *_ = back_test(enough, levels(enough), rng)
    assert isinstance(four, BackTest)
    assert (four.origins, four.separate, four.naive) == (20, 5, Naive.LAST)
    assert isinstance(thirteen, NoBackTest)
    assert thirteen.why == NotComputable(Reason.LOG_TOO_SHORT, {"n": 35, "needed": 44})


@pytest.mark.parametrize(("weeks", "naive"), [(159, Naive.LAST), (160, Naive.YEAR)])
def test_back_test__a_year_ahead__stands_beside_the_year_before_where_the_log_has_it(weeks: int, naive: Naive) -> None:
    log = made(weeks)
    rows = [row for row in back_test(log, levels(log), np.random.default_rng(1)) if isinstance(row, BackTest)]
    assert [(row.ahead, row.origins, row.separate) for row in rows] == [
        (4, 52, 13),
        (13, 52, 4),
        (26, 52, 2),
        (52, 52, 1),
    ]
    assert [row.naive for row in rows] == [Naive.YEAR, Naive.YEAR, Naive.YEAR, naive]


def test_back_test__of_a_log_that_repeats_a_year__has_a_naive_error_of_nothing() -> None:
    weeks = made(160)
    weeks = Weeks(weeks.states[np.arange(160) % 52], weeks.n, weeks.back)
    four = back_test(weeks, levels(weeks), np.random.default_rng(1))[0]
    assert isinstance(four, BackTest)
    assert four.naive_error == pytest.approx(0)
    assert four.error > 0
