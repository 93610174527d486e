"""Duration against detectable effect against power. Pure."""

from dataclasses import dataclass, replace

from experiments.plan.choices.plan_calendar import LONGEST_DAYS, units_within
from experiments.plan.planned_power import Inflow, power_plan
from experiments.plan.record import Plan
from stats.power import sample_size
from stats.power.family_and_looks import Plan as PowerPlan
from stats.results import NotComputable, Reason

DAYS = (28, 56, 91, 182, 364)
POWERS = (0.7, 0.8, 0.9)


@dataclass(frozen=True)
class TradeOffRow:
    """One length of the experiment.

    Attributes:
        days: from the start until the last outcome is known.
        enrolment_days: of them, until enrolment ends.
        units: of all variants, enrolled by then.
        effects: the smallest detectable effect, for each of `POWERS`; absolute, of the behaviour with a take-up.
        chance: power for the plan's own effect, 0 to 1.
    """

    days: int
    enrolment_days: int
    units: int
    effects: tuple[float | NotComputable, ...]
    chance: float | NotComputable

    @property
    def found(self) -> float | NotComputable:
        """The smallest effect detectable at a power of 0.8."""
        return self.effects[POWERS.index(0.8)]


def trade_off(plan: Plan, inflow: Inflow, share: float) -> tuple[TradeOffRow, ...]:
    """One row for each duration in which enough units come; ignores guardrails.

    Args:
        plan: the current one.
        inflow: of units.
        share: of the inflow that is enrolled, 0 to 1.

    Raises:
        ValueError: for an invalid value of the plan.
    """
    planned = power_plan(plan, inflow)
    effect = plan.planned_effect if plan.planned_effect is not None else plan.smallest_effect
    rows = []
    for days in DAYS:
        units = units_within(days, inflow, share)
        split = split_of(planned, units)
        if min(split) < 2:
            continue
        effects = tuple(_smallest(planned, split, power) for power in POWERS)
        rows.append(TradeOffRow(days, days - inflow.last_day - 1, units, effects, _chance(planned, effect, split)))
    return tuple(rows)


def effect_within(plan: Plan, inflow: Inflow, share: float, days: int = LONGEST_DAYS) -> float | NotComputable:
    """The smallest effect that the plan detects with its own power in so many days.

    Raises:
        ValueError: as `trade_off`.
    """
    planned = power_plan(plan, inflow)
    split = split_of(planned, units_within(days, inflow, share))
    if min(split) < 2:
        return NotComputable(Reason.NO_DAILY_UNITS)
    return sample_size.smallest_effect(planned, split)


def split_of(planned: PowerPlan, units: int) -> tuple[int, ...]:
    """Units by arm."""
    whole = sum(planned.shares)
    return tuple(round(units * part / whole) for part in planned.shares)


def _smallest(planned: PowerPlan, split: tuple[int, ...], power: float) -> float | NotComputable:
    return sample_size.smallest_effect(replace(planned, power=power), split)


def _chance(planned: PowerPlan, effect: float | None, split: tuple[int, ...]) -> float | NotComputable:
    if effect is None:
        return NotComputable(Reason.NO_MARGIN)
    try:
        return sample_size.power_at(planned, effect, split)
    except ValueError:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
