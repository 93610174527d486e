"""The plan behind a sample size: the family of comparisons, the looks, and the additional units they require.

It is the plan of the later analysis: Holm's first level over primary outcomes and arms, the registered looks and their
spending. Sizes and powers are in `sample_size.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import inf

from scipy import optimize, stats

from stats.sequential.boundaries import (
    LEAST_STEP,
    Spending,
    bounds,
    crossing,
    sequence_multiplier,
    tightest_rho_squared,
)

MOST_LOOKS = 100
USUAL_LOOKS = 5


class Method(StrEnum):
    """The three ways to look at an experiment that can be registered."""

    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group_sequential"
    ALWAYS_VALID = "always_valid"


@dataclass(frozen=True)
class Critical:
    """The looks of a plan and their critical values.

    Attributes:
        times: looks as shares of the planned units, the last 1.
        values: the critical value of the absolute z at each.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """What is fixed before the start. An invalid value is refused with a sentence that begins with the field's name.

    Attributes:
        baseline: control's share, 0 to 1 exclusive; for means its mean, which isn't used.
        sd: standard deviation of a mean within the groups, above 0; None for a share.
        alpha: two-sided error rate of the whole plan. Each comparison has alpha/(primary outcomes x arms that count):
            the level at which Holm tests the smallest p-value, so that nothing is assumed about the others.
        power: probability to find the effect that is planned for, above alpha and below 1.
        shares: planned split, control first; any positive numbers.
        take_up: share of units that the nudge moves to the behaviour, variant minus control, above 0 to 1. Below 1 the
            effect is that of the behaviour, and the outcome changes by take_up * effect only.
        method: fixed, group sequential or always valid.
        looks: of a sequential plan, the last at the planned size: a number of equally spaced ones, 1 to 100, or their
            rising shares of the planned units, the last 1.
        r_squared: share of the outcome's variance that covariates known before assignment explain, 0 to below 1.
        cluster_size: mean units per cluster when clusters are assigned, at least 1.
        cluster_correlation: intraclass correlation, 0 to 1.
        cluster_variation: coefficient of variation of the clusters' sizes, at least 0.
        primaries: primary outcomes of the plan, at least 1.
        spending: how the looks of a group sequential plan spend alpha.
        placebo: index of a placebo arm among the shares, 1 or more; None without one. The other arms are compared with
            it instead of control, and it is not a member of the family (docs/methods/power.md).
    """

    baseline: float = 0.0
    sd: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    shares: tuple[float, ...] = (0.5, 0.5)
    take_up: float = 1.0
    method: Method = Method.FIXED
    looks: int | tuple[float, ...] = USUAL_LOOKS
    r_squared: float = 0.0
    cluster_size: float = 1.0
    cluster_correlation: float = 0.0
    cluster_variation: float = 0.0
    primaries: int = 1
    spending: Spending = Spending.OBRIEN_FLEMING
    placebo: int | None = None

    def __post_init__(self) -> None:
        require(self.sd is not None or 0 < self.baseline < 1, "baseline must lie between 0 and 1 for a share")
        require(abs(self.baseline) < inf, "baseline must be a number")
        require(self.sd is None or 0 < self.sd < inf, "sd must be a positive number")
        require(0 < self.alpha < 1, "alpha must lie between 0 and 1")
        require(self.alpha < self.power < 1, "power must lie above alpha and below 1")
        require(len(self.shares) >= 2, "variants must be at least 2: control and one more")
        require(all(0 < share < inf for share in self.shares), "split must give each variant a positive share")
        require(0 < self.take_up <= 1, "take-up must lie above 0 and be at most 1")
        self._check_looks()
        require(0 <= self.r_squared < 1, "r-squared must be at least 0 and below 1")
        require(1 <= self.cluster_size < inf, "cluster-size must be at least 1")
        require(0 <= self.cluster_correlation <= 1, "cluster-correlation must lie between 0 and 1")
        require(0 <= self.cluster_variation < inf, "cluster-variation must be at least 0")
        require(self.primaries >= 1, "primaries must be at least 1")
        inside = self.placebo is None or 1 <= self.placebo < len(self.shares)
        require(inside and bool(self.members), "placebo must be one of three variants or more, and not control")

    def _check_looks(self) -> None:
        if isinstance(self.looks, int):
            require(1 <= self.looks <= MOST_LOOKS, f"looks must lie between 1 and {MOST_LOOKS}")
            return
        rising = all(low + LEAST_STEP <= high for low, high in pairwise((0.0, *self.looks)))
        whole = bool(self.looks) and self.looks[-1] == 1 and len(self.looks) <= MOST_LOOKS
        require(rising and whole, "looks must be rising shares of the planned units above 0, and the last one 1")

    @property
    def members(self) -> tuple[int, ...]:
        """Indexes of the arms that count: each is compared with the comparator."""
        return tuple(place for place in range(1, len(self.shares)) if place != self.placebo)

    @property
    def comparator(self) -> int:
        """Index of the arm that the others are compared with: the placebo, or control."""
        return self.placebo or 0

    @property
    def level(self) -> float:
        """Two-sided error rate of one comparison over all its looks. Source: Holm 1979."""
        return self.alpha / (self.primaries * len(self.members))

    @property
    def times(self) -> tuple[float, ...]:
        """The looks as shares of the planned units."""
        if self.method is Method.FIXED:
            return (1.0,)
        if isinstance(self.looks, int):
            return tuple((look + 1) / self.looks for look in range(self.looks))
        return self.looks

    @property
    def formula(self) -> str:
        """Name of the formula, as docs/methods/power.md lists it; calculators that differ use another one."""
        if self.method is not Method.FIXED:
            return f"{self.method}-{'shares' if self.sd is None else 'means'}"
        return "power.prop.test" if self.sd is None else "noncentral-t"


def critical_values(plan: Plan, *, level: float | None = None) -> Critical:
    """Critical values of z at the looks of the plan. They don't depend on the size.

    Args:
        plan: fixed before the start.
        level: two-sided error rate over all looks; None for that of one comparison.

    Source: Lan and DeMets 1983 (group sequential); Waudby-Smith et al. 2024 (always valid).
    """
    level, times = plan.level if level is None else level, plan.times
    if plan.method is Method.FIXED:
        return Critical(times, (float(stats.norm.isf(level / 2)),))
    if plan.method is Method.GROUP_SEQUENTIAL:
        return Critical(times, bounds(times, alpha=level, spending=plan.spending))
    # rho^2 is tuned to the planned size, so that k depends on the share of it alone.
    rho_squared = tightest_rho_squared(1, alpha=level)
    return Critical(times, tuple(sequence_multiplier(time, rho_squared=rho_squared, alpha=level) for time in times))


def reached(critical: Critical, ratio: float, drift: float) -> float:
    """Power when the expected z at the end is ``drift``, with the standard error under the effect.

    Bounds are stated in standard errors under no effect, hence the ratio of the two.

    Source: Armitage, McPherson and Rowe 1969 (the recursion).
    """
    if len(critical.times) == 1:
        return float(stats.norm.sf(critical.values[0] * ratio - drift))
    return crossing(critical.times, [value * ratio for value in critical.values], drift=drift)[0]


def drift_needed(critical: Critical, ratio: float, power: float) -> float:
    """The expected z at the end that gives this power."""
    alone = critical.values[-1] * ratio + float(stats.norm.ppf(power))
    if len(critical.times) == 1:
        return alone
    # The last look alone gives the power already, so that all looks together need at most this drift.
    return float(optimize.brentq(lambda drift: reached(critical, ratio, drift) - power, 0.0, alone + 1e-6))


def inflation(plan: Plan) -> float:
    """Units that the plan needs for each unit of a fixed plan of the same level and power; 1 without looks.

    Five looks at alpha .05 and power .8: 1.025 with O'Brien-Fleming type spending, 1.213 with Pocock's.

    Source: Jennison and Turnbull 2000, chapter 2 (inflation factors).
    """
    alone = float(stats.norm.isf(plan.level / 2) + stats.norm.ppf(plan.power))
    return (drift_needed(critical_values(plan), 1.0, plan.power) / alone) ** 2


def require(holds: bool, sentence: str) -> None:
    """Refuse an invalid value.

    Raises:
        ValueError: with the sentence.
    """
    if not holds:
        raise ValueError(sentence)
