"""How much alpha the last of several planned looks may spend, and what closing enrolment now would cost. Pure.

A person who sees an outcome and closes enrolment because of it chooses the last look by its result. Spending all the
remaining alpha there gave 9.8 to 10.4 % false alarms at 5 % (closed when |z| reached 1.6 or 1.96 at a look); then only
the alpha that the plan allows at the share of units reached may be spent (docs/methods/comparison.md; Lan and DeMets
1989; Proschan, Follmann and Waclawiw 1992).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from experiments.analyse.result import LookTaken, Standing
from experiments.plan.planned import Planned
from stats.sequential.boundaries import Spending
from stats.sequential.looks import Look


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


def rule_of(plan: Planned, fraction: float, looks: Sequence[LookTaken], *, final: bool) -> SpendingRule:
    """Which spending rule applies to a look.

    A look counts as seen from its own day: a person who closes enrolment that day may have seen it. A look between the
    planned end and a later closing counts too: it may be why enrolment continued, or why it ended.

    Args:
        plan: with its registered end and the day on which enrolment ended.
        fraction: mature units over planned ones.
        looks: taken before this one, of any variant, also peeks.
        final: True when enrolment has ended and all exposed units are mature.
    """
    if not final or plan.enrolment_ended is None:
        return SpendingRule.PLANNED
    if fraction >= 1:
        return SpendingRule.COMPLETE
    ended = plan.enrolment_ended
    seen = [look.seen for look in looks if look.seen <= ended]
    if not seen:
        return SpendingRule.BLIND
    planned = plan.planned_end
    if planned is not None and planned <= ended and max(seen) <= planned:
        return SpendingRule.PLANNED_END
    return SpendingRule.EARLY


def cost_of(plan: Planned, standing: Standing, looks: Sequence[LookTaken], *, today: date) -> Cost | None:
    """What closing enrolment today would cost; None where it costs nothing or enrolment has ended.

    Args:
        plan: with its amendments.
        standing: of the last analysis, which counts the units.
        looks: taken so far.
        today: local date, on which enrolment would end.
    """
    if plan.method != "group_sequential" or plan.enrolment_ended is not None:
        return None
    fraction = max(sum(standing.exposed.values()) / max(plan.planned_units, 1), 1e-6)
    rule = rule_of(replace(plan, enrolment_ended=today), fraction, looks, final=True)
    own, whole = (_critical(plan, fraction, looks, rest=rest) for rest in (rule in SPENDS_THE_REST, True))
    return Cost(rule, fraction, own, whole, max((look.seen for look in looks), default=None))


def fractions_of(looks: Sequence[LookTaken], fraction: float) -> tuple[float, ...]:
    """Shares of units at the looks that spent alpha, in order, and at this look.

    None is dropped, even when a correction of the data lowered today's share below an earlier one: spent alpha stays
    spent (`sequential.bounds`).
    """
    return (*dict.fromkeys(max(look.fraction, 1e-6) for look in looks if not look.peeked), max(fraction, 1e-6))


def _critical(plan: Planned, fraction: float, looks: Sequence[LookTaken], *, rest: bool) -> float | None:
    look = Look(
        plan.alpha,
        "group_sequential",
        fractions=fractions_of(looks, fraction),
        spending=Spending(plan.spending),
        final=True,
        rest=rest,
    )
    return look.critical if look.critical < UNREACHABLE else None
