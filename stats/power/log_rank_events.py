"""Events and units that a log-rank test needs: it counts those who leave, not those who are enrolled.

Two formulas are in use and named. Schoenfeld's is the one that sizes; Freedman's stands beside it, and where they
differ much (a hazard ratio far from 1, a lopsided split) neither should be trusted to the unit.

Source: docs/methods/power.md, "Time to churn".
"""

from dataclasses import dataclass
from math import ceil, inf, log

from stats.power.family_and_looks import Plan, critical_values, drift_needed, require
from stats.power.sample_size import LARGEST_UNITS, Size
from stats.results import NotComputable, Reason


@dataclass(frozen=True)
class SurvivalSize:
    """A size for the time to churn.

    Attributes:
        size: units of each variant.
        hazard_ratio: variant's hazard over its comparator's, the same on all days.
        events: units of both compared arms that must leave, by Schoenfeld's formula; `freedman` by his.
    """

    size: Size
    hazard_ratio: float
    events: int
    freedman: int


def schoenfeld(hazard_ratio: float, drift: float, ratio: float = 1.0) -> float:
    """Events of both arms, before rounding.

    Args:
        hazard_ratio: above 0, not 1.
        drift: z(1 - level/2) + z(power), or what a plan with looks needs in its place.
        ratio: units of the variant over those of its comparator.

    Source: Schoenfeld 1981, 1983.
    """
    return drift**2 * (1 + ratio) ** 2 / (ratio * log(hazard_ratio) ** 2)


def freedman(hazard_ratio: float, drift: float, ratio: float = 1.0) -> float:
    """The same by Freedman 1982, table 1."""
    return drift**2 * (1 + ratio * hazard_ratio) ** 2 / (ratio * (1 - hazard_ratio) ** 2)


def survival_size(plan: Plan, effect: float) -> SurvivalSize | NotComputable:
    """Units of which enough leave within the horizon for the log-rank test to find the effect.

    Args:
        plan: `baseline` is the share of control that hasn't left by the horizon, 0 to 1 exclusive.
        effect: change of that share, absolute; with a take-up below 1 that of the behaviour.

    Returns:
        The size under proportional hazards, where everybody is followed to the horizon.

    Raises:
        ValueError: for an effect that would leave nobody, or everybody.

    Source: Schoenfeld 1983 (units = events / share that leaves); docs/methods/power.md, "Time to churn".
    """
    require(plan.sd is None, "survival needs a share, no standard deviation")
    stays, changed = plan.baseline, plan.baseline + plan.take_up * effect
    require(effect != 0 and abs(effect) < inf, "effect must be a number other than 0")
    require(0 < changed < 1, f"effect {effect:g} would take the share that stays to {changed:g}, outside 0 to 1")
    hazard_ratio = log(changed) / log(stays)
    whole = sum(plan.shares)
    w0, w1 = plan.shares[plan.comparator] / whole, min(plan.shares[place] for place in plan.members) / whole
    drift = drift_needed(critical_values(plan), 1.0, plan.power)
    events = schoenfeld(hazard_ratio, drift, w1 / w0)
    total = events / (w0 * (1 - stays) + w1 * (1 - changed))
    if not total <= LARGEST_UNITS:
        return NotComputable(Reason.TOO_MANY_UNITS)
    units = tuple(max(ceil(total * share / whole - 1e-9), 2) for share in plan.shares)
    size = Size(units, total * plan.shares[0] / whole, plan.power, "schoenfeld")
    return SurvivalSize(size, hazard_ratio, ceil(events - 1e-9), ceil(freedman(hazard_ratio, drift, w1 / w0) - 1e-9))
