"""Records of the design search: choices in a test of a behaviour, and what is known of the users. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

from stats.power.family_and_looks import USUAL_LOOKS, Method
from stats.results import NotComputable, Reason

EVERYONE = ""
ALWAYS_VALID_LOOKS = 20  # such a plan is checked each night; more looks hardly change its probabilities


class Assigned(StrEnum):
    """What units are assigned to.

    `nudge`: towards the behaviour, which measures the behaviour's effect. `switch`: the feature behind it, on or off
    for users who would use it anyway. `feature`: a feature that acts on everybody who has it. The last two measure the
    feature's effect, and only where it can be withheld.
    """

    NUDGE = "nudge"
    SWITCH = "switch"
    FEATURE = "feature"


class WhyRefused(StrEnum):
    """Why a design isn't ranked."""

    NO_TAKE_UP = "no_take_up"
    HEAD_ROOM = "head_room"
    UNCERTAIN_TAKE_UP = "uncertain_take_up"
    NOBODY_COMES = "nobody_comes"
    FLAT_OUTCOME = "flat_outcome"
    BEYOND_EVERYBODY = "beyond_everybody"
    NOBODY_USES_IT = "nobody_uses_it"
    NO_R_SQUARED = "no_r_squared"
    TOO_LATE = "too_late"


@dataclass(frozen=True)
class Audience:
    """Future users, of everyone or of one segment.

    Attributes:
        segment: its key; "" for everyone.
        per_day: units a day that may be enrolled.
        base: mean of the outcome without a nudge; for a share 0 to 1.
        sd: standard deviation of an outcome that isn't a share; None for a share.
        reach: share that reaches the behaviour without a nudge, 0 to 1.
        last_day: last day of the outcome's window.
    """

    segment: str
    per_day: float
    base: float
    sd: float | None
    reach: float
    last_day: int


@dataclass(frozen=True)
class PastTakeUp:
    """By how much a nudge raised the share of units that reach the behaviour.

    Attributes:
        nudge: experiment and arm, or a given name.
        segment: key of the segment; "" for everyone.
        take_up: nudge minus control, share of units.
        standard_error: of it; 0 for a given number, which counts as certain.
    """

    nudge: str
    segment: str
    take_up: float
    standard_error: float = 0.0


@dataclass(frozen=True)
class SearchInputs:
    """Input of the search.

    Attributes:
        effect: of the behaviour, absolute, to plan the test for.
        audiences: future users; `take_ups` of past nudges.
        r_squared: share of the outcome's variance that covariates known before assignment explain; 0 if none is known.
        alpha, power: two-sided error rate, and the probability with which a design must decide.
        deadline: days from the start at which the smallest effects are compared.
        exposure: share of units on whom the feature acts when it is given to them, above 0 to 1.
        methods: of looking at results.
        placebos: with and without a placebo arm.
    """

    effect: float
    audiences: tuple[Audience, ...]
    take_ups: tuple[PastTakeUp, ...]
    r_squared: float = 0.0
    alpha: float = 0.05
    power: float = 0.8
    deadline: int = 60
    exposure: float = 1.0
    methods: tuple[Method, ...] = (Method.FIXED, Method.GROUP_SEQUENTIAL, Method.ALWAYS_VALID)
    placebos: tuple[bool, ...] = (False, True)

    def __post_init__(self) -> None:
        if self.effect == 0 or not abs(self.effect) < float("inf"):
            raise ValueError("effect must be a number other than 0")
        if not 0 <= self.r_squared < 1:
            raise ValueError("r-squared must be at least 0 and below 1")
        if not 0 < self.alpha < self.power < 1:
            raise ValueError("alpha must lie above 0 and below power, and power below 1")
        if not 0 < self.exposure <= 1:
            raise ValueError("feature-exposure must lie above 0 and be at most 1")
        if self.deadline < 1:
            raise ValueError("deadline must be at least 1")
        if any(not -1 <= one.take_up <= 1 or one.standard_error < 0 for one in self.take_ups):
            raise ValueError("take-up must lie between -1 and 1, with an error of at least 0")


@dataclass(frozen=True)
class DesignOption:
    """One possible test design.

    Attributes:
        assigned: what is assigned; `nudge` its name, empty for a feature.
        audience: for whom.
        moved: share of units in whom the behaviour changes, with its standard error; None where no past test measured
            it.
        placebo: True for nudge against placebo, with control beside them.
        adjusted: True when adjusted for covariates known before assignment.
        method: of looking at results.
    """

    assigned: Assigned
    nudge: str
    audience: Audience
    moved: float | None
    moved_error: float
    placebo: bool
    adjusted: bool
    method: Method

    @property
    def shares(self) -> tuple[float, ...]:
        """Equal shares of the arms, control first, the placebo before the nudge."""
        arms = 3 if self.placebo else 2
        return (1 / arms,) * arms

    @property
    def looks(self) -> int:
        """Number of equally spaced looks, the last at the planned size."""
        return {Method.FIXED: 1, Method.GROUP_SEQUENTIAL: USUAL_LOOKS, Method.ALWAYS_VALID: ALWAYS_VALID_LOOKS}[
            self.method
        ]


@dataclass(frozen=True)
class JudgedDesign:
    """A design with the units it needs and its probabilities.

    Attributes:
        design: the test design.
        units: of all arms, and `per_variant` of each, control first.
        days: from the start until the last unit's outcome is known; by then it decides with the wanted power.
        chance: probability that it has decided by then if the effect is the planned one: the effect's set excludes 0
            and is bounded; averaged over the uncertainty of the take-up.
        expected_days: mean days until it decides or ends: plans with looks may end early.
        weak: probability that the first stage's F is below 10 at its end; not computable where no instrument is needed.
        smallest_effect: that it detects with the wanted power by the deadline.
        placebo_shown: probability that the placebo is shown to leave the behaviour alone; None without one.
        reasons: for its rank.
    """

    design: DesignOption
    units: int
    per_variant: tuple[int, ...]
    days: int
    chance: float
    expected_days: float
    weak: float | NotComputable
    smallest_effect: float | NotComputable
    placebo_shown: float | NotComputable | None = None
    reasons: tuple["PlaceReason", ...] = ()


@dataclass(frozen=True)
class PlaceReason:
    """A reason for a design's rank: a code with values; `experiments.report` has the words."""

    code: str
    values: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class RefusedDesign:
    """A design that isn't ranked, and why."""

    design: DesignOption
    why: WhyRefused
    values: dict[str, str | float] = field(default_factory=dict)


NO_INSTRUMENT = NotComputable(Reason.NO_INSTRUMENT)


def designs(asked: SearchInputs) -> Iterator[DesignOption]:
    """Every combination of nudge, segment, placebo, adjustment and looks; the feature itself has no placebo."""
    known = {(one.nudge, one.segment): one for one in asked.take_ups}
    nudges = tuple(dict.fromkeys(one.nudge for one in asked.take_ups)) or ("",)
    for audience, adjusted, method in product(asked.audiences, (False, True), asked.methods):
        for nudge, placebo in product(nudges, asked.placebos):
            past = known.get((nudge, audience.segment))
            moved, error = (None, 0.0) if past is None else (past.take_up, past.standard_error)
            yield DesignOption(Assigned.NUDGE, nudge, audience, moved, error, placebo, adjusted, method)
        yield DesignOption(Assigned.SWITCH, "", audience, audience.reach, 0.0, False, adjusted, method)
        yield DesignOption(Assigned.FEATURE, "", audience, asked.exposure, 0.0, False, adjusted, method)
