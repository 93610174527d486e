"""The event log of a simulated world: counts become timed events, in 1-3 bursts inside 24-hour days from signup."""

from dataclasses import dataclass

import numpy as np

from events.simulation.draws import Floats, Ints, Stream, uniform
from events.simulation.people import DAY, SECOND, Flags, People
from events.simulation.worlds import World

EXPOSURE = "Experiment Viewed"
EXTRAS = ("signup", EXPOSURE, "daily_bonus", "tutorial", "app_open")
SIGNUP_CODE, EXPOSURE_CODE, BONUS_CODE, TUTORIAL_CODE, OPEN_CODE = range(5)
MAX_BURSTS = 3
BURST_SECONDS = 1_200
# A burst's events begin 5 s after its start; the seconds before hold signup, exposure, daily bonus and tutorial.
BURST_LEAD_SECONDS = 5
LAST_START = DAY - (BURST_SECONDS + 2 * BURST_LEAD_SECONDS) * SECOND


@dataclass(frozen=True)
class Log:
    """Events in the order of user and time; all arrays have one entry per event.

    Attributes:
        user: index of the user.
        code: index into ``event_names(world)``.
        time: microseconds since 1970, whole milliseconds.
        number: 0, 1, 2, ... within the user; the message id is made from it.
    """

    user: Ints
    code: Ints
    time: Ints
    number: Ints


def event_names(world: World) -> tuple[str, ...]:
    """All event names of a world, in the order of their codes."""
    return (*EXTRAS, *(behaviour.name for behaviour in world.behaviours))


def _whole_milliseconds(microseconds: Floats) -> Ints:
    return np.asarray(np.floor(microseconds / 1000).astype(np.int64) * 1000)


def _burst_starts(seed: int, user: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Number of bursts of each active day, and where up to three begin, in microseconds since the day began."""
    bursts = 1 + np.floor(uniform(seed, Stream.BURSTS, user, day) * MAX_BURSTS).astype(np.int64)
    burst = np.arange(MAX_BURSTS)[None, :]
    starts = _whole_milliseconds(uniform(seed, Stream.BURST_START, user[:, None], day[:, None], burst) * LAST_START)
    starts[day == 0, 0] = 0  # the first session begins with the signup
    return bursts, starts


def _behaviour_events(seed: int, people: People, user: Ints, day: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """User, code and time of every behaviour event; ``counts`` is pairs x behaviours."""
    bursts, starts = _burst_starts(seed, user, day)
    pair, behaviour = np.nonzero(counts)
    times = counts[pair, behaviour]
    occurrence = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    pair, behaviour = np.repeat(pair, times), np.repeat(behaviour, times)
    key = (user[pair], day[pair], behaviour, occurrence)
    burst = np.floor(uniform(seed, Stream.BURST_PICK, *key) * bursts[pair]).astype(np.int64)
    within = _whole_milliseconds(uniform(seed, Stream.OFFSET, *key) * BURST_SECONDS * SECOND)
    offset = starts[pair, burst] + BURST_LEAD_SECONDS * SECOND + within
    time = people.signup[user[pair]] + day[pair] * DAY + offset
    return user[pair], behaviour + len(EXTRAS), time


def _day_starts(seed: int, people: People, user: Ints, day: Ints) -> Ints:
    """Two seconds into each active day's first burst: before every behaviour event of that day."""
    bursts, starts = _burst_starts(seed, user, day)
    used = np.where(np.arange(MAX_BURSTS)[None, :] < bursts[:, None], starts, DAY)
    return np.asarray(people.signup[user] + day * DAY + used.min(axis=1) + 2 * SECOND)


def build_log(world: World, seed: int, people: People, exposed: Flags, user: Ints, day: Ints, counts: Ints) -> Log:
    """The whole log of a world.

    Args:
        world: the world's parameters.
        seed: the simulation's seed.
        people: its users.
        exposed: whose exposure event reaches the log.
        user, day: the active days, one entry per pair.
        counts: pairs x behaviours, how often each behaviour happened.
    """
    shown = np.flatnonzero(exposed)
    parts = [
        (people.user, np.full(people.user.size, SIGNUP_CODE), people.signup),
        (shown, np.full(shown.size, EXPOSURE_CODE), people.signup[shown] + SECOND),
        _behaviour_events(seed, people, user, day, counts),
    ]
    # A silent active day would be invisible: add one app_open (day 0 is visible by its signup).
    silent = (counts.sum(axis=1) == 0) & (day > 0) & (world.tutorial_reach == 0)
    parts.append((user[silent], np.full(silent.sum(), OPEN_CODE), _day_starts(seed, people, user[silent], day[silent])))
    if world.tutorial_reach > 0:
        parts.append((user, np.full(user.size, BONUS_CODE), _day_starts(seed, people, user, day)))
        taught = np.flatnonzero(uniform(seed, Stream.TUTORIAL, people.user) < world.tutorial_reach)
        parts.append((taught, np.full(taught.size, TUTORIAL_CODE), people.signup[taught] + 3 * SECOND))
    all_users, codes, times = (np.concatenate([part[field] for part in parts]) for field in range(3))
    order = np.lexsort((codes, times, all_users))
    all_users, codes, times = all_users[order], codes[order], times[order]
    first = np.searchsorted(all_users, people.user)
    return Log(all_users, codes, times, np.arange(all_users.size) - first[all_users])
