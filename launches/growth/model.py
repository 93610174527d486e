"""The growth model's report: states, rates, forecast, levers, and how well the past was forecast. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np

from runs.payloads import Schema
from runs.refusals import Refused
from stats.growth_chain import (
    ACTIVE,
    AT_RISK,
    DRAWS,
    FEWEST_WEEKS,
    BackTest,
    Band,
    Forecast,
    NoBackTest,
    Rate,
    Weeks,
    back_test,
    forecast,
    future,
    levels,
    too_short,
    worth,
)
from stats.results import Interval, NotComputable, Reason, computable

POINT = 0.01
Z = 1.959963984540054  # effects of experiments have intervals of 95 %
LONGEST_AHEAD = 104
WEEK = timedelta(days=7)
LIFT_LEAST = -0.99


class Unmoved(StrEnum):
    """Why a finished experiment moves no rate here."""

    NO_RETENTION = "no_retention"  # its outcome isn't whether users are active
    NO_EFFECT = "no_effect"  # its effect couldn't be computed
    NO_LEVEL = "no_level"  # nobody was active without it


@dataclass(frozen=True)
class Finished:
    """A finished experiment with a valid final result.

    Attributes:
        key, name: of the experiment.
        outcome: metric text.
        rate: that it moves; None with `why`.
        lift: relative effect on the outcome with its 95 % interval: 0.05 is a twentieth more; None with `why`.
        is_lab: whether it is a lab, of which the leading nudge counts.
        why: it moves nothing; None where it does.
    """

    key: str
    name: str
    outcome: str
    rate: Rate | None = None
    lift: Interval | None = None
    is_lab: bool = False
    why: Unmoved | None = None


@dataclass(frozen=True)
class Lever:
    """What an experiment's effect is worth: extra active users in the last week ahead; None where it moves nothing."""

    of: Finished
    worth: Interval | None


@dataclass(frozen=True)
class Worth:
    """What one more point of a rate is worth; without a rate: one percent more new users.

    Attributes:
        rate: that is a point higher, for good; None for the number of new users.
        worth: extra active users in the last week ahead; missing where nobody was in the rate's state.
    """

    rate: Rate | None
    worth: Interval | NotComputable


@dataclass(frozen=True)
class Week:
    """A week of the past: its last date, active users, new ones among them."""

    last: date
    active: int
    new: int


@dataclass(frozen=True)
class States:
    """Users of each state at the end of the last week."""

    new: int
    current: int
    reactivated: int
    resurrected: int
    at_risk: int
    dormant: int


@dataclass(frozen=True)
class GrowthReport:
    """A forecast of growth.

    Attributes:
        seed: of its draws.
        past: weeks of the log, oldest first.
        states: of users now.
        forecast: active users of each week ahead, new users, rates now.
        worth: of one more point of each rate, and of one percent more new users.
        levers: finished experiments, the largest first.
        tested: the back-test by horizon.
    """

    seed: int
    past: tuple[Week, ...]
    states: States
    forecast: Forecast
    worth: tuple[Worth, ...]
    levers: tuple[Lever, ...]
    tested: tuple[BackTest | NoBackTest, ...]

    @property
    def ahead(self) -> int:
        """Weeks ahead."""
        return len(self.forecast.active)

    @property
    def end(self) -> Band:
        """The band of the last week ahead."""
        return self.forecast.active[-1]

    @property
    def weeks_ahead(self) -> tuple[date, ...]:
        """The last date of each week ahead."""
        return tuple(self.past[-1].last + WEEK * (place + 1) for place in range(self.ahead))


GROWTH = Schema(GrowthReport)


def make_report(
    weeks: Weeks, *, first: date, ahead: int, seed: int, experiments: Iterable[Finished] = ()
) -> GrowthReport:
    """Forecast a log's growth, play the levers, and test the same on its past.

    Args:
        weeks: the log.
        first: first date of the first week.
        ahead: weeks to come, 1 to 104.
        seed: of the draws.
        experiments: finished ones.

    Raises:
        Refused: the log is too short, or nobody was active in a quarter.
    """
    why = too_short(weeks)
    if why is not None and why.reason is Reason.LOG_TOO_SHORT:
        raise Refused(
            "The log is too short for a forecast: it has {n} whole weeks, and {needed} are needed.",
            n=len(weeks),
            needed=FEWEST_WEEKS,
        )
    if why is not None:
        raise Refused("Nobody was active in the last 13 weeks, so there is nothing to forecast.")
    found = levels(weeks)
    rng = np.random.default_rng(seed)
    drawn = future(weeks, found, at=len(weeks) - 1, ahead=ahead, draws=DRAWS, rng=rng)
    told = forecast(weeks, found, drawn)
    points = [
        Worth(row.rate, worth(drawn, rate=row.rate, points=POINT) if computable(row.now) else row.now)
        for row in told.transitions
    ]
    levers = []
    for one in experiments:
        gain = None
        if one.rate is not None and one.lift is not None:
            error = (one.lift.high - one.lift.low) / (2 * Z)
            lift = np.maximum(one.lift.estimate + error * rng.normal(size=DRAWS), LIFT_LEAST)
            gain = worth(drawn, rate=one.rate, times=1 + lift)
        levers.append(Lever(one, gain))
    return GrowthReport(
        seed=seed,
        past=_past(weeks, first),
        states=_states(weeks),
        forecast=told,
        worth=(*points, Worth(None, worth(drawn, rate=None, times=1 + POINT))),
        levers=tuple(sorted(levers, key=lambda row: -row.worth.estimate if row.worth else float("inf"))),
        tested=back_test(weeks, found, rng),
    )


def _past(weeks: Weeks, first: date) -> tuple[Week, ...]:
    last = first + WEEK - timedelta(days=1)
    return tuple(
        Week(last + WEEK * place, int(active), int(new))
        for place, (active, new) in enumerate(zip(weeks.active, weeks.new, strict=True))
    )


def _states(weeks: Weeks) -> States:
    now = weeks.states[-1]
    new, current, reactivated, resurrected = (int(number) for number in now[:ACTIVE])
    silent = now[ACTIVE:]
    return States(new, current, reactivated, resurrected, int(silent[:AT_RISK].sum()), int(silent[AT_RISK:].sum()))
