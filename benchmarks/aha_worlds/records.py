"""What an entry is given and what it answers. Arrays are numpy; a share runs from 0 to 1."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

LONGEST_DAYS, MOST_TIMES = 7, 10


@dataclass(frozen=True)
class Moment:
    """A behaviour done at least `times` times within `days` days of signing up (1: the first 24 hours)."""

    behaviour: str
    times: int
    days: int


@dataclass(frozen=True, eq=False)
class Log:
    """The first week of users whom nobody nudged, and who stayed.

    Attributes:
        behaviours: event names.
        counts: users × behaviours × 7; [user, b, y - 1] is how often the user did b within y days.
        active: users × 7, days with any event within y days.
        week: per user, number of the signup week.
        retained: per user, active on any of the days 21 to 27.
    """

    behaviours: tuple[str, ...]
    counts: Ints
    active: Ints
    week: Ints
    retained: Flags

    def did(self, moment: Moment) -> Flags:
        """Per user, whether the moment was reached."""
        place = self.behaviours.index(moment.behaviour)
        return np.asarray(self.counts[:, place, moment.days - 1] >= moment.times)


@dataclass(frozen=True, eq=False)
class Experiment:
    """A finished experiment on other users: half were nudged towards the behaviour, and the exposures are its rows.

    Attributes:
        users: one row a user: unit, variant (control, nudge, placebo), platform, channel, country, guild, reached
            (1: did the behaviour often enough), retained (0 or 1); where the nudge may move others too, a column of 0
            and 1 for each other behaviour.
        moment: the behaviour that the nudge is for.
        by_guild: whole guilds were assigned, not users.
    """

    users: pa.Table
    moment: Moment
    by_guild: bool

    def column(self, name: str, variant: str | None = None) -> npt.NDArray[np.float64]:
        """A 0/1 column as numbers, of one variant or of all rows."""
        values = np.asarray(self.users.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)
        if variant is None:
            return values
        return np.asarray(values[self.users.column("variant").to_numpy(zero_copy_only=False) == variant])


@dataclass(frozen=True)
class Answer:
    """What an entry says of one world.

    Attributes:
        moment: the AHA moment, or None for "there is none". An entry that doesn't look for one is registered so.
        cause: whether a team that follows the entry concludes that the behaviour changes retention.
        effect: of the behaviour on retention, in shares; None where the entry gives none.
        intervals: the effects that aren't ruled out at 95 %, as disjoint pieces; None is an unbounded side.
        of: whose effect it is: `everyone`, or those whom the nudge `moved` across the threshold.
        reason: why something is missing, or the entry's own word for its finding.
    """

    moment: Moment | None
    cause: bool
    effect: float | None = None
    intervals: tuple[tuple[float | None, float | None], ...] = ()
    of: str = "everyone"
    reason: str = ""


type Play = Callable[[Log, Experiment | None], Answer]


@dataclass(frozen=True)
class Entry:
    """A method that takes part.

    Attributes:
        name: its heading in the tables.
        play: a function of the log and the experiment (None where the world has none); it draws no random number that
            isn't seeded.
        rule: what it does, in a sentence.
        source: where that definition is published.
        finds_moment: whether it looks for a moment; if not, it judges the one that the experiment is about.
        needs_experiment: whether it says nothing where the world has no experiment.
    """

    name: str
    play: Play
    rule: str
    source: str
    finds_moment: bool = True
    needs_experiment: bool = False
