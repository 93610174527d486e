"""Power and size of a test that lists other behaviours: the nudge's effect must exceed what the moved ones may explain.

A behaviour that the nudge moves enters the box of `stats.instrument.other_behaviours`; so does, by chance, one in
twenty of those that it doesn't move.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, copysign, exp, log, sqrt

import numpy as np
from scipy import optimize, stats

from stats.power.family_and_looks import Plan, require
from stats.power.sample_size import LARGEST_UNITS, Size, sample_size, standard_error
from stats.results import NotComputable, Reason
from stats.summaries import Array

MOVED_ALPHA = 0.05  # as `stats.instrument.other_behaviours` calls a behaviour moved
DRAWS, SEED = 4_096, 33
USUAL_SHARE = 0.5  # of users who do it without a nudge: its first stage is then known worst


@dataclass(frozen=True)
class Spill:
    """Another behaviour, as a plan expects it.

    Attributes:
        take_up: effect of the nudge on the share of users who do it; 0 where none is expected.
        low, high: smallest and largest effect that it may have, in the outcome's unit; 0 lies between them.
        effect: that it has in truth; 0 adds nothing to the nudge's effect, which costs most.
        share: of users who do it without a nudge, above 0 and below 1.
    """

    take_up: float
    low: float
    high: float
    effect: float = 0.0
    share: float = USUAL_SHARE

    def __post_init__(self) -> None:
        require(-1 < self.take_up < 1, "other's spill must lie between -1 and 1")
        require(self.low <= 0 <= self.high, "other's largest effect must be at least 0")
        require(0 < self.share < 1, "other's share must lie between 0 and 1")
        require(0 < self.share + self.take_up < 1, "other's spill would take its share out of 0 to 1")


def power_under_others(
    plan: Plan, effect: float, units: tuple[int, ...], spills: Sequence[Spill]
) -> float | NotComputable:
    """Probability that the behaviour's set, whatever the moved others do within their limits, excludes 0.

    The others' errors are independent of each other, and of the outcome's but for what they do to it. Given their first
    stages, which are drawn 4,096 times with a fixed seed, the probability is that of one normal: the result is smooth
    in units and effect. The critical value is the one at which the plan's own size has its power, so that looks,
    families and adjustments count.

    Args:
        plan: fixed before the start.
        effect: of the behaviour, as in `sample_size`.
        units: of each variant, control first, at least 2 each.
        spills: the listed behaviours, those that aren't moved included; no consequences.

    Returns:
        0 to 1; ``NotComputable`` where the plan has no size for this effect.

    Raises:
        ValueError: as `sample_size`.

    Source: docs/methods/power.md, "Other behaviours"; docs/methods/joint.md.
    """
    critical = _critical(plan, effect)
    return critical if isinstance(critical, NotComputable) else _power(plan, effect, units, spills, critical)


def size_under_others(plan: Plan, effect: float, spills: Sequence[Spill]) -> Size | NotComputable:
    """Units with which `power_under_others` is the plan's power; never fewer than `sample_size`.

    Returns:
        The size; ``NotComputable`` where no number of units would do, since the moved others may explain it all.

    Raises:
        ValueError: as `sample_size`.
    """
    base, critical = sample_size(plan, effect), _critical(plan, effect)
    if isinstance(base, NotComputable):
        return base
    if isinstance(critical, NotComputable):
        return critical
    if _left(plan, effect, spills) <= 0:
        return NotComputable(Reason.TOO_MANY_UNITS)

    def units(scale: float) -> tuple[int, ...]:
        return tuple(ceil(scale * n - 1e-9) for n in base.units)

    def short(exponent: float) -> float:
        return _power(plan, effect, units(exp(exponent)), spills, critical) - plan.power

    most = log(LARGEST_UNITS / base.total)
    if short(0.0) >= 0:
        return base
    if short(most) < 0:
        return NotComputable(Reason.TOO_MANY_UNITS)
    enough = units(exp(float(optimize.brentq(short, 0.0, most, xtol=1e-6)) + 1e-6))
    power = _power(plan, effect, enough, spills, critical)
    return Size(enough, float(enough[0]), power, f"{base.formula}, other behaviours")


def _critical(plan: Plan, effect: float) -> float | NotComputable:
    """The value that the effect over its error must exceed for the plan's own size to have its own power."""
    size = sample_size(plan, effect)
    if isinstance(size, NotComputable):
        return size
    drift = abs(plan.take_up * effect) / standard_error(plan, effect, size.units)
    return drift + float(stats.norm.isf(size.power))


def _left(plan: Plan, effect: float, spills: Sequence[Spill]) -> float:
    """What is left of the nudge's effect, in its direction, after all that the expected spills may explain."""
    sign = copysign(1.0, effect)
    whole = plan.take_up * effect + sum(one.effect * one.take_up for one in spills)
    explained = sum(max(sign * one.low * one.take_up, sign * one.high * one.take_up) for one in spills)
    return sign * whole - explained


def _power(plan: Plan, effect: float, units: tuple[int, ...], spills: Sequence[Spill], critical: float) -> float:
    sign = copysign(1.0, effect)
    whole = sign * (plan.take_up * effect + sum(one.effect * one.take_up for one in spills))
    error = standard_error(plan, effect, units)
    explained, variance = np.zeros(DRAWS), np.full(DRAWS, error**2)
    expected, rest = np.full(DRAWS, whole), error**2  # of the nudge's effect, given the others' first stages
    for one, normal in zip(spills, _normals(len(spills)), strict=True):
        own = standard_error(_done(plan, one), one.take_up or None, units)
        seen = one.take_up + own * normal
        moved = np.abs(seen) > stats.norm.isf(MOVED_ALPHA / 2) * own
        worst = np.where(sign * seen > 0, one.high, one.low)
        explained += np.where(moved, sign * worst * seen, 0.0)
        # What it does to the outcome makes both errors go together.
        variance += np.where(moved, (worst**2 - 2 * worst * one.effect) * own**2, 0.0)
        expected += sign * one.effect * own * normal
        rest -= (one.effect * own) ** 2
    require(rest > 0, "other's effects explain more than the outcome varies")
    distance = critical * np.sqrt(np.maximum(variance, 0.0)) + explained - expected
    return float(stats.norm.sf(distance / sqrt(rest)).mean())


def _done(plan: Plan, spill: Spill) -> Plan:
    """The plan with this behaviour, which nothing known before explains, as its outcome."""
    return replace(plan, baseline=spill.share, sd=None, take_up=1.0, r_squared=0.0)


def _normals(number: int) -> Array:
    """Independent normal numbers, spread evenly: a row for each behaviour."""
    if not number:
        return np.zeros((0, DRAWS))
    points = stats.qmc.Sobol(number, rng=np.random.default_rng(SEED)).random(DRAWS)
    return np.asarray(stats.norm.ppf(np.clip(points, 1e-12, 1 - 1e-12)).T)
