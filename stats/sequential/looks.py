"""Critical values and p-values of one look at an experiment: at a fixed end, at a planned look, or at any time.

A look has one critical value in place of z. Everything is then computed at the level that this value has for a single
normal test, so that interval, Anderson-Rubin set and verdict can't disagree; p-values become repeated p-values.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from math import exp, inf, log
from typing import Any, cast

from scipy import optimize, stats

from stats.results import Estimate, NotComputable, check_alpha, computable
from stats.sequential.boundaries import (
    Spending,
    always_valid_p,
    bounds,
    inflation,
    sequence_multiplier,
    tightest_rho_squared,
)

# A repeated p-value below this is shown as this: no plan spends less, and the recursion isn't accurate there.
SMALLEST_P = 1e-10
# Data never reach a bound beyond 16 standard errors; the distributions' tails are still accurate there.
SMALLEST_LEVEL = 1e-60
LARGEST_ALPHA = 0.999


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        alpha: two-sided error rate over all looks together.
        method: ``fixed``, ``group_sequential`` or ``always_valid``.
        units: mature units of both arms at this look; for ``always_valid``.
        planned_units: mature units of both arms that the plan asks for.
        fractions: shares of the planned information at the looks so far, this one last; for ``group_sequential``.
        spending: how these looks spend the error rate.
        final: this look ends the experiment.
        rest: a final look spends what is left; False if the data may have influenced that it is the last
            (docs/methods/comparison.md, "The last look of a plan with planned looks").
        planned_looks: shares at which the plan looks, rising; for the units that such a plan needs.
    """

    alpha: float
    method: str = "fixed"
    units: int = 0
    planned_units: int = 0
    fractions: tuple[float, ...] = ()
    spending: Spending = Spending.OBRIEN_FLEMING
    final: bool = False
    rest: bool = True
    planned_looks: tuple[float, ...] = ()

    @property
    def critical(self) -> float:
        """The critical value of the absolute z at this look."""
        if self.method == "group_sequential":
            return _bound(self.fractions, self.alpha, self.spending, self.final and self.rest)
        if self.method == "always_valid":
            rho_squared = tightest_rho_squared(self.planned_units, alpha=self.alpha)
            return sequence_multiplier(self.units, rho_squared=rho_squared, alpha=self.alpha)
        return float(stats.norm.isf(self.alpha / 2))

    @property
    def nominal_alpha(self) -> float:
        """Level of a single test with this critical value, 0 to alpha; tiny at an early look."""
        if self.method == "fixed":
            return self.alpha
        return max(2 * float(stats.norm.sf(self.critical)), SMALLEST_LEVEL)

    @property
    def multiplier(self) -> float:
        """The critical value in use: that of `nominal_alpha`, finite even if an early look's bound is infinite."""
        return float(stats.norm.isf(self.nominal_alpha / 2))

    def inflation(self, power: float) -> float:
        """How many times the units of a plan with one look this plan needs for the same power, at least 1.

        Always valid: the confidence sequence's multiplier at the planned units takes the place of z; it doesn't depend
        on the plan's size.
        """
        if self.method == "group_sequential":
            return inflation(self.planned_looks or (1.0,), alpha=self.alpha, spending=self.spending, power=power)
        if self.method == "always_valid":
            rho_squared = tightest_rho_squared(self.planned_units, alpha=self.alpha)
            most = sequence_multiplier(self.planned_units, rho_squared=rho_squared, alpha=self.alpha)
            beta = float(stats.norm.isf(1 - power))
            return ((most + beta) / (float(stats.norm.isf(self.alpha / 2)) + beta)) ** 2
        return 1.0

    @property
    def is_repeated(self) -> bool:
        """True when other looks share the error rate."""
        return self.method != "fixed"

    def p_value(self, nominal: float) -> float:
        """The repeated p-value of a test whose p-value for a single look is ``nominal``.

        The smallest error rate, over all looks together, at which this look would reject. It may be compared with
        alpha, and adjusted for several comparisons, like any p-value.

        Source: Jennison and Turnbull 2000, section 9.5; Waudby-Smith et al. 2024 for the confidence sequence.
        """
        if self.method == "fixed":
            return nominal
        z = float(stats.norm.isf(max(nominal, 1e-300) / 2))
        if self.method == "always_valid":
            rho_squared = tightest_rho_squared(self.planned_units, alpha=self.alpha)
            return always_valid_p(z, self.units, rho_squared=rho_squared)
        return _repeated(self.fractions, z, self.spending, self.final and self.rest)


def fixed(alpha: float) -> Look:
    """The only look of a plan with a fixed end."""
    check_alpha(alpha)
    return Look(alpha)


def at_look[E: Estimate](estimate: E | NotComputable, look: Look) -> E | NotComputable:
    """Adjust an estimate to this look: repeated p-value, and the level of all looks together."""
    if not computable(estimate) or not look.is_repeated:
        return estimate
    return replace(estimate, p_value=look.p_value(estimate.p_value), level=1 - look.alpha)


def told_at[T](record: T, look: Look) -> T:
    """Adjust a record of statistics computed at `nominal_alpha` to this look: every part of it as by `at_look`.

    Every `level` becomes that of all looks together and every `p_value` a repeated one; limits stay, since they were
    computed with the look's critical value. Anything else than a record or a tuple of records is returned unchanged.
    """
    if not look.is_repeated:
        return record
    if isinstance(record, tuple):
        return cast("T", tuple(told_at(part, look) for part in record))
    if not is_dataclass(record) or isinstance(record, type | NotComputable):
        return record
    changed: dict[str, Any] = {field.name: told_at(getattr(record, field.name), look) for field in fields(record)}
    if "level" in changed:
        changed["level"] = 1 - look.alpha
    if isinstance(changed.get("p_value"), float):
        changed["p_value"] = look.p_value(changed["p_value"])
    return cast("T", replace(record, **changed))


@lru_cache(maxsize=4096)
def _bound(fractions: tuple[float, ...], alpha: float, spending: Spending, final: bool) -> float:
    return bounds(fractions, alpha=alpha, spending=spending, final=final)[-1]


def _repeated(fractions: tuple[float, ...], z: float, spending: Spending, final: bool) -> float:
    def gap(log_alpha: float) -> float:
        bound = _bound(fractions, exp(log_alpha), spending, final)
        return (38.0 if bound == inf else bound) - z

    low, high = log(SMALLEST_P), log(LARGEST_ALPHA)
    if gap(low) <= 0:
        return SMALLEST_P
    if gap(high) >= 0:
        return 1.0
    return exp(float(optimize.brentq(gap, low, high, xtol=1e-6)))
