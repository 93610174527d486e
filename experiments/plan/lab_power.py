"""The size of a lab from its plan: users with which every behaviour that has the planned effect is decided. Pure.

Source: docs/methods/joint.md, "The lab".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, sqrt
from typing import Any

import numpy as np

from experiments.plan.lab import behaviours_of
from experiments.plan.planned_power import Inflow, power_plan
from experiments.plan.record import WHOLE, Plan, PlannedNudge, PlannedVariant
from stats.instrument.lab import Expected, lab_immaterial, lab_power, lab_size, sets_of
from stats.power import family_and_looks as arithmetic
from stats.results import NotComputable, Reason, computable

UNKNOWN_RATE = 0.5  # of a behaviour that wasn't counted: the widest spread that it may have
LEAST_RATE = 0.001  # nobody or everybody would have no spread at all
WIDEST = 100.0  # largest effect that is looked for, in standard deviations of the outcome
HALVES = (PlannedVariant("off", False, WHOLE // 2), PlannedVariant("on", True, WHOLE // 2))


@dataclass(frozen=True)
class LabPower:
    """A lab's plan as the power calculation reads it.

    Attributes:
        expected: sets, first stages and spread; its effects are 1 for every behaviour.
        names: behaviour and times of each of the K behaviours, the claim's first.
        level: error rate that all behaviours share: the plan's alpha over its primary outcomes.
        inflation: users needed with the plan's looks, as a multiple of those with one.
        power: wanted, 0 to 1.
        share: True where the outcome is a share.
    """

    expected: Expected
    names: tuple[tuple[str, int], ...]
    level: float
    inflation: float
    power: float
    share: bool

    def chances(self, effect: float, users: float) -> tuple[float, ...]:
        """Chance that each behaviour is decided, if each has this effect, with so many users."""
        return lab_power(_with(self.expected, effect), users / self.inflation, self.level)

    def users(self, effect: float) -> int | NotComputable:
        """Users of the whole lab with which each behaviour is decided, if each has this effect.

        Raises:
            ValueError: an effect of 0.
        """
        size = lab_size(_with(self.expected, effect), self.power, self.level)
        return ceil(size * self.inflation) if computable(size) else size

    def smallest_effect(self, users: float) -> float | NotComputable:
        """The effect that so many users decide for every behaviour; none where they can't be told apart."""
        low, high = 0.0, WIDEST * sqrt(float(self.expected.spread[0, 0]))
        if min(self.chances(high, users)) < self.power:
            return NotComputable(Reason.NOT_TOLD_APART)
        while high - low > 1e-6 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if min(self.chances(middle, users)) >= self.power else (middle, high)
        return high

    def no_material_effect(self, margin: float, users: float) -> float:
        """Chance that a behaviour without an effect is said to have none that matters, of the least known behaviour.

        Raises:
            ValueError: a margin that isn't above 0.
        """
        return min(lab_immaterial(self.expected, margin, users / self.inflation, self.level))


@lru_cache(maxsize=4)  # a picture asks for one effect at many numbers of users; each holds a megabyte
def _with(expected: Expected, effect: float) -> Expected:
    """The same where every behaviour has this effect."""
    effects = np.full(len(expected.behaviours), effect)
    return Expected(expected.sets, expected.behaviours, expected.first_stages, effects, expected.spread)


def power_of_lab(plan: Plan, inflow: Inflow, **tried: Any) -> LabPower:
    """The power calculation of a lab.

    Each nudge moves its own behaviour by its take-up and every other one by its spill. Behaviours and outcome count as
    independent between users of one set; a behaviour's spread is that of its share without a nudge (`Inflow.rates`)
    and what the nudges add.

    Args:
        plan: of a lab.
        inflow: with a base rate.
        tried: values to try, as `planned_power.power_plan`; those of arms and clusters are unused.

    Raises:
        ValueError: nudges that can't be drawn, or an invalid value.
    """
    kept = {name: value for name, value in tried.items() if name != "variants"}
    halves = power_plan(_of_two(plan), inflow, **kept)
    few = plan.most_nudges if plan.most_nudges != len(plan.nudges) else None
    sets = sets_of([nudge.share / WHOLE for nudge in plan.nudges], few)
    names = behaviours_of(plan)
    first = np.array([[_moved(nudge, pair) for pair in names] for nudge in plan.nudges])
    rates = np.clip([_rate(plan, inflow, *pair) for pair in names] + sets.shares @ first, LEAST_RATE, 1 - LEAST_RATE)
    outcome = halves.baseline * (1 - halves.baseline) if halves.sd is None else halves.sd**2
    spread = np.diag([outcome * (1 - halves.r_squared), *(rates * (1 - rates))])
    texts = tuple(f"{name} {times}" for name, times in names)
    expected = Expected(sets, texts, first, np.ones(len(names)), spread)
    return LabPower(expected, names, halves.level, arithmetic.inflation(halves), plan.power, halves.sd is None)


def _of_two(plan: Plan) -> Plan:
    return replace(plan, variants=HALVES, cluster="", saturations=())


def _moved(nudge: PlannedNudge, behaviour: tuple[str, int]) -> float:
    return float(nudge.take_up if (nudge.behaviour, nudge.times) == behaviour else nudge.spill)


def _rate(plan: Plan, inflow: Inflow, behaviour: str, times: int) -> float:
    """Share of users who do a behaviour without a nudge; the widest spread where it isn't known."""
    known = {(name, least): rate for name, least, rate in inflow.rates}
    if (behaviour, times) in known:
        return known[behaviour, times]
    claim, reach = plan.claim, inflow.reach
    own = claim is not None and (claim.behaviour, claim.times) == (behaviour, times)
    return reach if own and reach is not None and computable(reach) else UNKNOWN_RATE


def unknown_rates(plan: Plan, inflow: Inflow) -> Sequence[tuple[str, int]]:
    """Behaviours whose share without a nudge isn't known, so that half is taken."""
    known = {(name, least) for name, least, _rate in inflow.rates}
    if plan.claim is not None and inflow.reach is not None and computable(inflow.reach):
        known.add((plan.claim.behaviour, plan.claim.times))
    return [pair for pair in behaviours_of(plan) if pair not in known]
