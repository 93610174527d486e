"""The effect after a plan with planned looks: median-unbiased estimate and interval by the stage-wise order.

A plan that may stop early stops when the difference happens to be large, so the plain estimate is too large and its
interval misses too often on one side. Ordering the possible ends of the plan, by the look first, gives an interval that
is valid whatever the looks decided, and an estimate that is too large as often as too small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from scipy import optimize

from stats.results import NotComputable, Reason, check_alpha
from stats.sequential.boundaries import LEAST_STEP, upper_tail

# Half-width of the first bracket of the drift, in standard errors; doubled until it holds the root.
REACH = 4.0


@dataclass(frozen=True)
class Stagewise:
    """An effect after the looks of a plan.

    Attributes:
        estimate: median-unbiased: as often above the truth as below, over all possible ends of the plan. Given an early
            end it is still 1.1 to 1.3 times too large: no estimate can correct for the luck that ended it.
        low: lower limit, in the effect's unit.
        high: upper limit.
        p_value: two-sided, 0 to 1, by the same order; below 1 - level exactly if the interval excludes 0.
        level: confidence level.
        method: ``stage-wise``.
        looks: number of looks in the order, this one included.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    level: float
    method: str
    looks: int


def stagewise(
    estimate: float,
    standard_error: float,
    *,
    fraction: float,
    before: Sequence[tuple[float, float]] = (),
    alpha: float = 0.05,
) -> Stagewise | NotComputable:
    """Median-unbiased estimate and interval of the look at which a plan with planned looks ended.

    Args:
        estimate: plain difference at that look, variant minus control, in the outcome's unit.
        standard_error: of it, same unit.
        fraction: share of the planned information at that look, above 0.
        before: (fraction, critical value) of the looks before it that didn't stop the plan, in their order. A look that
            crossed its bound but was followed by more data is left out: the units that were under way then replace it
            (Whitehead's deletion).
        alpha: two-sided error rate of the interval.

    Returns:
        Limits at which the probability of an end at least as high (as low) is alpha/2, and the value at which it is
        1/2. ``NO_VARIANCE`` without a standard error.

    Source: Siegmund 1978; Tsiatis, Rosner and Mehta 1984 (the interval); Kim 1989 (the median-unbiased estimate);
    Jennison and Turnbull 2000, sections 8.4 and 8.5; Whitehead 1992 (units under way).
    """
    check_alpha(alpha)
    if not standard_error > 0:
        return NotComputable(Reason.NO_VARIANCE)
    times, critical = _rising(before, fraction)
    z, unit = estimate / standard_error, standard_error * sqrt(times[-1])

    def tail(drift: float, *, up: bool = True) -> float:
        return upper_tail(times, critical, z, drift=drift, up=up)

    def drift_at(probability: float) -> float:
        centre, width = z / sqrt(times[-1]), REACH / sqrt(times[0])
        while tail(centre - width) > probability or tail(centre + width) < probability:
            width *= 2
        return float(optimize.brentq(lambda drift: tail(drift) - probability, centre - width, centre + width))

    low, middle, high = (drift_at(share) * unit for share in (alpha / 2, 0.5, 1 - alpha / 2))
    p_value = min(2 * min(tail(0.0), tail(0.0, up=False)), 1.0)
    return Stagewise(middle, low, high, p_value, 1 - alpha, "stage-wise", len(times))


def _rising(before: Sequence[tuple[float, float]], fraction: float) -> tuple[list[float], list[float]]:
    """Looks with new information, and this one after them, even if a data correction lowered its share."""
    times: list[float] = []
    critical: list[float] = []
    for time, bound in before:
        if time - (times[-1] if times else 0.0) >= LEAST_STEP:
            times.append(time)
            critical.append(bound)
    return [*times, max(fraction, (times[-1] if times else 0.0) + 2 * LEAST_STEP)], critical
