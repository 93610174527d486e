"""The record of a self-test for page, JSON document, command and benchmark. Numbers and codes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from insight_site.selftest.planted_answers import Foretold
from insight_site.selftest.planted_effects import Plant, PlantedMoment
from launches.judge import TriedLaunches
from runs.payloads import Schema
from runs.run_times import Spent
from stats.false_alarms import FalseAlarms, clopper_pearson
from stats.results import Interval, NotComputable


class Asks(StrEnum):
    """Questions about each planted copy."""

    CANDIDATE = "candidate"  # is the planted behaviour a candidate of a study?
    JUMP = "jump"  # does a study report a jump at the planted threshold?
    WRONG_JUMP = "wrong_jump"  # does it report a jump where none was planted?
    LUCK = "luck"  # is anything better than chance, when retention is independent of everything?
    ACTIVE = "active"  # is anything better than equally active users, when nothing has an effect?
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
    """How often one finding occurred over all copies of one plant.

    Attributes:
        plant: the kind of plant; None for the style search, which changes users and not outcomes.
        asks: the question.
        said: copies with a positive answer.
        n: copies with an answer.
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
        """The nominal error rate; None if a positive answer is right."""
        return PLANNED.get(self.asks)

    @property
    def is_off(self) -> bool:
        """More errors than the nominal rate, beyond chance."""
        share = self.share
        return self.planned is not None and isinstance(share, Interval) and share.low > self.planned


class Why(StrEnum):
    """Reasons why these data can't show something."""

    TOO_SMALL = "too_small"  # below a study's minimum numbers
    NO_BEHAVIOUR = "no_behaviour"  # no behaviour may be a candidate
    NOBODY_REACHES = "nobody_reaches"  # no count is reached by 5 to 80 % of users
    FEW_COUNTS = "few_counts"  # too few distinct counts to test a step against a smooth curve
    LOW_DETECTION = "low_detection"  # the step test would miss most jumps of 5 points there
    NOT_APART = "not_apart"  # the step test finds something near it that may not be a jump
    LOW_POWER = "low_power"  # too few users for the experiment
    NO_ROOM = "no_room"  # retention is already so high that the effect doesn't fit
    NO_TRAIT = "no_trait"  # nothing known at signup divides users
    FEW_BEHAVIOURS = "few_behaviours"  # too few behaviours for a play style
    NO_ACTIVE_USERS = "no_active_users"  # too few with enough active days for a search


@dataclass(frozen=True)
class Shortfall:
    """A reason why these data can't show something, with the figures of its sentence."""

    why: Why
    figures: Mapping[str, float | int | str]


@dataclass(frozen=True)
class CopyCheck:
    """Check of a planted copy as an event log: the warehouse's answers, and a whole study.

    Attributes:
        units: units with added or removed events.
        differing: units whose retention or counts differ between warehouse and plant.
        place: rank of the planted behaviour among the candidates of a whole study, from 1; None if it is none.
        candidates: number of candidates of that study.
        step: its result of the step test for the planted behaviour; "" without one.
    """

    units: int
    differing: int
    place: int | None
    candidates: int
    step: str


@dataclass(frozen=True)
class PlantedEffect:
    """Where effects were planted, and their true size.

    Attributes:
        moment: the behaviour, its days and its number of times.
        gain: mean gain, in the probability of being retained, of users whom a nudge moves across a planted threshold:
            less than requested if many are retained anyway.
    """

    moment: PlantedMoment
    gain: float


@dataclass(frozen=True)
class DividingTrait:
    """The trait that divides users for the segment difference: its name, as ``platform=ios``, and share of users."""

    name: str
    share: float


@dataclass(frozen=True)
class MetricOnItsPast:
    """A/A tests of a certified metric: random halves of past users who were treated alike."""

    key: str
    version: int
    badge: FalseAlarms | NotComputable


@dataclass(frozen=True)
class Asked:
    """Inputs of the self-test.

    Attributes:
        signup_event: starts a user's clock; ``*`` takes the first of any kind.
        retention: the outcome, as a SPEC.
        days: the windows of behaviour.
        behaviours: behaviours to count, in text form; empty takes every event name.
        behaviour: the one that gets the effect; empty chooses by the data.
        plants: number of copies of each kind.
        effect: planted effect on the probability of being retained: 0.1 = 10 points.
        take_up: share of nudged users who follow the nudge, 0 to 1.
        most_users: above this number, a sample is used.
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
    """The whole report of a self-test.

    Attributes:
        asked: the inputs, frozen at the start.
        data_end: the moment up to which the data are complete, ISO, UTC.
        users: eligible users; `sampled` of them were copied.
        retained: real retention of the copied users, 0 to 1.
        planted: the planted threshold; None without a suitable place, with the reason in `shortfalls`.
        trait: the trait that divides users at signup; None without one.
        foretold: power of the threshold's experiment; None if it can't be planned.
        tallies: how often each finding occurred.
        shortfalls: what these data can't show, and why.
        check: of the first planted copy as a log; None if nothing was planted.
        metrics: A/A tests of certified metrics.
        seed: seed of all random numbers.
        versions: of the libraries.
        spent: time and memory used.
        launches: launches supposed at dates of the past; None where the log has no such date, and in results of 0.4.
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
    launches: TriedLaunches | None = None

    @property
    def false_alarms(self) -> tuple[Tally, ...]:
        """Tallies of findings that should be rare."""
        return tuple(row for row in self.tallies if row.planned is not None)

    @property
    def finds(self) -> tuple[Tally, ...]:
        """Tallies of findings that should be frequent, and of correlations reported as candidates."""
        return tuple(row for row in self.tallies if row.planned is None)


# Load stored payloads of self-tests. Pure.

SELF_TEST = Schema(SelfTestReport)
