"""What a reading of a holdout says, computed from moments by side, as it is stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from experiments.analyse.across.holdout_question import HELD, OPEN, REST, WAITING, Due, HoldoutQuestion
from experiments.analyse.comparison.protocol import level_of, plain_difference
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_ALARM
from experiments.plan.design import Kind, kind_of
from runs.payloads import Schema
from stats.compare import lift
from stats.ratios import mean_of_ratio
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.sequential.boundaries import FEWEST_MATURE, Spending
from stats.sequential.looks import Look, at_look
from stats.srm import SampleRatio, any_look_p, evidence_against_split, sample_ratio
from stats.summaries import Joint, Mean
from stats.winners_curse import SummedEffects

# Records of a holdout reading, as they are stored. Pure.
#
# While the outcome is locked the report holds counts, the sample ratio and the findings of single experiments, which
# are visible already.


@dataclass(frozen=True)
class SideLevel:
    """The outcome on one side: n mature units, and their mean with its interval."""

    n: int
    mean: Interval | NotComputable


@dataclass(frozen=True)
class HoldoutLook:
    """One reading of the outcome.

    Attributes:
        on: date of the reading.
        units: mature units of both sides.
        fraction: of the planned units; None with one reading.
        estimate: the rest minus the holdout, with the interval that holds at all readings together.
        low, high: its limits.
        z: estimate over its standard error; `critical` what its absolute value had to reach.
        p_value: over all readings.
    """

    on: date
    units: int
    fraction: float | None
    estimate: float
    low: float
    high: float
    z: float
    critical: float
    p_value: float


@dataclass(frozen=True)
class Shipment:
    """One shipped change and the finding of its own experiment.

    Attributes:
        experiment: key; `name` is its display name.
        variant: the arm that was shipped.
        on: local date.
        keeps_out: True when units of this holdout don't get it; False: it reaches both sides, so the report can't
            measure it.
        effect: of the nudge on all exposed units, by the final analysis; None where `why` has a code.
        why: code of why it isn't in the sums: `other_outcome`, `reaches_both`, `not_computable`; "" when it is.
    """

    experiment: str
    name: str
    variant: str
    on: date
    keeps_out: bool
    effect: Estimate | None
    why: str


@dataclass(frozen=True)
class HoldoutReport:
    """One reading.

    Attributes:
        asked: the plan.
        state: `open` or `waiting`; `why` as `experiments.analyse.across.holdout_question.Due`, or `too_few`.
        reading: its date; `next_on` that of the next one.
        final: True for the last reading.
        data_end: moment up to which data were read, ISO.
        units: by side, of those who count; `mature` with a known outcome.
        sample_ratio: of all units; `sample_ratio_mature` of the mature ones.
        broken: True when one of them shows that the sides don't have the planned shares: then no figure below can be
            trusted.
        kind: of the outcome.
        levels: by side; empty while locked.
        difference: the rest minus the holdout: joint effect of everything shipped; None while locked.
        lift: the same, relative to the holdout.
        looks: all readings so far, oldest first.
        shipped: changes since the date, oldest first.
        sums: of the findings of their experiments.
        earlier_readings: how often other plans have read the outcome of this holdout before.
    """

    asked: HoldoutQuestion
    state: str
    why: str
    reading: date | None
    next_on: date | None
    final: bool
    data_end: str
    units: Mapping[str, int]
    mature: Mapping[str, int]
    sample_ratio: SampleRatio | NotComputable
    sample_ratio_mature: SampleRatio | NotComputable
    broken: bool
    kind: str
    levels: Mapping[str, SideLevel]
    difference: Estimate | NotComputable | None
    lift: Interval | NotComputable | None
    looks: tuple[HoldoutLook, ...]
    shipped: tuple[Shipment, ...]
    sums: SummedEffects | NotComputable
    earlier_readings: int


HOLDOUT = Schema(HoldoutReport)


@dataclass(frozen=True)
class SideMoments:
    """Moments of both sides.

    Attributes:
        units: number that count, by side.
        outcome: joint moments of the outcome (and its denominator) over the mature ones, by side.
    """

    units: dict[str, int]
    outcome: dict[str, Joint]


# Compute a reading of a holdout from moments by side, with the comparison that experiments have. Pure.
#
# The difference is the rest minus the holdout over all units that count, whatever they were exposed to: a comparison
# by intention to treat.

# Share of the error rate for a broken draw that the test of all units gets. Both tests run every night, so both hold at
# every look.
OF_ALL = 0.8


def read_holdout(
    question: HoldoutQuestion,
    at: Due,
    moments: SideMoments,
    *,
    earlier: Sequence[HoldoutLook],
    shipped: tuple[Shipment, ...],
    sums: SummedEffects | NotComputable,
    earlier_readings: int = 0,
) -> HoldoutReport:
    """Compute one reading, as far as its plan allows.

    Args:
        question: the plan.
        at: the reading that is due.
        moments: moments by side, of data up to `at.until`.
        earlier: readings of the outcome before this one, oldest first.
        shipped: changes since the date.
        sums: of the findings of their experiments.
        earlier_readings: how often other plans have read the outcome of this holdout.

    Returns:
        The report. Before the outcome may be read it holds counts, the sample ratio and what was shipped.
    """
    mature = {side: joint.n for side, joint in moments.outcome.items()}
    overall, p_overall = _split(moments.units, question, OF_ALL)
    of_mature, p_mature = _split(mature, question, 1 - OF_ALL)
    is_open = at.state == OPEN and min(mature.values()) >= (FEWEST_MATURE if question.method == "always_valid" else 0)
    looks, levels, difference, relative = tuple(earlier), {}, None, None
    if is_open and at.reading is not None:
        look = _look(question, sum(mature.values()), earlier, final=at.final)
        kind = kind_of(question.outcome)
        control, variant = (_summary(moments.outcome[side]) for side in (HELD, REST))
        difference, relative = _compare(kind, control, variant, look)
        levels = {side: _level(kind, mean) for side, mean in ((HELD, control), (REST, variant))}
        if computable(difference) and difference.standard_error > 0:
            looks += (_taken(question, at.reading, sum(mature.values()), difference, look),)
    return HoldoutReport(
        asked=question,
        state=OPEN if is_open else WAITING,
        why=at.why if is_open or at.state == WAITING else "too_few",
        reading=at.reading if is_open else None,
        next_on=at.next_on,
        final=at.final and is_open,
        data_end=at.until.replace(tzinfo=None).isoformat(timespec="seconds") + "Z",
        units=moments.units,
        mature=mature,
        sample_ratio=overall,
        sample_ratio_mature=of_mature,
        broken=min(p_overall, p_mature) < SAMPLE_RATIO_ALARM,
        kind=str(kind_of(question.outcome)),
        levels=levels,
        difference=difference,
        lift=relative,
        looks=looks,
        shipped=shipped,
        sums=sums,
        earlier_readings=earlier_readings,
    )


def _split(units: dict[str, int], question: HoldoutQuestion, share: float) -> tuple[SampleRatio | NotComputable, float]:
    """The one-look test shown on the page, and the p-value that holds every night."""
    test = sample_ratio(units, question.shares)
    return test, any_look_p(evidence_against_split([(units, question.shares)]), share=share)


def _look(question: HoldoutQuestion, units: int, earlier: Sequence[HoldoutLook], *, final: bool) -> Look:
    planned = question.planned_units or max(units, 1)
    fractions = tuple(look.fraction for look in earlier if look.fraction is not None)
    return Look(
        alpha=question.alpha,
        method=question.method,
        units=max(units, 1),
        planned_units=planned,
        fractions=(*fractions, max(units / planned, 1e-6)),
        spending=Spending(question.spending),
        final=final,  # its date was fixed in advance, so it may spend all the remaining alpha
    )


def _summary(side: Joint) -> Mean | NotComputable:
    """The outcome of one side; a ratio is linearised."""
    if len(side.means) == 1:
        return side.column(0)
    if side.n == 0 or side.means[1] == 0:
        return NotComputable(Reason.NO_DENOMINATOR if side.n else Reason.NO_DATA)
    return mean_of_ratio(side)


def _compare(
    kind: Kind, control: Mean | NotComputable, variant: Mean | NotComputable, look: Look
) -> tuple[Estimate | NotComputable, Interval | NotComputable]:
    """The rest minus the holdout, and the lift."""
    if not computable(control):
        return control, control
    if not computable(variant):
        return variant, variant
    alpha = look.nominal_alpha
    return at_look(plain_difference(kind, control, variant, alpha=alpha), look), lift(control, variant, alpha=alpha)


def _level(kind: Kind, mean: Mean | NotComputable) -> SideLevel:
    """Level of one side with a plain interval of 95 %."""
    if not computable(mean):
        return SideLevel(0, mean)
    if mean.n < 2:
        return SideLevel(mean.n, NotComputable(Reason.TOO_FEW_UNITS, {"n": mean.n, "needed": 2}))
    return SideLevel(mean.n, level_of(kind, mean, alpha=0.05).interval)


def _taken(question: HoldoutQuestion, on: date, units: int, difference: Estimate, look: Look) -> HoldoutLook:
    return HoldoutLook(
        on=on,
        units=units,
        fraction=None if question.planned_units is None else look.fractions[-1],
        estimate=difference.estimate,
        low=difference.low,
        high=difference.high,
        z=difference.estimate / difference.standard_error,
        critical=look.multiplier,
        p_value=difference.p_value,
    )
