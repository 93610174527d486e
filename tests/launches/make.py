"""Launches and daily curves of worlds with known truth."""

from datetime import date, timedelta
from functools import cache
from typing import Any

from events.simulation.launch_worlds import FIRST, LAUNCH_WORLDS, RETENTION, LaunchWorld
from launches.answers import Answers, Curve, Meets, Other, left_out
from launches.judge import OUTCOME, Daily, Gathered, LaunchReport, judge

SIGNUPS = 1_000  # a day


def answers(**given: Any) -> Answers:
    """Answers about new users; `given` replaces some of them."""
    usual: dict[str, Any] = {
        "title": "Autumn onboarding",
        "began": date(2026, 6, 29),
        "curve": Curve.NEW_USERS,
        "decision": "Keep it if it worked, else take it back.",
        "outcome": RETENTION,
        "signup_event": "signup",
        "meets": Meets.NEW,
    }
    return Answers(**(usual | given))


def curve_of(world: LaunchWorld, seed: int, signups: int = SIGNUPS) -> tuple[Daily, ...]:
    """The daily curve of a world."""
    pairs = zip(*(numbers.tolist() for numbers in world.cohorts(seed, signups)), strict=True)
    return tuple(Daily(FIRST + timedelta(days=at), n, back / n) for at, (n, back) in enumerate(pairs))


@cache
def read(name: str, seed: int, signups: int = SIGNUPS) -> LaunchReport:
    """A reading of a world by its name."""
    world = LAUNCH_WORLDS[name]
    asked = answers(began=world.launch, works_after=7 if world.novelty else 0)
    others = tuple(
        Other(row["kind"], row["title"], date.fromisoformat(row["starts"]), date.fromisoformat(row["ends"]))
        for row in world.calendar()
    )
    return judge(
        asked,
        Gathered({OUTCOME: curve_of(world, seed, signups)}, {}, FIRST),
        left_out(others, asked.length, new_users=True),
        registered=world.launch,
        data_end=asked.days.readable_from,
    )
