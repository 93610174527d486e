"""How many users will be active: a Markov chain of weekly states whose rates move, and what one more point is worth.

Weeks are runs of seven days that end with the last whole day of the log. A user is active in a week or silent, and the
next week depends on how the user got there: new, current, back after one to three silent weeks, back after four or
more; or silent for 1, 2, 3, 4 to 12, 13 to 25, 26 or more weeks. These are the states of Duolingo's growth model by
weeks (docs/methods/growth.md). Each rate has a level that moves as a random walk, and weeks that scatter around it by
more than users would by chance; both are estimated, so that bands are as wide as the past was restless.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from stats.results import Interval, NotComputable, Reason

LEVEL = 0.80  # of all bands and intervals here
SETTLES = 4  # weeks at a log's beginning in which whoever comes seems new: no rate is learned from them
FEWEST_WEEKS = 12  # that a forecast is learned from, the settling ones included
FEWEST_ORIGINS = 20
MOST_ORIGINS = 52  # of the past, for each horizon
HORIZONS = (4, 13, 26, 52)  # weeks ahead that are tested on the past
YEAR = 52
AT_RISK = 3  # silent weeks of a user at risk: fewer than 28 days
DORMANT = (13, 26)  # silent weeks from which on returns are a rate of their own
LONG = DORMANT[-1]  # silent weeks from which on they aren't told apart
RECENT = 13  # weeks in which somebody must have been active
DRAWS, TEST_DRAWS = 1_000, 400
# Sizes of a week's step of a level and of its scatter, on the log odds (of new users: on the log).
STEPS = np.array([0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16])
SCATTERS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
USUAL_STEP = 0.03  # mean of the prior of a step: without it a dozen weeks would allow anything
SHRINK = 20  # weeks that the correlation of rates is held back by
# Log odds of a rate before anything is known of it. Of a longer silence that nobody has been in yet, as in a young log,
# it is known beside the shorter one: in three public logs it fell by 0.5 to 1.9 (docs/methods/growth.md).
UNKNOWN, UNKNOWN_SPREAD = -1.0, 2.0
LONGER, LONGER_SPREAD = -1.5, 0.7
STEADY = 20.0  # users by which the point where a week's share is linear is held to what was expected
METHOD = "growth-chain"
type Array = NDArray[np.float64]
type Ints = NDArray[np.int64]


class Rate(StrEnum):
    """A share of the users of a state who are active in the next week."""

    NEW = "new"  # NURR: of new users
    CURRENT = "current"  # CURR: of users who were active the week before, too
    REACTIVATED = "reactivated"  # RURR: of users who are back after one to three silent weeks
    RESURRECTED = "resurrected"  # SURR: of users who are back after four or more
    SILENT_1 = "silent_1"
    SILENT_2 = "silent_2"
    SILENT_3 = "silent_3"
    DORMANT = "dormant"  # of users silent for 4 to 12 weeks
    DORMANT_13 = "dormant_13"  # for 13 to 25
    DORMANT_26 = "dormant_26"  # for 26 or more


RATES = tuple(Rate)
INFLOW = len(RATES)  # the place of new users among the series
ACTIVE, SILENT = 4, LONG  # states of active weeks; of silent ones, the last of which is `LONG` and more
# The rate of each state.
RATE_OF = np.array([*range(7), *[7] * (DORMANT[0] - 1 - AT_RISK), *[8] * (DORMANT[1] - DORMANT[0]), 9])
LINKED = slice(RATES.index(Rate.DORMANT), len(RATES))  # rates that are known beside that of the shorter silence


@dataclass(frozen=True, eq=False)
class Weeks:
    """A log by weeks.

    Attributes:
        states: users at the end of each week in each state: new, current, reactivated, resurrected, silent for 1, 2, …,
            26 or more weeks; shape (weeks, 30).
        n, back: of each rate and week, users who were in the state a week before, and those of them who are active;
            shape (10, weeks).
    """

    states: Array
    n: Array
    back: Array

    @property
    def active(self) -> Array:
        """Active users of each week."""
        found: Array = self.states[:, :ACTIVE].sum(axis=1)
        return found

    @property
    def new(self) -> Array:
        """New users of each week."""
        return self.states[:, 0]

    def __len__(self) -> int:
        return len(self.states)


def weeks_of(week: Ints, silent: Ints, gap: Ints, users: Ints, *, weeks: int) -> Weeks:
    """The states of all weeks from rows of users' active weeks.

    Args:
        week: of the row, from 0.
        silent: silent weeks before it; -1 where it is the first one.
        gap: weeks until the next active one, 1 for the very next; 0 where there is none.
        users: of the row.
        weeks: how many there are.
    """
    kind = np.select([silent < 0, silent == 0, silent <= AT_RISK], [0, 1, 2], 3)
    states, n, back = np.zeros((weeks, ACTIVE + SILENT)), np.zeros((len(RATES), weeks)), np.zeros((len(RATES), weeks))
    np.add.at(states, (week, kind), users)
    # Silent for k weeks at the end of week w: the last active one was w - k.
    for length in range(1, weeks):
        still = ((gap == 0) | (gap > length)) & (week + length < weeks)
        np.add.at(states, (week[still] + length, ACTIVE + min(length, LONG) - 1), users[still])
    for place in range(ACTIVE + SILENT):
        n[RATE_OF[place], 1:] += states[:-1, place]
    again = gap > 0
    gone = gap[again] - 1  # silent weeks before coming back
    state = np.where(gone == 0, kind[again], ACTIVE + np.minimum(gone, LONG) - 1)
    np.add.at(back, (RATE_OF[state], week[again] + gap[again]), users[again])
    return Weeks(states, n, back)


# ── Levels of the rates ───────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False)
class Levels:
    """What each week's rates have told up to it, for each pair of step and scatter.

    Attributes:
        mean, variance: of each series' level (log odds; of new users the log), shape (weeks, series, pairs).
        log_likelihood: of all weeks up to it, the same shape.
        misfit: each week's distance from what the weeks before led one to expect, in its standard deviations.
    """

    mean: Array
    variance: Array
    log_likelihood: Array
    misfit: Array

    def weights(self, at: int) -> Array:
        """The posterior of the pairs, shape (series, pairs)."""
        found = self.log_likelihood[at] + _PRIOR
        weights: Array = np.exp(found - found.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return weights


_STEP, _SCATTER = (grid.ravel() for grid in np.meshgrid(STEPS, SCATTERS, indexing="ij"))
_PRIOR = -_STEP / USUAL_STEP


def levels(weeks: Weeks) -> Levels:
    """Follow every level through the weeks by a Kalman filter, once for each pair of step and scatter.

    A week's share enters as the linear term of its log odds, around a point between what was expected and what came: a
    week with nobody is no infinity, and rare returns aren't pulled up. Its variance is that of a binomial share plus
    that of the scatter: extra-binomial variation, the beta-binomial's on the log odds.

    Source: Durbin, Koopman 2012, *Time Series Analysis by State Space Methods*, sections 2.2 and 10.2 (local level,
    extended filter); Williams 1982, *Applied Statistics* 31, model III (extra-binomial variation).
    """
    steps, series = len(weeks), len(RATES) + 1
    settled = np.arange(steps) > SETTLES
    users = np.vstack([weeks.n * settled, settled * 1.0])  # of new users: whether the week counts
    back = np.vstack([weeks.back, weeks.new]) * (users > 0)
    shape = (steps, series, _STEP.size)
    means, variances, likelihoods, misfits = (np.zeros(shape) for _ in range(4))
    mean, variance = np.full(shape[1:], UNKNOWN), np.full(shape[1:], UNKNOWN_SPREAD**2)
    mean[INFLOW], variance[INFLOW] = np.log(np.mean(weeks.new[SETTLES : 2 * SETTLES]) + 0.5), 1.0
    likelihood, known = np.zeros(shape[1:]), np.zeros(series, dtype=bool)
    for at in range(steps):
        here = users[:, at] > 0
        mean, variance = _linked(mean, variance, known)
        variance = variance + np.where(known[:, None], _STEP**2, 0.0)
        known = known | here
        value, noise = _linear(mean, users[:, at], back[:, at])
        total = variance + noise + _SCATTER**2
        error = np.where(here[:, None], value - mean, 0.0)
        gain = np.where(here[:, None], variance / total, 0.0)
        likelihood = likelihood - np.where(here[:, None], 0.5 * (np.log(total) + error**2 / total), 0.0)
        misfits[at] = error / np.sqrt(total)
        mean, variance = mean + gain * error, variance * (1 - gain)
        means[at], variances[at], likelihoods[at] = *_linked(mean, variance, known), likelihood
    return Levels(means, variances, likelihoods, misfits)


def _linked(mean: Array, variance: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The levels, with those of silences that nobody has been in yet beside those of the shorter ones."""
    mean, variance = mean.copy(), variance.copy()
    for place in range(LINKED.start, LINKED.stop):
        if not known[place]:
            mean[place] = mean[place - 1] + LONGER
            variance[place] = variance[place - 1] + LONGER_SPREAD**2
    return mean, variance


def _linear(mean: Array, users: Array, back: Array) -> tuple[Array, Array]:
    """A week's value of each series on its scale, and the variance of drawing users."""
    expected = special.expit(mean[:INFLOW])
    pseudo = STEADY / np.minimum(expected, 1 - expected)
    n, came = np.maximum(users[:INFLOW, None], 1.0), back[:INFLOW, None]
    point = (pseudo * expected + came) / (pseudo + n)
    spread = point * (1 - point)
    of_new = np.exp(mean[INFLOW:])
    new = (STEADY + back[INFLOW:, None]) / (STEADY / of_new + 1)
    value = [special.logit(point) + (came / n - point) / spread, np.log(new) + back[INFLOW:, None] / new - 1]
    return np.vstack(value), np.vstack([1 / (n * spread), 1 / new])


# ── Forecast ──────────────────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False)
class Future:
    """Draws of what may come.

    Attributes:
        start: users of each state now, shape (30,).
        paths: each series in each week to come on its scale, shape (weeks, draws, series).
        luck: how far the users of a state deviate from its rate, in standard deviations, (weeks, draws, states).
    """

    start: Array
    paths: Array
    luck: Array

    def active(self, *, rate: Rate | None = None, points: float = 0.0, times: Array | float = 1.0) -> Array:
        """Active users of each week and draw, shape (weeks, draws), with one rate changed for good.

        Args:
            rate: that is changed; None changes the number of new users.
            points: added to the rate, absolute: .01 is one point.
            times: what it is multiplied with, one factor for each draw or for all.
        """
        rates = special.expit(self.paths[:, :, :INFLOW])
        inflow = np.exp(np.minimum(self.paths[:, :, INFLOW], 25.0))
        if rate is None:
            inflow = inflow * times
        else:
            place = RATES.index(rate)
            rates[:, :, place] = np.clip(rates[:, :, place] * times + points, 0.0, 1.0)
        state = np.repeat(self.start[None, :], rates.shape[1], axis=0)
        found = np.empty(rates.shape[:2])
        for at, (share, luck) in enumerate(zip(rates, self.luck, strict=True)):
            state = _next(state, share[:, RATE_OF], inflow[at], luck)
            found[at] = state[:, :ACTIVE].sum(axis=1)
        return found


def _next(state: Array, share: Array, inflow: Array, luck: Array) -> Array:
    """The states a week later."""
    spread = np.sqrt(state * share * (1 - share))
    back = np.clip(state * share + spread * luck[:, :-1], 0.0, state)
    left = state - back
    after = np.empty_like(state)
    after[:, 0] = np.maximum(inflow + np.sqrt(inflow) * luck[:, -1], 0.0)
    after[:, 1] = back[:, :ACTIVE].sum(axis=1)
    after[:, 2] = back[:, ACTIVE : ACTIVE + AT_RISK].sum(axis=1)
    after[:, 3] = back[:, ACTIVE + AT_RISK :].sum(axis=1)
    after[:, ACTIVE] = left[:, :ACTIVE].sum(axis=1)
    after[:, ACTIVE + 1 :] = left[:, ACTIVE:-1]
    after[:, -1] += left[:, -1]
    return after


def future(weeks: Weeks, found: Levels, *, at: int, ahead: int, draws: int, rng: np.random.Generator) -> Future:
    """Draw what may come after a week, from what was known at its end.

    Args:
        weeks: the log.
        found: its levels.
        at: the week, from 0.
        ahead: weeks to come.
        draws: how many.
        rng: its seed is stored with the result.
    """
    weights = found.weights(at)
    series = np.arange(len(weights))
    pairs = (rng.random((draws, len(weights), 1)) > np.cumsum(weights, axis=1)[None]).sum(axis=2)
    pairs = np.minimum(pairs, _STEP.size - 1)
    level = found.mean[at][series, pairs] + np.sqrt(found.variance[at][series, pairs]) * rng.normal(size=pairs.shape)
    factor = np.linalg.cholesky(_correlation(found, weights, at)).T
    steps = (rng.normal(size=(ahead, *pairs.shape)) @ factor) * _STEP[pairs]
    scatter = (rng.normal(size=(ahead, *pairs.shape)) @ factor) * _SCATTER[pairs]
    luck = rng.normal(size=(ahead, draws, ACTIVE + SILENT + 1))
    return Future(weeks.states[at], level + np.cumsum(steps, axis=0) + scatter, luck)


def _correlation(found: Levels, weights: Array, at: int) -> Array:
    """How the series miss together, held back towards none: a week in which all users are away moves all rates."""
    misfit = (found.misfit[: at + 1] * weights).sum(axis=2)
    used = int((np.abs(misfit).sum(axis=1) > 0).sum())
    size = np.sqrt((misfit**2).sum(axis=0))
    unit = misfit / np.where(size > 0, size, 1.0)
    held: Array = unit.T @ unit * used / (used + SHRINK)
    np.fill_diagonal(held, 1.0)
    return held


@dataclass(frozen=True)
class Band:
    """A number in a week to come: middle and the ends of the 80 % band."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Transition:
    """A rate as it is now.

    Attributes:
        rate: which.
        now: its level with its 80 % interval, 0 to 1; missing where nobody was in the state.
        scatter: standard deviation of a single week around the level, absolute, without the luck of drawing users;
            missing as `now` is.
        n: users in the state over the weeks it is learned from, each counted in each week.
        weeks: with anybody in the state.
    """

    rate: Rate
    now: Interval | NotComputable
    scatter: float | NotComputable
    n: int
    weeks: int


@dataclass(frozen=True)
class Forecast:
    """What may come.

    Attributes:
        active: active users of each week to come.
        new: new users of a week now, with their interval.
        transitions: the rates now.
    """

    active: tuple[Band, ...]
    new: Interval
    transitions: tuple[Transition, ...]


def too_short(weeks: Weeks) -> NotComputable | None:
    """Why a log tells no rates; None where it does."""
    if len(weeks) < FEWEST_WEEKS:
        return NotComputable(Reason.LOG_TOO_SHORT, {"n": len(weeks), "needed": FEWEST_WEEKS})
    if not weeks.active[-RECENT:].any():
        return NotComputable(Reason.NO_DATA)
    return None


def forecast(weeks: Weeks, found: Levels, drawn: Future) -> Forecast:
    """The bands of a future, and the rates it starts from.

    Args:
        weeks, found: the log and its levels.
        drawn: from the log's last week on.
    """
    at = len(weeks) - 1
    weights, means, variances = found.weights(at), found.mean[at], found.variance[at]
    middle = (weights * means).sum(axis=1)
    spread = np.sqrt((weights * (variances + (means - middle[:, None]) ** 2)).sum(axis=1))
    z = float(special.ndtri((1 + LEVEL) / 2))
    scatter = (weights * _SCATTER).sum(axis=1)
    transitions = []
    for place, rate in enumerate(RATES):
        here = weeks.n[place, SETTLES + 1 :]
        share = float(special.expit(middle[place]))
        ends = special.expit(middle[place] + spread[place] * np.array([-z, z]))
        now = Interval(share, float(ends[0]), float(ends[1]), LEVEL, METHOD)
        known = bool((here > 0).any())
        transitions.append(
            Transition(
                rate,
                now if known else NotComputable(Reason.NO_DATA),
                float(scatter[place] * share * (1 - share)) if known else NotComputable(Reason.NO_DATA),
                int(here.sum()),
                int((here > 0).sum()),
            )
        )
    ends = np.exp(middle[INFLOW] + spread[INFLOW] * np.array([-z, 0.0, z]))
    new = Interval(float(ends[1]), float(ends[0]), float(ends[2]), LEVEL, METHOD)
    return Forecast(bands(drawn.active()), new, tuple(transitions))


def bands(active: Array) -> tuple[Band, ...]:
    """Middle and 80 % band of each week over the draws."""
    low, middle, high = np.quantile(active, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=1)
    return tuple(Band(*row) for row in np.column_stack([middle, low, high]).tolist())


def worth(drawn: Future, *, rate: Rate | None, points: float = 0.0, times: Array | float = 1.0) -> Interval:
    """Extra active users in the last week to come with one rate changed for good, with their 80 % interval.

    The same draws are played with and without the change.

    Args:
        drawn: the future.
        rate: that is changed; None changes the number of new users.
        points: added to the rate, absolute.
        times: what it is multiplied with: for each draw one factor, by the interval of an effect, or one for all.
    """
    more = drawn.active(rate=rate, points=points, times=times)[-1] - drawn.active()[-1]
    low, high = np.quantile(more, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.mean(more)), float(low), float(high), LEVEL, METHOD)


# ── Back-test ─────────────────────────────────────────────────────────────────
class Naive(StrEnum):
    """What a forecast is compared with."""

    YEAR = "year"  # the same growth as a year before
    LAST = "last"  # the last known level


@dataclass(frozen=True)
class BackTest:
    """Forecasts of the past for one horizon.

    Attributes:
        ahead: weeks.
        origins: forecasts made, one a week; they overlap.
        separate: of them at most so many don't overlap.
        covered: share of origins whose band held what came, 0 to 1.
        error: mean distance of the middle from what came, over the mean of what came.
        naive: what stands beside it, and its error.
    """

    ahead: int
    origins: int
    separate: int
    covered: float
    error: float
    naive: Naive
    naive_error: float


@dataclass(frozen=True)
class NoBackTest:
    """A horizon for which the log is too short."""

    ahead: int
    why: NotComputable


def back_test(weeks: Weeks, found: Levels, rng: np.random.Generator) -> tuple[BackTest | NoBackTest, ...]:
    """Forecast from weeks of the past by what was known then, and hold the bands against what came.

    Args:
        weeks, found: the log and its levels.
        rng: for the draws.
    """
    last, first = len(weeks) - 1, FEWEST_WEEKS - 1
    asked = {ahead: list(range(max(first, last - ahead - MOST_ORIGINS + 1), last - ahead + 1)) for ahead in HORIZONS}
    asked = {ahead: origins for ahead, origins in asked.items() if len(origins) >= FEWEST_ORIGINS}
    said: dict[tuple[int, int], Band] = {}
    for at in sorted({at for origins in asked.values() for at in origins}):
        wanted = [ahead for ahead, origins in asked.items() if at in origins]
        drawn = future(weeks, found, at=at, ahead=max(wanted), draws=TEST_DRAWS, rng=rng)
        shown = bands(drawn.active())
        said |= {(at, ahead): shown[ahead - 1] for ahead in wanted}
    return tuple(
        _tested(weeks, ahead, {at: said[at, ahead] for at in asked[ahead]}) if ahead in asked else _not(weeks, ahead)
        for ahead in HORIZONS
    )


def _not(weeks: Weeks, ahead: int) -> NoBackTest:
    needed = FEWEST_WEEKS + ahead + FEWEST_ORIGINS - 1
    return NoBackTest(ahead, NotComputable(Reason.LOG_TOO_SHORT, {"n": len(weeks), "needed": needed}))


def _tested(weeks: Weeks, ahead: int, said: dict[int, Band]) -> BackTest:
    active, origins = weeks.active, np.array(list(said))
    came = active[origins + ahead]
    low, middle, high = (
        np.array([getattr(band, name) for band in said.values()]) for name in ("low", "middle", "high")
    )
    naive = Naive.YEAR if origins[0] - YEAR >= SETTLES and (active[origins - YEAR] > 0).all() else Naive.LAST
    expected = active[origins]
    if naive is Naive.YEAR:
        expected = expected * active[origins - YEAR + ahead] / active[origins - YEAR]
    total = float(came.sum()) or 1.0
    return BackTest(
        ahead,
        len(origins),
        (len(origins) - 1) // ahead + 1,
        float(np.mean((low <= came) & (came <= high))),
        float(np.abs(middle - came).sum() / total),
        naive,
        float(np.abs(expected - came).sum() / total),
    )
