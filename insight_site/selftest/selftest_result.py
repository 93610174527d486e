"""The one record of a self-test that page, JSON document, command and benchmark read. Numbers and codes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from insight_site.selftest.planted_analysis import Foretold
from insight_site.selftest.planting.moment_choice import PlantedMoment
from insight_site.selftest.planting.planted_outcomes import Plant
from runs.spent import Spent
from stats.false_alarms import FalseAlarms, clopper_pearson
from stats.results import Interval, NotComputable


class Asks(StrEnum):
    """What was asked of a planted copy."""

    CANDIDATE = "candidate"  # is the planted behaviour a candidate of a study?
    JUMP = "jump"  # does a study say "jump" at the planted threshold?
    WRONG_JUMP = "wrong_jump"  # does it say "jump" where none was planted?
    LUCK = "luck"  # is anything better than luck, where nothing has to do with retention?
    ACTIVE = "active"  # is anything better than equally active users, likewise?
    CAUSES = "causes"  # does an experiment say that the behaviour causes a gain?
    WRONG_VERDICT = "wrong_verdict"  # does it claim a gain or harm that isn't there?
    TRUTH_OUTSIDE = "truth_outside"  # does its set of effects miss the planted one?
    SEGMENTS = "segments"  # does it say that the segments differ, where they do?
    WRONG_SEGMENTS = "wrong_segments"  # and where they don't?
    STYLES = "styles"  # are the planted styles of play found as groups?
    WRONG_STYLES = "wrong_styles"  # is something called groups, where no style is left?


PLANNED = {
    Asks.WRONG_JUMP: 0.05,
    Asks.LUCK: 0.05,
    Asks.ACTIVE: 0.05,
    Asks.WRONG_VERDICT: 0.05,
    Asks.TRUTH_OUTSIDE: 0.05,
    Asks.WRONG_SEGMENTS: 0.05,
    Asks.WRONG_STYLES: 0.05,
}


@dataclass(frozen=True)
class Tally:
    """How often one thing was said over all copies of one plant.

    Attributes:
        plant: what was planted; None for the search for styles, which plants users and not outcomes.
        asks: what was asked.
        said: copies in which it was said.
        n: copies that could be asked.
    """

    plant: Plant | None
    asks: Asks
    said: int
    n: int

    @property
    def share(self) -> Interval | NotComputable:
        """said / n with its exact 95 % interval."""
        return clopper_pearson(self.said, self.n)

    @property
    def planned(self) -> float | None:
        """The rate of errors that is promised; None where saying it is right."""
        return PLANNED.get(self.asks)

    @property
    def is_off(self) -> bool:
        """More errors than promised, beyond what chance makes of so few copies."""
        share = self.share
        return self.planned is not None and isinstance(share, Interval) and share.low > self.planned


class Why(StrEnum):
    """Why these data can't show something."""

    TOO_SMALL = "too_small"  # below the floors of a study
    NO_BEHAVIOUR = "no_behaviour"  # nothing may be a candidate
    NOBODY_REACHES = "nobody_reaches"  # no number of times is reached by 5 to 80 %
    FEW_COUNTS = "few_counts"  # too few different counts for a step over a smooth curve
    LOW_DETECTION = "low_detection"  # the step test would miss most jumps of 5 points there
    NOT_APART = "not_apart"  # the step test finds something near it that may be no jump
    LOW_POWER = "low_power"  # too few users for the experiment
    NO_ROOM = "no_room"  # so many stay already that the effect doesn't fit
    NO_TRAIT = "no_trait"  # nothing known at signup divides users
    FEW_BEHAVIOURS = "few_behaviours"  # a style of play needs some to differ in
    NO_ACTIVE_USERS = "no_active_users"  # too few with enough active days for a search


@dataclass(frozen=True)
class Shortfall:
    """Something that these data can't show, with the figures of the sentence."""

    why: Why
    figures: Mapping[str, float | int | str]


@dataclass(frozen=True)
class CopyCheck:
    """The planted copy as a log: what the warehouse answers of it, and a whole study on it.

    Attributes:
        units: whose events were added or taken away, and read again.
        differing: units whose retention or counts the warehouse reads otherwise than they were planted.
        place: of the planted behaviour among the candidates of a whole study, from 1; None where it is none.
        candidates: of that study.
        step: what it says about a jump of the planted behaviour; "" where it isn't judged.
    """

    units: int
    differing: int
    place: int | None
    candidates: int
    step: str


@dataclass(frozen=True)
class PlantedEffect:
    """Where effects were planted, and how large they are in truth.

    Attributes:
        moment: the behaviour, its days and its number of times.
        gain: what those moved by a nudge gain in a planted threshold, on average, in the probability of being
            retained: less than was asked for where many stay anyway.
    """

    moment: PlantedMoment
    gain: float


@dataclass(frozen=True)
class DividingTrait:
    """What divides users for the segment difference: its name, as ``platform=ios``, and the share that has it."""

    name: str
    share: float


@dataclass(frozen=True)
class MetricOnItsPast:
    """A certified metric on past weeks: halves of users that nothing was done to."""

    key: str
    version: int
    badge: FalseAlarms | NotComputable


@dataclass(frozen=True)
class Asked:
    """What was asked of the self-test.

    Attributes:
        signup_event: starts a user's clock; ``*`` takes the first of any kind.
        retention: the outcome, as a SPEC.
        days: the windows of behaviour.
        behaviours: what is counted, as they are written; empty takes every event name.
        behaviour: that gets the effect; empty lets the data choose.
        plants: copies of each kind.
        effect: planted, in the probability of being retained: 0.1 = 10 points.
        take_up: share of nudged users who follow the nudge, 0 to 1.
        most_users: above it a sample is taken.
    """

    signup_event: str
    retention: str
    days: tuple[int, ...]
    behaviours: tuple[str, ...] = ()
    behaviour: str = ""
    plants: int = 20
    effect: float = 0.1
    take_up: float = 0.4
    most_users: int = 20_000


@dataclass(frozen=True)
class SelfTestReport:
    """A whole self-test.

    Attributes:
        asked: as frozen at the start.
        data_end: the moment up to which the data are complete, ISO, UTC.
        users: eligible ones of the log; `sampled` of them were copied.
        retained: share of the copied users who were retained in truth.
        planted: the planted threshold; None where no place was found, and then `shortfalls` says why.
        trait: what divides users into two parts at signup; None where nothing does.
        foretold: power of the threshold's experiment; None where it can't be planned.
        tallies: what was said how often.
        shortfalls: what these data can't show, and why.
        check: of the first planted copy as a log; None where nothing was planted.
        metrics: the certified ones on past weeks.
        seed: of every draw.
        versions: of the libraries.
        spent: what it took.
    """

    asked: Asked
    data_end: str
    users: int
    sampled: int
    retained: Interval | NotComputable
    planted: PlantedEffect | None
    trait: DividingTrait | None
    foretold: Foretold | None
    tallies: tuple[Tally, ...]
    shortfalls: tuple[Shortfall, ...]
    check: CopyCheck | None
    metrics: tuple[MetricOnItsPast, ...]
    seed: int
    versions: dict[str, str]
    spent: Spent | None = None

    @property
    def false_alarms(self) -> tuple[Tally, ...]:
        """What should be said rarely."""
        return tuple(row for row in self.tallies if row.planned is not None)

    @property
    def finds(self) -> tuple[Tally, ...]:
        """What should be said often, and a correlation that becomes a candidate."""
        return tuple(row for row in self.tallies if row.planned is None)
