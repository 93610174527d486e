"""The size at which a true success is shipped: the outcome must be proved and every guardrail unharmed.

All tests must pass at once, so the probability of failing is split between them: with G guardrails each test is planned
for 1 - (1 - power) / (G + 1). The level of a guardrail isn't adjusted, since shipping needs all of them to pass.

Source: docs/methods/power.md, "Guardrails".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt

from stats.power.family_and_looks import Critical, Plan, critical_values, drift_needed, reached, require
from stats.power.sample_size import LARGEST_UNITS, Size, power_at, sample_size
from stats.results import NotComputable, Reason, computable

LARGEST_LEVEL = 0.999


@dataclass(frozen=True)
class Watched:
    """A guardrail, with what the power calculation needs.

    Attributes:
        margin: a loss of this size or more is harm, above 0.
        baseline: control's share, 0 to 1 exclusive; not used for a mean.
        sd: standard deviation of a mean, above 0; None for a share.
    """

    margin: float
    baseline: float = 0.0
    sd: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.margin < inf, "guardrail must have a margin above 0")
        require(self.sd is not None or 0 < self.baseline < 1, "guardrail must have a share between 0 and 1")
        require(self.sd is None or 0 < self.sd < inf, "guardrail must have a positive standard deviation")

    @property
    def variance(self) -> float:
        """Variance of one unit."""
        return self.baseline * (1 - self.baseline) if self.sd is None else self.sd**2


@dataclass(frozen=True)
class GuardedSize:
    """A size that ships a true success with the plan's power.

    Attributes:
        size: the larger of all needs; its power is a lower bound of the chance to ship.
        success: units of each variant for the outcome alone, at its share of the chance to fail.
        guardrails: units of each variant for each guardrail, likewise.
        each: planned power of every single test.
    """

    size: Size
    success: tuple[int, ...]
    guardrails: tuple[tuple[int, ...], ...]
    each: float


def guarded_size(plan: Plan, effect: float, watched: Sequence[Watched]) -> GuardedSize | NotComputable:
    """Units needed to ship a success of the planned size in `plan.power` of cases, if no guardrail changes.

    Args:
        plan: fixed before the start.
        effect: as in `sample_size`.
        watched: guardrails that must be shown unharmed; their true change is 0.

    Raises:
        ValueError: as `sample_size`.

    Source: Schultzberg, Ankargren, Franberg 2024 (the chance to fail is shared between all tests that must pass).
    """
    each = 1 - (1 - plan.power) / (len(watched) + 1)
    success = sample_size(replace(plan, power=each), effect)
    if not computable(success):
        return success
    critical = _critical(plan)
    totals = [_total(plan, guardrail, critical, each) for guardrail in watched]
    if max(totals, default=0.0) > LARGEST_UNITS:
        return NotComputable(Reason.TOO_MANY_UNITS)
    needs = tuple(_split(plan, total) for total in totals)
    units = tuple(max(column) for column in zip(success.units, *needs, strict=True))
    exact = max(success.exact, *(total * plan.shares[0] / sum(plan.shares) for total in totals), 0.0)
    size = Size(units, exact, power_to_ship(plan, effect, watched, units), success.formula)
    return GuardedSize(size, success.units, needs, each)


def power_to_ship(plan: Plan, effect: float, watched: Sequence[Watched], units: tuple[int, ...]) -> float:
    """Lower bound (Bonferroni) of the probability that a success is proved and every guardrail unharmed.

    Args:
        plan: fixed before the start; its ``power`` and ``shares`` play no part.
        effect: as in `sample_size`.
        watched: guardrails that must be shown unharmed; their true change is 0.
        units: units of each variant, control first, at least 2 each.
    """
    fails = 1 - power_at(plan, effect, units)
    critical = _critical(plan)
    n0, n1 = units[0], min(units[place] for place in plan.members)
    for guardrail in watched:
        error = sqrt(guardrail.variance * _clusters(plan) * (1 / n0 + 1 / n1))
        fails += 1 - reached(critical, 1.0, guardrail.margin / error)
    return max(1 - fails, 0.0)


def _critical(plan: Plan) -> Critical:
    """One-sided at alpha: the plan at 2 alpha, without sharing alpha with other arms and outcomes."""
    return critical_values(plan, level=min(2 * plan.alpha, LARGEST_LEVEL))


def _total(plan: Plan, guardrail: Watched, critical: Critical, power: float) -> float:
    """Units of all variants. A guardrail is compared with control, whatever the outcome is compared with."""
    whole = sum(plan.shares)
    w0, w1 = plan.shares[0] / whole, min(plan.shares[place] for place in plan.members) / whole
    drift = drift_needed(critical, 1.0, power)
    return (drift / guardrail.margin) ** 2 * guardrail.variance * (1 / w0 + 1 / w1) * _clusters(plan)


def _clusters(plan: Plan) -> float:
    """Units needed per independent unit; the outcome's covariates don't apply to a guardrail. Source: Kish 1965."""
    return 1 + (plan.cluster_size - 1) * plan.cluster_correlation


def _split(plan: Plan, total: float) -> tuple[int, ...]:
    whole = sum(plan.shares)
    return tuple(max(ceil(total * share / whole - 1e-9), 2) for share in plan.shares)
