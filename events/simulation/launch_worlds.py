"""Worlds of a launch: signup cohorts of many days whose share that comes back is known, with a step at a known date.

Each cohort has a share around a level with weekdays and, where the world has them, a trend, a wave of its own (an AR(1)
series), slow swings, a campaign that brings other users, and a novelty that wears off. The launch adds its step.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from events.simulation.own_logs import write_log
from events.simulation.people import DAY, SECOND

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

FIRST = date(2025, 1, 6)  # a Monday
DAYS = 560  # of signups
AFTER = 21  # of them from the launch on
LEVEL, WEEKDAY, WAVE_MEMORY = 0.40, 0.02, 0.5
SIGNUPS = 100  # a day unless said otherwise
RETENTION = "window:1-3"
CAMPAIGN_DAYS = (7, 13)  # after the launch
NOVELTY_FADES = 4.0  # days
SWING_DAYS = 180


@dataclass(frozen=True)
class LaunchWorld:
    """One world; all shares absolute, .05 is five points.

    Attributes:
        name: on the command line.
        step: what the launch adds, for good.
        trend: growth of the level in a year.
        wave: standard deviation of the level's own wave.
        campaign: what users of a campaign a week after the launch add to the share; 0: there is none.
        novelty: what the launch adds on its first day, fading.
        swing: height of slow swings of the level, half a year each: no straight trend follows them.
    """

    name: str
    step: float = 0.0
    trend: float = 0.0
    wave: float = 0.006
    campaign: float = 0.0
    novelty: float = 0.0
    swing: float = 0.0

    @property
    def launch(self) -> date:
        """The launch's date."""
        return FIRST + timedelta(days=DAYS - AFTER)

    def shares(self, seed: int) -> Floats:
        """The true share of each day's cohort."""
        rng = np.random.default_rng((seed, 0))
        day = np.arange(DAYS)
        after = day - (DAYS - AFTER)
        share = LEVEL + WEEKDAY * np.cos(2 * np.pi * day / 7) + self.trend * day / 365
        noise = rng.normal(size=DAYS) * self.wave * np.sqrt(1 - WAVE_MEMORY**2)
        wave = np.zeros(DAYS)
        wave[0] = rng.normal() * self.wave
        for place in range(1, DAYS):
            wave[place] = WAVE_MEMORY * wave[place - 1] + noise[place]
        share = share + wave + self.swing * np.sin(2 * np.pi * (day / SWING_DAYS + rng.random()))
        share = share + np.where(after >= 0, self.step, 0.0)
        share = share + np.where(after >= 0, self.novelty * np.exp(-np.maximum(after, 0) / NOVELTY_FADES), 0.0)
        on = (after >= CAMPAIGN_DAYS[0]) & (after <= CAMPAIGN_DAYS[1])
        return np.clip(share + np.where(on, self.campaign, 0.0), 0.0, 1.0)

    def cohorts(self, seed: int, signups: int = SIGNUPS) -> tuple[Ints, Ints]:
        """Users who signed up on each day, and those of them who came back."""
        rng = np.random.default_rng((seed, 1))
        users = rng.poisson(signups * (1 + 0.15 * np.sin(2 * np.pi * np.arange(DAYS) / 7)))
        return users, rng.binomial(users, self.shares(seed))

    def calendar(self) -> list[dict[str, str]]:
        """What the calendar of the site says: the campaign, where there is one."""
        if not self.campaign:
            return []
        first, last = (self.launch + timedelta(days=place) for place in CAMPAIGN_DAYS)
        return [{"kind": "campaign", "title": "Autumn ads", "starts": first.isoformat(), "ends": last.isoformat()}]


LAUNCH_WORLDS = {
    world.name: world
    for world in (
        LaunchWorld("launch_none"),
        LaunchWorld("launch_small", step=0.02),
        LaunchWorld("launch_step", step=0.05),
        LaunchWorld("launch_trend", trend=0.08),
        LaunchWorld("launch_campaign", campaign=-0.08),
        LaunchWorld("launch_novelty", novelty=0.08),
        LaunchWorld("launch_errs", swing=0.035),
    )
}


def write_launch(world: LaunchWorld, seed: int, signups: int, folder: Path) -> tuple[dict[str, int], dict[str, Path]]:
    """Write events.parquet, calendar.csv and truth.json; how many users and events there are, and the files.

    Each user signs up at a random second of a day and plays then; who comes back plays once more on a day of 1 to 3.
    """
    users, back = world.cohorts(seed, signups)
    rng = np.random.default_rng((seed, 2))
    total = int(users.sum())
    day = np.repeat(np.arange(DAYS), users)
    place = np.arange(total) - np.repeat(np.cumsum(users) - users, users)
    comes = place < np.repeat(back, users)
    start = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp()) * SECOND
    signup = start + day * DAY + rng.integers(0, 86_400, total) * SECOND
    again = signup[comes] + rng.integers(1, 4, int(comes.sum())) * DAY + 60 * SECOND
    times = np.concatenate([signup, signup + 30 * SECOND, again])
    names = np.concatenate([np.full(total, "signup"), np.full(total, "play"), np.full(len(again), "play")])
    paths = {name: folder / name for name in ("events.parquet", "calendar.csv", "truth.json")}
    everyone = np.arange(total)
    who = np.concatenate([everyone, everyone, everyone[comes]])
    write_log(paths["events.parquet"], users=who, names=names, moments=times)
    rows = [",".join(("kind", "title", "starts", "ends")), *(",".join(row.values()) for row in world.calendar())]
    paths["calendar.csv"].write_text("\n".join(rows) + "\n", encoding="utf-8")
    paths["truth.json"].write_text(json.dumps(_truth(world, seed), indent=1) + "\n", encoding="utf-8")
    return {"users": total, "events": len(times)}, paths


def _truth(world: LaunchWorld, seed: int) -> dict[str, Any]:
    return {
        **asdict(world),
        "seed": seed,
        "launch": world.launch.isoformat(),
        "outcome": RETENTION,
        "signup_event": "signup",
        "works_after": 7 if world.novelty else 0,
    }
