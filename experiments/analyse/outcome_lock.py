"""Whether the outcome may be read: by the plan's method, from mature units only. Pure.

Information is counted in mature units (docs/methods/retention.md, "Maturity in experiments"): an exposed unit whose
outcome isn't known yet carries no information.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.result import LookTaken, Maturity, State
from experiments.plan.analysed import Analysed
from experiments.plan.derived import result_on
from experiments.plan.lab import sides
from experiments.plan.record import Plan
from stats.sequential.boundaries import FEWEST_MATURE, Spending
from stats.sequential.looks import Look

# Used by plans with planned looks that name none: five of equal size.
USUAL_LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)


def maturity_of(
    analysed: Analysed, answers: Answers, *, looks: Sequence[LookTaken], peek: bool, today: date
) -> Maturity:
    """Whether this analysis may read the outcome, and why.

    Args:
        analysed: the plan with its amendments.
        answers: from the warehouse.
        looks: taken so far, of any variant.
        peek: True when a person asked to see the outcome of a fixed plan before its time.
        today: local date.
    """
    plan, history = analysed.plan, analysed.history
    exposed = units_by_arm(answers.cells, answers.cells.exposed)
    mature = mature_by_arm(plan, answers.cells)
    fraction = sum(mature.values()) / max(plan.planned_units or 0, 1)
    final = history.enrolment_ended is not None and sum(mature.values()) == sum(exposed.values()) > 0
    opens_on = _opens_on(analysed, answers, today)
    rule = {"fixed": _fixed, "group_sequential": _planned_looks, "always_valid": _any_time}[plan.method]
    is_open, why = rule(analysed, mature, fraction, looks, final=final)
    peeked = not is_open and peek and plan.method == "fixed" and sum(mature.values()) > 0
    return Maturity(
        state=State.OPEN if is_open or peeked else State.PENDING,
        why="peek" if peeked else why,
        opens_on=None if is_open else opens_on,
        final=final,
        peeked=peeked,
        fraction=fraction,
        exposed=exposed,
        mature=mature,
        rule=rule_of(analysed, fraction, looks, final=final) if plan.method == "group_sequential" else "",
    )


def looks_of(
    plan: Plan, maturity: Maturity, earlier: Sequence[LookTaken], against: Mapping[str, str] | None = None
) -> dict[str, Look]:
    """How each variant's comparison is judged at this look; a peek at a fixed plan is judged as if it were the end.

    A final look spends all the remaining alpha only if it wasn't chosen as the last because of results seen
    (`rule_of`). `against` names the comparators that aren't control.
    """
    spending = Spending(plan.spending)
    fractions = fractions_of(earlier, maturity.fraction)
    rest = maturity.rule in SPENDS_THE_REST
    planned_looks = tuple(share for share in plan.looks or USUAL_LOOKS if share < 1)
    other = {label: (against or {}).get(label, plan.arms[0]) for label in plan.arms[1:]}
    return {
        label: Look(
            alpha=plan.alpha,
            method=plan.method,
            units=max(_mature_pair(plan, maturity.mature, label, other[label]), 1),
            planned_units=planned_pair(plan, label, other[label]),
            fractions=fractions,
            spending=spending,
            final=maturity.final,
            rest=rest,
            planned_looks=(*planned_looks, 1.0),
        )
        for label in plan.arms[1:]
    }


def _mature_pair(plan: Plan, mature: Mapping[str, int], label: str, other: str) -> int:
    """Mature units of one variant and its comparator; of a lab's nudge all those with and without it."""
    return sum(mature[arm] for arm in (sides(mature, label) if plan.is_lab else (other, label)))


def planned_pair(plan: Plan, label: str, other: str | None = None) -> int:
    """Planned mature units of one variant and its comparator (control unless `other` is given) together.

    A lab's nudge is compared over all units.
    """
    if plan.is_lab:
        return max(plan.planned_units or 0, 1)
    shares = next(iter(plan.shares.values()))
    share = shares[0 if other is None else plan.arms.index(other)] + shares[plan.arms.index(label)]
    return max(round((plan.planned_units or 0) * share), 1)


def mature_by_arm(plan: Plan, cells: Cells) -> dict[str, int]:
    """Units by arm with every primary outcome known."""
    return units_by_arm(cells, mature_units(plan, cells))


def mature_units(plan: Plan, cells: Cells) -> np.ndarray:
    """Units per cell with every primary outcome known."""
    blocks = [cells.blocks[name].n for name in plan.primary if name in cells.blocks]
    return np.minimum.reduce(blocks) if blocks else np.zeros_like(cells.exposed)


def units_by_arm(cells: Cells, units: np.ndarray) -> dict[str, int]:
    """Sum of one number per cell, by arm."""
    sums = np.bincount(cells.variant, weights=units, minlength=len(cells.variants))
    return {label: int(n) for label, n in zip(cells.variants, sums, strict=True)}


def _fixed(
    analysed: Analysed, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    if final:
        return True, "ended"
    return False, "maturing" if analysed.history.enrolment_ended else "enrolling"


def _planned_looks(
    analysed: Analysed, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    """A look is due when the share of planned units passes a planned look that hasn't been taken yet.

    The last planned look is the final analysis: taken at 100 % while units still mature, it would spend all the
    remaining alpha and leave none for the final analysis.
    """
    if final:
        return True, "ended"
    seen = max((look.fraction for look in looks if not look.peeked), default=0.0)
    if fraction < 1 and any(seen < planned <= fraction for planned in analysed.plan.looks or USUAL_LOOKS):
        return True, "look"
    return False, "next_look"


def _any_time(
    analysed: Analysed, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    if min(mature.values()) < FEWEST_MATURE:
        return False, "too_few"
    return True, "ended" if final else "any_time"


def _opens_on(analysed: Analysed, answers: Answers, today: date) -> date | None:
    """For a fixed plan: the day on which the last unit is mature if enrolment ends as planned; else None."""
    plan = analysed.plan
    if plan.method != "fixed":
        return None
    if analysed.history.enrolment_ended is not None:
        return answers.last_mature_on
    if plan.planned_end is None:
        return None
    return result_on(max(plan.planned_end, today), plan.primary)


# How much alpha the last of several planned looks may spend, and what closing enrolment now would cost. Pure.
#
# A person who sees an outcome and closes enrolment because of it chooses the last look by its result. Spending all the
# remaining alpha there gave 9.8 to 10.4 % false alarms at 5 % (closed when |z| reached 1.6 or 1.96 at a look); then
# only the alpha that the plan allows at the share of units reached may be spent (docs/methods/comparison.md; Lan and
# DeMets 1989; Proschan, Follmann and Waclawiw 1992).


class SpendingRule(StrEnum):
    """Why a look of a plan with planned looks may spend the alpha that it spends."""

    PLANNED = "planned"  # a look before the last: what the spending function allows at its share of units
    COMPLETE = "complete"  # the last, all planned units are in: all the remaining alpha
    PLANNED_END = "planned_end"  # the last, enrolment ran to its registered end: all the remaining alpha
    BLIND = "blind"  # the last, enrolment was closed before any outcome was shown: all the remaining alpha
    EARLY = "early"  # the last, closed after an outcome was shown: what the spending function allows at its share


# Data hardly ever reach this many standard errors: the page says that nothing can be found.
UNREACHABLE = 8.0
SPENDS_THE_REST = (SpendingRule.COMPLETE, SpendingRule.PLANNED_END, SpendingRule.BLIND)


@dataclass(frozen=True)
class Cost:
    """Effect of closing enrolment today on the last look.

    Attributes:
        rule: that would apply.
        fraction: share of the planned units that the last look would have, when every unit shown so far is mature.
        critical: what the absolute z would have to reach; None when no value would do.
        whole: the same if all the remaining alpha could be spent.
        shown: local date of the last look that was shown to anyone; None without one.
    """

    rule: SpendingRule
    fraction: float
    critical: float | None
    whole: float | None
    shown: date | None


def rule_of(analysed: Analysed, fraction: float, looks: Sequence[LookTaken], *, final: bool) -> SpendingRule:
    """Which spending rule applies to a look.

    A look counts as seen from its own day: a person who closes enrolment that day may have seen it. A look between the
    planned end and a later closing counts too: it may be why enrolment continued, or why it ended.

    Args:
        analysed: the plan with its registered end, and the day on which enrolment ended.
        fraction: mature units over planned ones.
        looks: taken before this one, of any variant, also peeks.
        final: True when enrolment has ended and all exposed units are mature.
    """
    ended = analysed.history.enrolment_ended
    if not final or ended is None:
        return SpendingRule.PLANNED
    if fraction >= 1:
        return SpendingRule.COMPLETE
    seen = [look.seen for look in looks if look.seen <= ended]
    if not seen:
        return SpendingRule.BLIND
    planned = analysed.plan.planned_end
    if planned is not None and planned <= ended and max(seen) <= planned:
        return SpendingRule.PLANNED_END
    return SpendingRule.EARLY


def cost_of(analysed: Analysed, maturity: Maturity, looks: Sequence[LookTaken], *, today: date) -> Cost | None:
    """What closing enrolment today would cost; None where it costs nothing or enrolment has ended.

    Args:
        analysed: the plan with its amendments.
        maturity: of the last analysis, which counts the units.
        looks: taken so far.
        today: local date, on which enrolment would end.
    """
    plan, history = analysed.plan, analysed.history
    if plan.method != "group_sequential" or history.enrolment_ended is not None:
        return None
    fraction = max(sum(maturity.exposed.values()) / max(plan.planned_units or 0, 1), 1e-6)
    closed = replace(analysed, history=replace(history, enrolment_ended=today))
    rule = rule_of(closed, fraction, looks, final=True)
    own, whole = (_critical(plan, fraction, looks, rest=rest) for rest in (rule in SPENDS_THE_REST, True))
    return Cost(rule, fraction, own, whole, max((look.seen for look in looks), default=None))


def fractions_of(looks: Sequence[LookTaken], fraction: float) -> tuple[float, ...]:
    """Shares of units at the looks that spent alpha, in order, and at this look.

    None is dropped, even when a correction of the data lowered today's share below an earlier one: spent alpha stays
    spent (`sequential.bounds`).
    """
    return (*dict.fromkeys(max(look.fraction, 1e-6) for look in looks if not look.peeked), max(fraction, 1e-6))


def _critical(plan: Plan, fraction: float, looks: Sequence[LookTaken], *, rest: bool) -> float | None:
    look = Look(
        plan.alpha,
        "group_sequential",
        fractions=fractions_of(looks, fraction),
        spending=Spending(plan.spending),
        final=True,
        rest=rest,
    )
    return look.critical if look.critical < UNREACHABLE else None
