"""Worlds of an event that is played by known rules: users with habits, weekdays and weeks, and what the event adds.

Users come and go: each week some leave and others take their places. On a day they are active or not, by their own
engagement, the weekday and the week; on active days they do things, and in the event 1 + `response` times as often.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from events.simulation.own_logs import write_log
from events.simulation.people import DAY, SECOND

type Ints = NDArray[np.int64]

EVENT_FIRST = date(2025, 6, 4)  # a Wednesday
EVENT_DAYS = 14
BEFORE = 119  # days of history
USERS = 4_000  # at any time unless said otherwise
BEHAVIOURS = ("battle", "craft")
RATES = (2.0, 0.6)  # times on an active day of a middling user
WEEKEND = 0.5  # on the log odds of being active
SPREAD = 0.9  # of engagement among users
# The same rules everywhere: a cap of times, a cap of points, a weekend that counts double, a stock.
RULES: dict[str, Any] = {
    "title": "Summer event",
    "first": EVENT_FIRST.isoformat(),
    "days": EVENT_DAYS,
    "rules": [
        {"behaviour": "battle", "points": 10, "cap_times": 5, "multiplier": 2, "weekdays": ["sat", "sun"]},
        {"behaviour": "craft", "points": 15, "cap_points": 30},
    ],
    "steps": [
        {"name": "Bronze", "points": 100, "cost": 0.2},
        {"name": "Silver", "points": 250, "cost": 1},
        {"name": "Gold", "points": 500, "cost": 5, "stock": 400},
    ],
}


@dataclass(frozen=True)
class EventWorld:
    """One world.

    Attributes:
        name: of the world.
        response: what the event adds to what users do: 0.2 is a fifth more.
        weeks: standard deviation of a whole week's log odds of being active.
        leave: share of users who leave in a week.
    """

    name: str
    response: float = 0.0
    weeks: float = 0.0
    leave: float = 0.03

    def acts(self, seed: int, users: int = USERS) -> tuple[Ints, Ints, Ints, Ints]:
        """One entry for each user, day and behaviour: user, day from the event's first one, behaviour, times.

        A day on which a user is active and does neither has times 0 of the first behaviour.
        """
        rng = np.random.default_rng((seed, 1))
        found = []
        number, fresh = np.arange(users), users
        engagement = rng.normal(0.0, SPREAD, users)
        shocks = rng.normal(0.0, self.weeks, (BEFORE + EVENT_DAYS) // 7 + 1)
        for place in range(BEFORE + EVENT_DAYS):
            day = place - BEFORE
            if place % 7 == 0:
                leaves = rng.random(users) < self.leave
                number = np.where(leaves, fresh + np.cumsum(leaves) - 1, number)
                fresh += int(leaves.sum())
                engagement = np.where(leaves, rng.normal(0.0, SPREAD, users), engagement)
            weekend = (EVENT_FIRST + timedelta(days=day)).weekday() >= 5
            odds = -1.0 + engagement + WEEKEND * weekend + shocks[place // 7]
            here = np.flatnonzero(rng.random(users) < expit(odds))
            more = 1 + self.response if day >= 0 else 1.0
            for behaviour, rate in enumerate(RATES):
                times = rng.poisson(rate * np.exp(0.4 * engagement[here]) * more)
                some = (times > 0) | (behaviour == 0)
                found.append(
                    np.stack([number[here], np.full(here.size, day), np.full(here.size, behaviour), times])[:, some]
                )
        user, days, behaviours, times = np.concatenate(found, axis=1)
        return user, days, behaviours, times


EVENT_WORLDS = {
    world.name: world
    for world in (
        EventWorld("event"),
        EventWorld("event_response", response=0.25),
        EventWorld("event_weeks", weeks=0.15),
    )
}


def write_event(world: EventWorld, seed: int, users: int, folder: Path) -> tuple[dict[str, int], dict[str, Path]]:
    """Write events.parquet, rules.json and truth.json; how many users and events there are, and the files."""
    user, day, behaviour, times = world.acts(seed, users)
    rng = np.random.default_rng((seed, 2))
    rows = np.repeat(np.arange(user.size), times)
    # One event of the day after ends the last day.
    names = np.concatenate([np.full(user.size, "open"), np.array(BEHAVIOURS)[behaviour[rows]], ["open"]])
    who, on = np.concatenate([user, user[rows], [0]]), np.concatenate([day, day[rows], [EVENT_DAYS]])
    start = int(datetime(EVENT_FIRST.year, EVENT_FIRST.month, EVENT_FIRST.day, tzinfo=UTC).timestamp()) * SECOND
    moments = start + on * DAY + rng.integers(0, 86_400, who.size) * SECOND
    paths = {name: folder / name for name in ("events.parquet", "rules.json", "truth.json")}
    write_log(paths["events.parquet"], users=who, names=names, moments=moments)
    paths["rules.json"].write_text(json.dumps(RULES, indent=1) + "\n", encoding="utf-8")
    paths["truth.json"].write_text(json.dumps({**asdict(world), "seed": seed}, indent=1) + "\n", encoding="utf-8")
    return {"users": int(np.unique(user).size), "events": int(who.size)}, paths
