"""Effects corrected for a plan's looks, for the AHA moment, the calibration page and the price. Pure.

A plan that may stop early stops when the difference is large by luck. For plans with planned looks the stage-wise
estimate takes the place of the plain one (docs/methods/comparison.md, "Effect after a plan with planned looks"). For
plans that may be read at any time no such estimate is known; their interval holds, and its centre is called optimistic.
Pools use the plain effects of all plans (`experiments.analyse.export_findings`).
"""

from collections.abc import Sequence

from scipy import stats

from experiments.analyse.effects import Comparison, Corrected, OutcomeReport
from experiments.analyse.result import LookTaken, Maturity, Opened
from experiments.plan.record import Plan
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.stagewise import stagewise


def correct(
    plan: Plan, maturity: Maturity, outcome: OutcomeReport, earlier: Sequence[LookTaken]
) -> tuple[Corrected, ...]:
    """Corrected effects on the first outcome, of a plan with planned looks that is over or may end here.

    Args:
        plan: with its amendments.
        maturity: of this look.
        outcome: the first.
        earlier: looks taken before, oldest first.

    Returns:
        One row per variant: all of them at the last look, before it those whose bound is crossed at this look.
    """
    if plan.method != "group_sequential":
        return ()
    rows = []
    for row in outcome.comparisons:
        what = measured(plan, row.compared_with or plan.arms[0])
        mine = [look for look in earlier if look.variant == row.variant and not look.peeked and look.measured == what]
        if maturity.final or _significant(row, plan.alpha):
            rows.append(_corrected(plan, maturity, row, mine))
    return tuple(rows)


def measured(plan: Plan, comparator: str) -> str:
    """Text key of what a look measures; looks against a placebo have another key than looks against control."""
    return plan.measured if comparator == plan.arms[0] else f"{plan.measured} | {comparator}"


def _significant(row: Comparison, alpha: float) -> bool:
    return computable(row.difference) and row.difference.p_value < alpha


def _corrected(plan: Plan, maturity: Maturity, row: Comparison, mine: Sequence[LookTaken]) -> Corrected:
    effect = row.difference
    if not computable(effect):
        return Corrected(row.variant, effect, None)
    # Whitehead 1992: a look with the units that were still maturing at a crossed bound replaces the crossing look.
    before = []
    for look in mine:
        if abs(look.z) >= look.critical:
            break
        before.append((max(look.fraction, 1e-6), look.critical))
    difference = stagewise(
        effect.estimate, effect.standard_error, fraction=max(maturity.fraction, 1e-6), before=before, alpha=plan.alpha
    )
    if row.encouragement is None or not computable(difference):
        return Corrected(row.variant, difference, None)
    take_up = row.encouragement.take_up
    if not computable(take_up) or take_up.difference == 0:
        return Corrected(row.variant, difference, NotComputable(Reason.NO_FIRST_STAGE))
    return Corrected(row.variant, difference, difference.estimate / take_up.difference)


def of_variant(opened: Opened, variant: str) -> Corrected | None:
    """The corrected effect of one variant, where the plan had looks before its last."""
    row = next((row for row in opened.corrected if row.variant == variant), None)
    return row if row is not None and computable(row.difference) and row.difference.looks > 1 else None


def best_difference(opened: Opened, row: Comparison) -> Estimate | NotComputable:
    """The nudge's effect for use outside the report: the stage-wise one where the plan had looks."""
    corrected, effect = of_variant(opened, row.variant), row.difference
    if corrected is None or not computable(effect) or not computable(corrected.difference):
        return effect
    difference = corrected.difference
    return Estimate(
        difference.estimate,
        _error(difference.high - difference.low, difference.level),
        difference.low,
        difference.high,
        difference.p_value,
        difference.level,
        difference.method,
    )


def best_effect(opened: Opened, row: Comparison) -> tuple[float, float] | NotComputable:
    """The behaviour's effect among compliers and its standard error, for use outside the report.

    When corrected: the stage-wise effect of the nudge divided by the first stage; the Wald error is scaled as the
    nudge's own is. The Anderson-Rubin set at the look's critical value stays the set that decides.
    """
    if row.encouragement is None:
        return NotComputable(Reason.NO_DATA)
    effect, corrected = row.encouragement.effect, of_variant(opened, row.variant)
    if not computable(effect):
        return effect
    plain, best = row.difference, best_difference(opened, row)
    if corrected is None or corrected.effect is None or not computable(plain) or not computable(best):
        return effect.estimate, effect.standard_error
    if not computable(corrected.effect):
        return corrected.effect
    return corrected.effect, effect.standard_error * best.standard_error / plain.standard_error


def _error(width: float, level: float) -> float:
    return width / (2 * float(stats.norm.isf((1 - level) / 2)))
