"""Worlds of users at levels of activity: one behaviour lifts them a level, others only go along with being active.

Each user has an engagement that stays. On days 0 to 13 they are active by it and do things on active days; who did
`MOVER` often enough then is active more often from day 14 on.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from events.simulation.own_logs import write_log
from events.simulation.people import DAY, SECOND

type Ints = NDArray[np.int64]

START = datetime(2026, 1, 5, tzinfo=UTC)
SIGNUP_DATES = 21
DAYS = 28  # of life that are simulated; the log ends a day after the last user's
USERS = 6_000
LIFTED = 14  # the first day on which the mover shows
MOVER, TIMES = "quest", 3  # times on days 0 to 13
# Times on an active day of a middling user, and how they follow engagement: chat goes along with being active.
BEHAVIOURS = {"quest": (0.28, 0.0), "chat": (0.6, 0.7), "battle": (1.2, 0.3), "shop": (0.3, 0.0), "rotate": (0.2, 0.0)}
SPREAD, USUAL = 0.8, -0.2  # of engagement; log odds of being active on a day


@dataclass(frozen=True)
class LevelWorld:
    """One world.

    Attributes:
        name: of the world.
        lift: what the mover adds to the log odds of being active on each day from `LIFTED` on.
    """

    name: str
    lift: float

    def lives(self, seed: int, users: int = USERS) -> tuple[NDArray[np.bool_], dict[str, Ints]]:
        """Whether users were active, users x days, and how often they did each behaviour then."""
        rng = np.random.default_rng((seed, 3))
        engagement = rng.normal(0.0, SPREAD, users)
        odds = np.repeat((USUAL + engagement)[:, None], DAYS, axis=1)
        chance = rng.random((users, DAYS))
        early = np.arange(DAYS) < LIFTED
        active = (chance < expit(odds)) & early
        active[:, 0] = True
        times = {
            name: rng.poisson(rate * np.exp(load * engagement)[:, None], (users, DAYS))
            for name, (rate, load) in BEHAVIOURS.items()
        }
        moved = (times[MOVER] * active).sum(axis=1) >= TIMES
        active |= (chance < expit(odds + self.lift * moved[:, None])) & ~early
        return active, {name: n * active for name, n in times.items()}


LEVEL_WORLDS = {world.name: world for world in (LevelWorld("levels", lift=1.0), LevelWorld("levels_still", lift=0.0))}


def write_levels(world: LevelWorld, seed: int, users: int, folder: Path) -> tuple[dict[str, int], dict[str, Path]]:
    """Write events.parquet and truth.json; how many users and events there are, and the files."""
    active, times = world.lives(seed, users)
    rng = np.random.default_rng((seed, 4))
    began = rng.integers(0, SIGNUP_DATES, users)
    rows: list[tuple[Ints, Ints, Any]] = [(np.arange(users), np.zeros(users, dtype=np.int64), "signup")]
    user, day = np.nonzero(active)
    rows.append((user, day, "open"))
    for name, n in times.items():
        user, day = np.nonzero(n)
        repeated = np.repeat(np.arange(user.size), n[user, day])
        rows.append((user[repeated], day[repeated], name))
    rows.append((np.array([0]), np.array([SIGNUP_DATES + DAYS - began[0]]), "open"))  # ends the last user's last day
    who, on = (np.concatenate([row[place] for row in rows]) for place in (0, 1))
    names = np.concatenate([np.full(row[0].size, row[2]) for row in rows])
    # A user's day begins with the signup: all else of day 0 comes within the hours after it.
    second = np.where(names == "signup", 0, rng.integers(1, 80_000, who.size))
    moments = int(START.timestamp()) * SECOND + (began[who] + on) * DAY + second * SECOND
    paths = {name: folder / name for name in ("events.parquet", "truth.json")}
    write_log(paths["events.parquet"], users=who, names=names, moments=moments)
    truth = {**asdict(world), "seed": seed, "mover": MOVER, "times": TIMES, "lifted": LIFTED}
    paths["truth.json"].write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return {"users": users, "events": int(who.size)}, paths
