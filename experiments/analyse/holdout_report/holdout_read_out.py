"""Compute a reading of a holdout from moments by side. Pure.

The difference is the rest minus the holdout over all units that count, whatever they were exposed to: a comparison by
intention to treat.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime

import numpy as np
from scipy import stats

from experiments.analyse.holdout_report.holdout_lock import OPEN, WAITING, Due
from experiments.analyse.holdout_report.holdout_question import HELD, REST, HoldoutQuestion
from experiments.analyse.holdout_report.holdout_result import HoldoutLook, HoldoutReport, Shipment, SideLevel
from experiments.analyse.holdout_report.sides import SideMoments
from experiments.plan.design import Kind, kind_of
from stats.compare import compare_means, compare_proportions, compare_unpooled, lift, wilson
from stats.ratios import linearised
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.sequential.boundaries import FEWEST_MATURE, Spending
from stats.sequential.looks import Look, at_look
from stats.srm import SampleRatio, any_look_p, evidence_against_split, sample_ratio
from stats.summaries import Joint, Mean
from stats.winners_curse import SummedEffects

# One error rate of .001 for a broken draw, as in experiments; the test of all units gets most of it. Both tests run
# every night, so both are valid at every look.
BROKEN, OF_ALL = 0.001, 0.8


def read_holdout(
    asked: HoldoutQuestion,
    at: Due,
    found: SideMoments,
    *,
    earlier: Sequence[HoldoutLook],
    shipped: tuple[Shipment, ...],
    sums: SummedEffects | NotComputable,
    earlier_readings: int = 0,
) -> HoldoutReport:
    """Compute one reading, as far as its plan allows.

    Args:
        asked: the plan.
        at: the reading that is due.
        found: moments by side, of data up to `at.until`.
        earlier: readings of the outcome before this one, oldest first.
        shipped: changes since the date.
        sums: of the findings of their experiments.
        earlier_readings: how often other plans have read the outcome of this holdout.

    Returns:
        The report. Before the outcome may be read it holds counts, the sample ratio and what was shipped.
    """
    mature = {side: joint.n for side, joint in found.outcome.items()}
    overall, p_overall = _split(found.units, asked, OF_ALL)
    of_mature, p_mature = _split(mature, asked, 1 - OF_ALL)
    is_open = at.state == OPEN and min(mature.values()) >= (FEWEST_MATURE if asked.method == "always_valid" else 0)
    looks, levels, difference, relative = tuple(earlier), {}, None, None
    if is_open and at.reading is not None:
        look = _look(asked, sum(mature.values()), earlier, final=at.final)
        kind = kind_of(asked.outcome)
        control, variant = (_summary(found.outcome[side]) for side in (HELD, REST))
        difference = _compare(kind, control, variant, look)
        relative = _both(control, variant, lambda a, b: lift(a, b, alpha=look.nominal_alpha))
        levels = {side: _level(kind, one) for side, one in ((HELD, control), (REST, variant))}
        if computable(difference) and difference.standard_error > 0:
            looks += (_taken(asked, at.reading, sum(mature.values()), difference, look),)
    return HoldoutReport(
        asked=asked,
        state=OPEN if is_open else WAITING,
        why=at.why if is_open or at.state == WAITING else "too_few",
        reading=at.reading if is_open else None,
        next_on=at.next_on,
        final=at.final and is_open,
        data_end=_iso(at.until),
        units=found.units,
        mature=mature,
        sample_ratio=overall,
        sample_ratio_mature=of_mature,
        broken=min(p_overall, p_mature) < BROKEN,
        kind=str(kind_of(asked.outcome)),
        levels=levels,
        difference=difference,
        lift=relative,
        looks=looks,
        shipped=shipped,
        sums=sums,
        earlier_readings=earlier_readings,
    )


def _split(units: dict[str, int], asked: HoldoutQuestion, share: float) -> tuple[SampleRatio | NotComputable, float]:
    """The one-look test shown on the page, and the p-value that holds every night."""
    found = sample_ratio(units, asked.shares)
    return found, any_look_p(evidence_against_split([(units, asked.shares)]), share=share)


def _look(asked: HoldoutQuestion, units: int, earlier: Sequence[HoldoutLook], *, final: bool) -> Look:
    planned = asked.planned_units or max(units, 1)
    fractions = tuple(one.fraction for one in earlier if one.fraction is not None)
    return Look(
        alpha=asked.alpha,
        method=asked.method,
        units=max(units, 1),
        planned_units=planned,
        fractions=(*fractions, max(units / planned, 1e-6)),
        spending=Spending(asked.spending),
        final=final,  # its date was fixed in advance, so it may spend all the remaining alpha
    )


def _summary(side: Joint) -> Mean | NotComputable:
    """The outcome of one side; a ratio is linearised."""
    if len(side.means) == 1:
        return side.column(0)
    if side.n == 0 or side.means[1] == 0:
        return NotComputable(Reason.NO_DENOMINATOR if side.n else Reason.NO_DATA)
    means, covariance = linearised(side.means[None, :], side.covariance[None, :, :], side.means[:2])
    return Mean(side.n, float(means[0, 0]), max(float(np.asarray(covariance)[0, 0, 0]), 0.0))


def _both[T](
    control: Mean | NotComputable, variant: Mean | NotComputable, then: Callable[[Mean, Mean], T]
) -> T | NotComputable:
    if not computable(control):
        return control
    return then(control, variant) if computable(variant) else variant


def _compare(
    kind: Kind, control: Mean | NotComputable, variant: Mean | NotComputable, look: Look
) -> Estimate | NotComputable:
    tests = {Kind.PROPORTION: compare_proportions, Kind.MEAN: compare_means, Kind.RATIO: compare_unpooled}
    return at_look(_both(control, variant, lambda a, b: tests[kind](a, b, alpha=look.nominal_alpha)), look)


def _level(kind: Kind, one: Mean | NotComputable) -> SideLevel:
    """Level of one side with a plain interval of 95 %."""
    if not computable(one):
        return SideLevel(0, one)
    if one.n < 2:
        return SideLevel(one.n, NotComputable(Reason.TOO_FEW_UNITS, {"n": one.n, "needed": 2}))
    if kind is Kind.PROPORTION:
        return SideLevel(one.n, wilson(one.successes, one.n))
    half = one.standard_error * float(stats.t.isf(0.025, one.n - 1))
    return SideLevel(one.n, Interval(one.mean, one.mean - half, one.mean + half, 0.95, "mean-interval"))


def _taken(asked: HoldoutQuestion, on: date, units: int, found: Estimate, look: Look) -> HoldoutLook:
    return HoldoutLook(
        on=on,
        units=units,
        fraction=None if asked.planned_units is None else look.fractions[-1],
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        z=found.estimate / found.standard_error,
        critical=look.multiplier,
        p_value=found.p_value,
    )


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
