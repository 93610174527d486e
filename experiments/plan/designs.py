"""Designs of a test of a behaviour: the options, when each has decided, and the order with its reasons. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from itertools import product
from math import ceil, exp, log, sqrt

import numpy as np
from scipy import optimize, special, stats

from stats.instrument.dose_power import placebo_power
from stats.power import sample_size
from stats.power.family_and_looks import USUAL_LOOKS, Critical, Method, Plan, critical_values
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import crossing_by_look
from stats.summaries import Array

# Records of the design search: choices in a test of a behaviour, and what is known of the users. Pure.

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
        if any(not -1 <= past.take_up <= 1 or past.standard_error < 0 for past in self.take_ups):
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


def designs(inputs: SearchInputs) -> Iterator[DesignOption]:
    """Every combination of nudge, segment, placebo, adjustment and looks; the feature itself has no placebo."""
    known = {(take_up.nudge, take_up.segment): take_up for take_up in inputs.take_ups}
    nudges = tuple(dict.fromkeys(take_up.nudge for take_up in inputs.take_ups)) or ("",)
    for audience, adjusted, method in product(inputs.audiences, (False, True), inputs.methods):
        for nudge, placebo in product(nudges, inputs.placebos):
            past = known.get((nudge, audience.segment))
            moved, error = (None, 0.0) if past is None else (past.take_up, past.standard_error)
            yield DesignOption(Assigned.NUDGE, nudge, audience, moved, error, placebo, adjusted, method)
        yield DesignOption(Assigned.SWITCH, "", audience, audience.reach, 0.0, False, adjusted, method)
        yield DesignOption(Assigned.FEATURE, "", audience, inputs.exposure, 0.0, False, adjusted, method)


# Units, days and probabilities with which a design decides, from what is known of the users. Pure.
#
# A test of a behaviour decides when the Anderson-Rubin set excludes 0 and is bounded: the outcome's difference and
# the first stage both cross the critical value of a look. The probability of the first is the power of the intention-
# to-treat test (docs/methods/power.md, "Sequential plans"), the second is nearly certain wherever the first is
# likely; their product is a lower bound, since the two estimates go together. Probabilities are averaged over the
# uncertainty of a past take-up.

WEAK_BELOW = 10.0  # the usual threshold of F: below it the ratio's own interval is unreliable
LONGEST = 730  # days; tests of more than two years are refused
NODES = 9
SMALLEST_UNITS, LARGEST_UNITS = 1e-6, 1e10
# A verdict needs this many mature units per arm, and this many with and without the outcome
# (docs/methods/verdict.md, "Verdict"); an always-valid plan needs more units.
LEAST_UNITS, LEAST_OF_EACH, LEAST_ALWAYS_VALID = 50, 5, 100
DRIFTS = np.linspace(0.0, 8.0, 81)  # expected z at the end; at the largest every plan has decided


@dataclass(frozen=True)
class _Take:
    """Possible values of the share that is moved, with their weights."""

    values: Array
    weights: Array


def judged(inputs: SearchInputs, design: DesignOption) -> JudgedDesign | RefusedDesign:
    """Units, days and probabilities of a design, or why it isn't ranked."""
    if (refusal := _refused(inputs, design)) is not None:
        return refusal
    chances = _Chances(inputs, design)
    if chances.decided(LARGEST_UNITS) < inputs.power:
        return RefusedDesign(design, WhyRefused.UNCERTAIN_TAKE_UP, {"chance": chances.decided(LARGEST_UNITS)})
    log_units = optimize.brentq(
        lambda size: chances.decided(exp(size)) - inputs.power, log(SMALLEST_UNITS), log(LARGEST_UNITS), xtol=1e-7
    )
    least = _least(design)
    per_variant = tuple(max(ceil(exp(float(log_units)) * share - 1e-6), least) for share in design.shares)
    units, audience = sum(per_variant), design.audience
    days = sample_size.days_needed(units, audience.per_day, window_end=audience.last_day)
    if days > LONGEST:
        return RefusedDesign(design, WhyRefused.TOO_LATE, {"days": days})
    return JudgedDesign(
        design,
        units,
        per_variant,
        days,
        chances.decided(units),
        chances.expected_days(units),
        chances.weak(units),
        _smallest_by(inputs, design),
        _placebo_shown(inputs, design, per_variant),
    )


def _refused(inputs: SearchInputs, design: DesignOption) -> RefusedDesign | None:
    audience, moved = design.audience, design.moved
    if design.adjusted and inputs.r_squared == 0:
        return RefusedDesign(design, WhyRefused.NO_R_SQUARED)
    if audience.per_day <= 0:
        return RefusedDesign(design, WhyRefused.NOBODY_COMES)
    if (audience.sd is None and not 0 < audience.base < 1) or audience.sd == 0:
        return RefusedDesign(design, WhyRefused.FLAT_OUTCOME)
    if moved is None:
        return RefusedDesign(design, WhyRefused.NO_TAKE_UP)
    if design.assigned is Assigned.SWITCH and moved <= 0:
        return RefusedDesign(design, WhyRefused.NOBODY_USES_IT)
    if design.assigned is Assigned.NUDGE and moved > 1 - audience.reach:
        return RefusedDesign(design, WhyRefused.HEAD_ROOM, {"take_up": moved, "room": 1 - audience.reach})
    if moved <= 0:
        return RefusedDesign(design, WhyRefused.UNCERTAIN_TAKE_UP, {"chance": 0.0})
    if audience.sd is None and not 0 < _levels(inputs, design)[1] < 1:
        return RefusedDesign(design, WhyRefused.BEYOND_EVERYBODY, {"share": moved})
    return None


def _levels(inputs: SearchInputs, design: DesignOption, moved: float | None = None) -> tuple[float, float]:
    """Mean outcome of the comparator and of the variant. With a switch, the comparator lacks the feature's effect."""
    share = moved if moved is not None else design.moved or 0.0
    base = design.audience.base - (share * inputs.effect if design.assigned is Assigned.SWITCH else 0.0)
    return base, base + share * inputs.effect


class _Chances:
    """The probabilities of one design by its number of units."""

    def __init__(self, asked: SearchInputs, design: DesignOption) -> None:
        self.asked, self.design = asked, design
        self.critical = _critical(asked.alpha, design.method, design.looks)
        self.take = _take(design)
        # Share of all units in each of the two compared arms.
        self.arm = design.shares[0]
        self.null, self.alternative = self._errors()

    def decided(self, units: float) -> float:
        """Probability to have decided at the end."""
        return float(self._by_look(units)[-1])

    def expected_days(self, units: float) -> float:
        """Mean days until it decides or ends."""
        audience = self.design.audience
        ends = np.array([ceil(units * t / audience.per_day) + audience.last_day + 1 for t in self.critical.times])
        reached = self._by_look(units)
        stopped = np.diff(reached, prepend=0.0)
        return float(stopped @ ends + (1 - reached[-1]) * ends[-1])

    def weak(self, units: float) -> float | NotComputable:
        """Probability of F below 10 at the end: F is a noncentral chi-square with one degree of freedom."""
        if self.design.assigned is not Assigned.NUDGE:
            return NO_INSTRUMENT
        return float(self.take.weights @ stats.ncx2.cdf(WEAK_BELOW, 1, self._first_z(units) ** 2))

    def _by_look(self, units: float) -> Array:
        """Probability to have decided by each look."""
        drift = self.take.values * abs(self.asked.effect) / self.alternative * sqrt(units)
        # Bounds use the error under no effect: exact at the last look, approximate at earlier ones.
        drift = drift - self.critical.values[-1] * (self.null / self.alternative - 1)
        table = _crossed(self.critical)
        chances = np.array([np.interp(drift, DRIFTS, row) for row in table])
        if self.design.assigned is Assigned.NUDGE:
            times, values = (np.array(column)[:, None] for column in (self.critical.times, self.critical.values))
            chances *= special.ndtr(self._first_z(units) * np.sqrt(times) - values)
        weights = np.where(self.take.values > 0, self.take.weights, 0.0)
        return np.maximum.accumulate(np.asarray(chances @ weights))

    def _errors(self) -> tuple[Array, Array]:
        """Errors of the difference times the root of all units, under no effect and under the planned one."""
        adjusted = 1 - self.asked.r_squared if self.design.adjusted else 1.0
        if (sd := self.design.audience.sd) is not None:
            errors = np.full(self.take.values.shape, sd * sqrt(2 / self.arm * adjusted))
            return errors, errors
        levels = [_levels(self.asked, self.design, float(value)) for value in self.take.values]
        low, high = (np.clip([pair[at] for pair in levels], 1e-6, 1 - 1e-6) for at in (0, 1))
        middle = (low + high) / 2
        alternative = np.sqrt((low * (1 - low) + high * (1 - high)) / self.arm * adjusted)
        if self.design.method is Method.ALWAYS_VALID:
            return alternative, alternative
        return np.sqrt(2 * middle * (1 - middle) / self.arm * adjusted), alternative

    def _first_z(self, units: float) -> Array:
        """Expected z of the first stage."""
        reach = self.design.audience.reach
        high = np.clip(reach + self.take.values, 0.0, 1.0)
        variance = (reach * (1 - reach) + high * (1 - high)) / (units * self.arm)
        return np.asarray(self.take.values / np.sqrt(np.maximum(variance, 1e-300)))


@lru_cache(maxsize=64)
def _critical(alpha: float, method: Method, looks: int) -> Critical:
    """Critical z at the looks, which depends only on these arguments."""
    return critical_values(Plan(baseline=0.5, alpha=alpha, power=(1 + alpha) / 2, method=method, looks=looks))


def _take(design: DesignOption) -> _Take:
    """The past take-up with its uncertainty: Gauss-Hermite nodes of its normal distribution."""
    moved = design.moved or 0.0
    if design.moved_error == 0:
        return _Take(np.array([moved]), np.array([1.0]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    most = 1 - design.audience.reach
    return _Take(np.minimum(moved + design.moved_error * nodes, most), weights / weights.sum())


@lru_cache(maxsize=64)
def _crossed(critical: Critical) -> tuple[Array, ...]:
    """Probability to have crossed the upper bound by each look, for each of `DRIFTS`."""
    if len(critical.times) == 1:
        return (np.asarray(stats.norm.sf(critical.values[0] - DRIFTS)),)
    by_drift = [crossing_by_look(critical.times, critical.values, drift=float(drift)) for drift in DRIFTS]
    return tuple(np.array([looks[k][0] for looks in by_drift]) for k in range(len(critical.times)))


def _least(design: DesignOption) -> int:
    """Minimum units per arm for a verdict."""
    audience = design.audience
    least = LEAST_ALWAYS_VALID if design.method == "always_valid" else LEAST_UNITS
    if audience.sd is not None:
        return least
    return max(least, ceil(LEAST_OF_EACH / min(audience.base, 1 - audience.base)))


def _smallest_by(inputs: SearchInputs, design: DesignOption) -> float | NotComputable:
    """The smallest effect detectable with the units whose outcome is known by the deadline."""
    audience = design.audience
    units = audience.per_day * (inputs.deadline - audience.last_day - 1)
    if units * design.shares[0] < _least(design):
        return NotComputable(Reason.NO_OUTCOME_BY_THEN, {"days": inputs.deadline})
    sign, largest = (1.0 if inputs.effect > 0 else -1.0), _largest_effect(inputs, design)

    def short(size: float) -> float:
        return _Chances(replace(inputs, effect=sign * size), design).decided(units) - inputs.power

    if short(largest) < 0:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    return float(optimize.brentq(short, largest * 1e-6, largest, xtol=largest * 1e-6))


def _largest_effect(inputs: SearchInputs, design: DesignOption) -> float:
    """The largest possible effect: a share stays within 0 and 1."""
    audience, moved = design.audience, design.moved or 1.0
    if audience.sd is not None:
        return 1e3 * audience.sd / moved
    upwards = (inputs.effect > 0) is (design.assigned is not Assigned.SWITCH)
    return min((1 - audience.base if upwards else audience.base) / moved, 1.0) * (1 - 1e-6)


def _placebo_shown(
    inputs: SearchInputs, design: DesignOption, per_variant: tuple[int, ...]
) -> float | NotComputable | None:
    if not design.placebo:
        return None
    return placebo_power(
        design.audience.reach, design.moved or 0.0, (per_variant[0], per_variant[1]), alpha=inputs.alpha
    )


# Rank designs by the days until they decide, each with the reason for its rank; list refused ones. Pure.

LEAST_DAYS = 0.05  # smaller differences are no reason for a rank
WEAK_CHANCE = 0.05  # above it the table warns of a weak instrument


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        ranked: designs by their mean days until they decide, the fastest first.
        refused: the others.
    """

    ranked: tuple[JudgedDesign, ...]
    refused: tuple[RefusedDesign, ...]


def search(inputs: SearchInputs) -> SearchResult:
    """All designs, judged and ranked.

    Raises:
        ValueError: for an invalid value.
    """
    candidates = [judged(inputs, design) for design in designs(inputs)]
    good = sorted((candidate for candidate in candidates if isinstance(candidate, JudgedDesign)), key=_place)
    by_design = {_choices(candidate.design): candidate for candidate in good}
    ranked = tuple(
        replace(candidate, reasons=tuple(_reasons(at, candidate, by_design))) for at, candidate in enumerate(good)
    )
    return SearchResult(ranked, tuple(candidate for candidate in candidates if isinstance(candidate, RefusedDesign)))


def proposal(result: SearchResult) -> JudgedDesign | None:
    """The fastest test with a placebo, which also measures the direct effect of being nudged.

    Without such a design, the fastest test of a nudge; without any, None.
    """
    nudges = [candidate for candidate in result.ranked if candidate.design.assigned is Assigned.NUDGE]
    return next((candidate for candidate in nudges if candidate.design.placebo), nudges[0] if nudges else None)


def _place(candidate: JudgedDesign) -> tuple[float, int, int]:
    """Sort key: mean days to a tenth, then days until the end, then units."""
    return round(candidate.expected_days, 1), candidate.days, candidate.units


type Choices = tuple[str, str, str, bool, bool, str]


def _choices(design: DesignOption) -> Choices:
    return (
        design.assigned.value,
        design.nudge,
        design.audience.segment,
        design.placebo,
        design.adjusted,
        design.method.value,
    )


def _reasons(place: int, candidate: JudgedDesign, others: dict[Choices, JudgedDesign]) -> Iterable[PlaceReason]:
    """Days that each choice costs or saves, against the same design with the other choice."""
    design = candidate.design
    if place == 0:
        yield PlaceReason("soonest")
    if design.assigned is not Assigned.NUDGE:
        yield PlaceReason(f"{design.assigned}_itself")

    def against(**changes: object) -> float | None:
        other = others.get(_choices(replace(design, **changes)))  # type: ignore[arg-type]
        days = None if other is None else candidate.expected_days - other.expected_days
        return None if days is None or abs(days) < LEAST_DAYS else days

    if design.placebo and (days := against(placebo=False)) is not None:
        yield PlaceReason("placebo_costs", {"days": days})
    elif design.assigned is Assigned.NUDGE and not design.placebo:
        yield PlaceReason("no_placebo")
    if design.adjusted and (days := against(adjusted=False)) is not None:
        yield PlaceReason("adjustment_saves", {"days": -days})
    if design.method is not Method.FIXED and (days := against(method=Method.FIXED)) is not None:
        yield PlaceReason("looks_save" if days < 0 else "looks_cost", {"days": abs(days)})
    if design.audience.segment != EVERYONE:
        yield from _segment(candidate, others)
    if computable(candidate.weak) and candidate.weak > WEAK_CHANCE:
        yield PlaceReason("may_be_weak", {"chance": candidate.weak})


def _segment(candidate: JudgedDesign, others: dict[Choices, JudgedDesign]) -> Iterable[PlaceReason]:
    design = candidate.design
    everyone = next((key for key in others if key == (*_choices(design)[:2], EVERYONE, *_choices(design)[3:])), None)
    values: dict[str, str | float] = {"per_day": design.audience.per_day, "moved": design.moved or 0.0}
    if everyone is None:
        yield PlaceReason("segment", values)
        return
    days = candidate.expected_days - others[everyone].expected_days
    yield PlaceReason("segment_sooner" if days < 0 else "segment_later", {**values, "days": abs(days)})
