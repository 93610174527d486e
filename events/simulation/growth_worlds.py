"""Worlds of growth: users sign up, visit by their own habits, leave for good or drop by later, over three years.

Nobody here follows the states of the growth model: each user has an engagement and a hazard of leaving, so that its
rates are averages over a changing mix of users, as they are on a site.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from events.simulation.own_logs import write_log
from events.simulation.people import DAY, SECOND

type Ints = NDArray[np.int64]

FIRST = date(2023, 1, 2)  # a Monday
WEEKS = 156
SIGNUPS = 8  # a day unless said otherwise
VISITS = -1.2  # log odds that a middling user visits on a day
SPREAD = 1.2  # of engagement among users
LEAVE = 0.06  # share of middling users who leave in a week
DROP_BY = 0.002  # a day, of those who have left
SCATTER = 0.08  # of a week's log odds of a visit, and of the log of its signups
SEASON = 0.2  # height of the yearly season in the log of signups


@dataclass(frozen=True)
class GrowthWorld:
    """One world.

    Attributes:
        name: on the command line.
        step: standard deviation of a week's lasting change in the log odds of a visit and in the log of signups.
        season: height of the yearly season in the log of signups.
    """

    name: str
    step: float = 0.0
    season: float = 0.0

    def visits(self, seed: int, signups: float = SIGNUPS, weeks: int = WEEKS) -> tuple[Ints, Ints]:
        """One entry for each user and day with a visit: number of the user, day from 0 on. Ordered by day."""
        rng = np.random.default_rng((seed, 3))
        drift = np.cumsum(rng.normal(size=(weeks, 2)) * self.step, axis=0) + rng.normal(size=(weeks, 2)) * SCATTER
        season = self.season * np.sin(2 * np.pi * (np.arange(weeks) / 52 + rng.random()))
        daily = rng.poisson(np.repeat(signups * np.exp(drift[:, 1] + season), 7))
        came = np.repeat(np.arange(7 * weeks), daily)
        engagement = rng.normal(0.0, SPREAD, came.size)
        stays = rng.geometric(LEAVE * rng.gamma(0.6, 1 / 0.6, came.size).clip(0.02, 10.0)) * 7
        found = []
        for day in range(7 * weeks):
            here = np.flatnonzero(came <= day)
            weekend = 0.3 * (day % 7 >= 5)
            share = expit(VISITS + engagement[here] + weekend + drift[day // 7, 0])
            share = np.where(day - came[here] < stays[here], share, DROP_BY)
            share = np.where(came[here] == day, 1.0, share)
            users = here[rng.random(here.size) < share]
            found.append(np.stack([users, np.full(users.size, day)]))
        user, days = np.concatenate(found, axis=1)
        return user, days


GROWTH_WORLDS = {
    world.name: world
    for world in (GrowthWorld("growth_steady"), GrowthWorld("growth_drifts", step=0.02, season=SEASON))
}


def write_growth(world: GrowthWorld, seed: int, signups: int, folder: Path) -> tuple[dict[str, int], dict[str, Path]]:
    """Write events.parquet and truth.json; how many users and events there are, and the files."""
    user, day = world.visits(seed, signups)
    rng = np.random.default_rng((seed, 4))
    start = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp()) * SECOND
    # One event of the day after ends the last day.
    who, on = np.append(user, user[-1]), np.append(day, 7 * WEEKS)
    moments = start + on * DAY + rng.integers(0, 86_400, who.size) * SECOND
    paths = {name: folder / name for name in ("events.parquet", "truth.json")}
    write_log(paths["events.parquet"], users=who, names=np.full(who.size, "visit"), moments=moments)
    paths["truth.json"].write_text(json.dumps({**asdict(world), "seed": seed}, indent=1) + "\n", encoding="utf-8")
    return {"users": int(np.unique(user).size), "events": int(who.size)}, paths
