"""The demo's made-up users, in three groups on one time line that ends today. Pure.

*Earlier* users signed up before the experiment and are never exposed: study and segments use them. *New* users are in
the experiment. *Recent* users are still signing up: their last days are in the future, so a second experiment is still
running on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pc
from django.utils.translation import gettext

from aha.evidence.findings import Definition, PastFinding
from events.schema import EXPOSURE
from events.simulation import WORLDS, Simulation, World, replay, simulate, unit_ids
from events.simulation.datasets import WRONG_CLOCK_DAYS
from events.simulation.generate import simulate as generate_simulate
from events.simulation.many_tests import rows_of
from events.simulation.people import CHANNELS, COUNTRIES, PLATFORMS, SECOND, SIGNUP_DAYS, START, Ints
from events.simulation.worlds import DAYS, RETENTION, TARGET
from experiments.files.import_experiment import Told, import_experiment
from experiments.plan.design import Design
from insight_site.demo.texts import EARLIER_TESTS

OURS = "demo-"  # prefix of the demo's user ids, which distinguishes its events from a team's own
WORLD = WORLDS["step"]
LENGTH = timedelta(days=SIGNUP_DAYS + DAYS)
SIGNUPS = timedelta(days=SIGNUP_DAYS)
# Between the last outcome of the experiment and today: late events are sent up to 3 days after they happened, wrong
# clocks are up to 30 days off, and what is younger than 14 days is looked at for late events
# (`experiments.analyse.gather.queries`). The demo sends everything today, so that none of its experiment may lie in
# those days.
QUIET = timedelta(days=WRONG_CLOCK_DAYS + 15)
# Simulated bots send 500 events on each of their days; more than one day would only cost time.
ROBOT_DAYS = 1
WORLD_START = datetime.fromtimestamp(START // 1_000_000, UTC)


@dataclass(frozen=True)
class Population:
    """Users of one simulated world on the demo's time line.

    Attributes:
        name: part of every user id, so that populations never share ids.
        world: the simulation, on its own time scale.
        starts: first possible signup on the demo's time line.
    """

    name: str
    world: Simulation
    starts: datetime

    @property
    def prefix(self) -> str:
        """Prefix of user and message ids."""
        return f"{OURS}{self.name}-"

    @property
    def shift(self) -> int:
        """Microseconds from the simulation's dates to the demo's."""
        return (self.starts - WORLD_START) // timedelta(microseconds=1)

    @property
    def ids(self) -> list[str]:
        """User ids, in the order of the world's users."""
        return [self.prefix + unit for unit in unit_ids(self.world.units)]

    @property
    def signups(self) -> Ints:
        """Microseconds since 1970 of each signup."""
        return np.asarray(self.world.people.signup + self.shift)

    def contexts(self) -> list[dict[str, Any]]:
        """Evaluation context of each user at the signup, as the app would send it."""
        people = self.world.people
        rows = zip(self.ids, self.signups, people.platform, people.channel, people.country, strict=True)
        return [
            {
                "targetingKey": unit,
                "createdAt": stamp(int(at)),
                "platform": PLATFORMS[platform],
                "channel": CHANNELS[channel],
                "country": COUNTRIES[country],
            }
            for unit, at, platform, channel, country in rows
        ]


@dataclass(frozen=True)
class TimeLine:
    """Boundaries of the three groups: midnights in UTC."""

    today: datetime

    @property
    def experiment(self) -> datetime:
        """The first signup of the new users, and the start of the experiment."""
        return self.today - QUIET - LENGTH

    @property
    def enrolled(self) -> datetime:
        """The end of the new users' signups."""
        return self.experiment + SIGNUPS

    @property
    def earlier(self) -> datetime:
        """The first signup of the earlier users, whose last day ends where the experiment begins."""
        return self.experiment - LENGTH

    @property
    def recent(self) -> datetime:
        """The first signup of the recent users: the last one is today."""
        return self.today - SIGNUPS


def line_of(now: datetime) -> TimeLine:
    """The time line that ends now."""
    return TimeLine(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


def population(
    name: str, units: int, seed: int, starts: datetime, arms: Ints | None = None, *, world: World = WORLD
) -> Population:
    """Users of a simulated world; without arms they are never exposed.

    Raises:
        ValueError: units or seed out of range.
    """
    outside = np.full(max(units, 0), -1, dtype=np.int64)
    return Population(name, simulate(world, units, seed, outside if arms is None else arms), starts)


def calls(who: Population, seed: int, exposures: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The users' Segment calls in the order in which they were sent, with delivery faults (`simulation.datasets`).

    Args:
        who: the users.
        seed: of the delivery faults.
        exposures: evaluation result by user id; it replaces the simulation's arm in the exposure event.
            The app's server sends exposures, and unlike some phones it has the right time.
    """
    signups = dict(zip(who.ids, who.signups.tolist(), strict=True))
    for call in replay(who.world, seed, robot_days=ROBOT_DAYS, prefix=who.prefix, shift=who.shift):
        if call["event"] == EXPOSURE:
            call["properties"] = exposures[call["userId"]]
            call["timestamp"] = stamp(signups[call["userId"]] + SECOND)
        yield call


def stamp(microseconds: int) -> str:
    """A time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def identities(who: Population) -> Iterator[dict[str, Any]]:
    """`identify` calls at the signup with the traits that segment rules use."""
    for context in who.contexts():
        traits = {name: value for name, value in context.items() if name != "targetingKey"}
        unit = context["targetingKey"]
        yield {
            "type": "identify",
            "userId": unit,
            "traits": traits,
            "timestamp": context["createdAt"],
            "messageId": f"{unit}-identify",
        }


def calls_until(
    who: Population, seed: int, exposures: dict[str, dict[str, Any]], end: datetime, seen: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Calls of the selected users before `end`; later ones haven't happened yet."""
    ids = {unit for unit, here in zip(who.ids, seen, strict=True) if here}
    last = stamp(microseconds(end))
    for call in calls(who, seed, exposures):
        if call["userId"] in ids and call["timestamp"] < last and call["sentAt"] < last:
            yield call


def exposure(answer: dict[str, Any]) -> dict[str, Any]:
    """Properties of an exposure event: experiment, arm, segment and draw from the evaluation endpoint."""
    facts = answer["metadata"]
    segment = {"segment": facts["segment"]} if "segment" in facts else {}
    return {
        "experiment_id": facts["experiment"],
        "variation_id": answer["variant"],
        "bucket": facts["bucket"],
        **segment,
        "source": "demo",
    }


# Three past experiments exported by another tool: earlier answers to the question of the demo's experiment.

USERS = 3_000
# Name, share of users whom the nudge moves, and the nudge's direct effect: the letter retains users by itself.
TESTS = tuple(zip(EARLIER_TESTS, (0.5, 0.35, 0.25), (0.0, 0.0, 1.2), strict=True))
LONG_AGO, APART, EARLIER_TESTS_LENGTH = timedelta(days=700), timedelta(days=150), timedelta(days=60)
DESIGN = Design("variant", "control", ("retained",), unit="unit", behaviour="reached")


def import_earlier_tests(folder: Path, seed: int, today: date) -> tuple[PastFinding, ...]:
    """Write the three files and import them as `import_experiment` does.

    Args:
        folder: where the files are written.
        seed: of the demo; each test has users of its own.
        today: last day of the demo's time line.

    Raises:
        Refused: a file can't be imported.
    """
    findings: list[PastFinding] = []
    for number, (name, reached, direct) in enumerate(TESTS):
        world = replace(WORLD, name=f"past-{number}", take_up=reached, delta=direct)
        path = folder / f"past-{number}.csv"
        pc.write_csv(rows_of(generate_simulate(world, USERS, seed + 10 + number)), path)
        first = today - LONG_AGO + number * APART
        defined = Definition(TARGET, WORLD.times, WORLD.within, RETENTION)
        facts = Told(gettext(name), defined, first, first + EARLIER_TESTS_LENGTH, {})
        findings += import_experiment(path, DESIGN, facts).findings
    return tuple(findings)
