"""Safe peeking: confidence sequences valid at every look, and bounds for a few planned looks.

Information is counted in mature units, never in exposed ones: a unit whose outcome isn't known yet carries no
information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import ceil, e, exp, inf, log, log1p, sqrt

import numpy as np
from scipy import optimize, special, stats

from stats.results import check_alpha
from stats.summaries import Array

# The confidence sequence relies on near normality of the difference: below this it isn't shown.
FEWEST_MATURE = 100
# A look with less new information (a share of the plan) doesn't allow a new decision.
LEAST_STEP = 1e-4
# Beyond 9 standard deviations of a Brownian value there is less than 1e-18 of its mass.
REACH = 9.0
NODES_PER_DEVIATION = 3
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)


class Spending(StrEnum):
    """How much of the error rate may be spent when a share t of the planned information is in."""

    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"


def tightest_rho_squared(planned_units: int, *, alpha: float = 0.05) -> float:
    """The mixing variance r2 = rho^2 that makes the confidence sequence tightest at the planned number of units.

    Args:
        planned_units: mature units in both groups that the plan asks for, at least 1. Fixed before the start: tuning it
            to the data breaks the guarantee.
        alpha: two-sided error rate.

    Returns:
        r2 with ``r2 * planned_units = -W(-alpha^2/e) - 1``, W the lower branch of Lambert's function (8.212 at .05).

    Raises:
        ValueError: if the plan has no units.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024; docs/methods/comparison.md, "Confidence sequence".
    """
    check_alpha(alpha)
    if planned_units < 1:
        raise ValueError(f"planned_units must be at least 1, not {planned_units}")
    return (-float(special.lambertw(-(alpha**2) / e, k=-1).real) - 1) / planned_units


def sequence_multiplier(units: float, *, rho_squared: float, alpha: float = 0.05) -> float:
    """k(N), which takes the place of z: est +- k(N) * SE holds at all looks together with probability 1 - alpha.

    Its square takes the place of the chi-square quantile in the Anderson-Rubin set.

    Args:
        units: mature units in both groups, above 0.
        rho_squared: of `tightest_rho_squared`.
        alpha: two-sided error rate.

    Source: Waudby-Smith et al. 2024; docs/methods/comparison.md, "Confidence sequence".
    """
    check_alpha(alpha)
    _check_positive(units=units, rho_squared=rho_squared)
    m = units * rho_squared
    return sqrt(2 * (m + 1) / m * (log1p(m) / 2 - log(alpha)))


def always_valid_p(z: float, units: float, *, rho_squared: float) -> float:
    """p-value of one look, 0 to 1: below alpha exactly if the confidence sequence excludes 0 at this look.

    Args:
        z: difference over its standard error.
        units: mature units in both groups, above 0.
        rho_squared: of `tightest_rho_squared`.

    Source: Waudby-Smith et al. 2024; docs/methods/comparison.md, "Confidence sequence".
    """
    _check_positive(units=units, rho_squared=rho_squared)
    m = units * rho_squared
    return exp(min(log1p(m) / 2 - m * z**2 / (2 * (m + 1)), 0.0))


def spent(fraction: float, *, alpha: float = 0.05, spending: Spending = Spending.OBRIEN_FLEMING) -> float:
    """Error rate of both sides together that may be spent once this share of the planned information is in.

    The function is applied to each side's alpha/2 and doubled: applied to the whole alpha it gives other bounds (the
    first of five would be 4.38 instead of 4.88).

    Args:
        fraction: mature units over planned ones; above 1 counts as 1.
        alpha: two-sided error rate.
        spending: O'Brien-Fleming type saves nearly all for the end, Pocock type spends evenly.

    Source: Lan and DeMets 1983.
    """
    check_alpha(alpha)
    if not fraction >= 0:
        raise ValueError(f"a fraction of information can't be negative: {fraction}")
    t = min(fraction, 1.0)
    if t == 0:
        return 0.0
    if spending is Spending.POCOCK:
        return alpha * log1p((e - 1) * t)
    return 4 * float(stats.norm.sf(stats.norm.isf(alpha / 4) / sqrt(t)))


def bounds(
    fractions: Sequence[float],
    *,
    alpha: float = 0.05,
    spending: Spending = Spending.OBRIEN_FLEMING,
    final: bool = False,
) -> tuple[float, ...]:
    """Critical values c_k of the looks so far: reject at look k if abs(z_k) >= c_k.

    The list holds only looks that were taken: a skipped one spends nothing, and the next may spend its part. A look
    with less than 0.01 % new information gets infinity and spends nothing either. So does one whose fraction fell below
    an earlier one's, as corrections of the data do: what was spent stays spent. A last look with such a lower fraction
    gets what is left for itself alone (Bonferroni), since its correlation with looks at the wrong data is unknown.

    Args:
        fractions: mature units over planned ones at each look, above 0, in the order of the looks.
        alpha: two-sided error rate over all looks.
        spending: how the error rate is spent.
        final: the last look spends all that is left, even if its fraction isn't 1. The level holds only if the data had
            no part in making it the last (`experiments.analyse.outcome_lock`). A fraction of 1 or more spends all that
            is left in any case.

    Returns:
        One bound a look. Adding a look never changes an earlier bound, unless that look was called final.

    Raises:
        ValueError: if the fractions aren't above 0.

    Source: Lan and DeMets 1983; Armitage, McPherson and Rowe 1969 (the recursion); Lan and DeMets 1989.
    """
    times = _checked_times(fractions)
    state, gone, critical = _START, 0.0, []
    for index, planned in enumerate(times):
        last = final and index == len(times) - 1
        if last and planned <= state.time - LEAST_STEP:
            critical.append(_alone(max(alpha - gone, 0.0) / 2))
            continue
        if planned - state.time < LEAST_STEP and not last:
            critical.append(inf)
            continue
        time = max(planned, state.time + LEAST_STEP)
        allowed = alpha if last else spent(planned, alpha=alpha, spending=spending)
        bound = _solve(state, time, max(allowed - gone, 0.0) / 2)
        critical.append(bound)
        gone = max(allowed, gone)
        following = max(times[index + 1] - time, LEAST_STEP) if index + 1 < len(times) else 1.0
        state = state.after(time, bound, following)
    return tuple(critical)


def inflation(
    fractions: Sequence[float], *, alpha: float = 0.05, spending: Spending = Spending.OBRIEN_FLEMING, power: float = 0.8
) -> float:
    """How many times the units of a fixed plan this plan needs for the same power, at least 1.

    Args:
        fractions: shares of the planned information at the planned looks, rising; the last is 1.
        alpha: two-sided error rate.
        spending: how it is spent.
        power: of the crossing in the effect's direction, above alpha/2.

    Returns:
        (drift that reaches the power with these looks / drift of a fixed plan)^2: 1.025 for five O'Brien-Fleming looks
        and 1.213 for five of Pocock's at .8.

    Source: Jennison and Turnbull 2000, sections 2.4 and 7.2 (the inflation factor R).
    """
    critical = bounds(fractions, alpha=alpha, spending=spending)
    plain = float(stats.norm.isf(alpha / 2) + stats.norm.isf(1 - power))
    drift = float(optimize.brentq(lambda d: crossing(fractions, critical, drift=d)[0] - power, plain / 2, 3 * plain))
    return (drift / plain) ** 2


def upper_tail(
    fractions: Sequence[float], critical: Sequence[float], z: float, *, drift: float, up: bool = True
) -> float:
    """Probability of an outcome at least as high as ending at this look with z, in the stage-wise order.

    The order: out above at an early look is highest, out below at an early one lowest; at the same look z decides.

    Args:
        fractions: of the earlier looks that continued, and of this one; rising by at least 0.01 %.
        critical: bounds of the looks before.
        z: of this look.
        drift: expected z at fraction 1.
        up: False for the probability of at most as high.

    Source: Armitage 1957; Siegmund 1978; Jennison and Turnbull 2000, section 8.4.
    """
    times = _checked_times(fractions)
    if len(times) != len(critical) + 1 or any(b - a < LEAST_STEP for a, b in pairwise(times)):
        raise ValueError("each look before needs one bound, and each look must add at least 0.01 % of the information")
    state, tail = _START, 0.0
    for index, bound in enumerate(critical):
        tail += state.exit(times[index], bound, drift, upwards=up)
        state = state.after(times[index], bound, times[index + 1] - times[index], drift)
    return tail + state.exit(times[-1], z if up else -z, drift, upwards=up)


def crossing(fractions: Sequence[float], critical: Sequence[float], *, drift: float = 0.0) -> tuple[float, float]:
    """Probability that z leaves (-c_k, c_k) at some look, above and below.

    Args:
        fractions: shares of the planned information at the looks, above 0 and rising by at least 0.01 %.
        critical: the bounds c_k; infinity is a look that can't reject.
        drift: expected z at fraction 1, so that z_k has mean drift * sqrt(t_k).

    Returns:
        (above, below): their sum is the false alarm rate at drift 0; the first is the power at a positive drift.

    Source: Armitage, McPherson and Rowe 1969.
    """
    return crossing_by_look(fractions, critical, drift=drift)[-1]


def crossing_by_look(
    fractions: Sequence[float], critical: Sequence[float], *, drift: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """The same cumulatively by look: (above, below) at it or at one before it."""
    times = _checked_times(fractions)
    if any(b < a for a, b in pairwise(times)):
        raise ValueError(f"fractions of information must never fall: {times}")
    if len(times) != len(critical) or not all(bound >= 0 for bound in critical):
        raise ValueError("each look needs one bound of at least 0")
    if any(b - a < LEAST_STEP for a, b in pairwise(times)):
        raise ValueError("each look must add at least 0.01 % of the information")
    state, above, below = _START, 0.0, 0.0
    probabilities = []
    for index, (time, bound) in enumerate(zip(times, critical, strict=True)):
        above += state.exit(time, bound, drift)
        below += state.exit(time, bound, drift, upwards=False)
        following = times[index + 1] - time if index + 1 < len(times) else 1.0
        state = state.after(time, bound, following, drift)
        probabilities.append((above, below))
    return tuple(probabilities)


@dataclass(frozen=True)
class _State:
    """Sub-density of the Brownian value without a rejection so far: masses on quadrature nodes."""

    time: float
    nodes: Array
    masses: Array

    def exit(self, time: float, bound: float, drift: float = 0.0, *, upwards: bool = True) -> float:
        """Probability of crossing the bound at the next look."""
        if bound == inf:
            return 0.0
        step, sign = time - self.time, 1.0 if upwards else -1.0
        away = bound * sqrt(time) - sign * (self.nodes + drift * step)
        return float(self.masses @ stats.norm.sf(away / sqrt(step)))

    def after(self, time: float, bound: float, following: float, drift: float = 0.0) -> "_State":
        """The sub-density after a look that didn't reject, on nodes fine enough for the step that follows."""
        if bound == inf:
            return self  # nothing was rejected here, so the next step may start from the earlier look
        step, edge = time - self.time, bound * sqrt(time)
        low, high = (max(min(drift * time + side * REACH * sqrt(time), edge), -edge) for side in (-1, 1))
        # Panels of 16 nodes: computing one rule with thousands of nodes would take seconds.
        panels = ceil(NODES_PER_DEVIATION * (high - low) / sqrt(min(following, time)) / len(_POINTS)) + 2
        width = (high - low) / panels
        nodes = (low + width * (np.arange(panels)[:, None] + (_POINTS + 1) / 2)).ravel()
        weights = np.tile(_WEIGHTS * width / 2, panels)
        away = (nodes[:, None] - self.nodes[None, :] - drift * step) / sqrt(step)
        density = np.exp(-(away**2) / 2) @ self.masses / sqrt(2 * np.pi * step)
        return _State(time, nodes, density * weights)


_START = _State(0.0, np.zeros(1), np.ones(1))


def _solve(state: _State, time: float, side: float) -> float:
    """The bound whose exit probability on each side is ``side``; infinity when there is nothing to spend."""
    # Far below any relevant error rate; further out in the tail the nodes carry no mass.
    if side < 1e-15:
        return inf
    return float(optimize.brentq(lambda c: log(max(state.exit(time, c), 1e-300)) - log(side), 0.0, 38.0, xtol=1e-10))


def _alone(side: float) -> float:
    """The bound of a look as if it were the only one."""
    return inf if side < 1e-15 else float(stats.norm.isf(side))


def _checked_times(fractions: Sequence[float]) -> list[float]:
    times = [float(value) for value in fractions]
    if not all(0 < value < inf for value in times):
        raise ValueError(f"fractions of information must lie above 0: {times}")
    return times


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < inf:
            raise ValueError(f"{name} must be a positive number, not {value}")
