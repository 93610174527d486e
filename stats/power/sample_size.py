"""Sample size, smallest detectable effect, power and duration: for shares and means, fixed and sequential plans.

Everything is a plan for one comparison of a variant with its comparator; the ITT test's power is also that of "the
Anderson-Rubin set excludes 0". Power computed after the data are in ("post hoc") adds nothing to the interval. Don't
confuse the effect that is planned for with the margin below which nobody would act.
"""

from dataclasses import dataclass, replace
from math import ceil, inf, log, sqrt

from scipy import optimize, stats

from stats.power.family_and_looks import Critical, Method, Plan, critical_values, drift_needed, reached, require
from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Values, finite_array

# Design effect of assigning clusters: their size distribution and intraclass correlation, measured on past data.


@dataclass(frozen=True)
class ClusterLaw:
    """Sizes and intraclass correlation of past clusters.

    Attributes:
        clusters: how many there were, with at least one unit each; `units` in them.
        mean_size: units per cluster.
        variation: coefficient of variation of the sizes, sd / mean; 0 for equal ones.
        correlation: intraclass correlation of the outcome by the analysis of variance; below 0 if clusters differ less
            than by chance.
        low, high: limits of it; `level` of this interval.
    """

    clusters: int
    units: int
    mean_size: float
    variation: float
    correlation: float
    low: float
    high: float
    level: float = 0.95

    @property
    def design_effect(self) -> float:
        """The design effect of a plan with such clusters; a negative correlation counts as 0."""
        return design_effect(self.mean_size, self.variation, max(self.correlation, 0.0))


def design_effect(mean_size: float, variation: float, correlation: float) -> float:
    """Units needed as a multiple of those of independent units: 1 + ((1 + cv^2) m - 1) rho.

    With known sizes it equals Kish's 1 + (sum n^2 / sum n - 1) rho, the design effect of means of units.

    Source: Donner and Klar 2000, chapter 5 (equal sizes); Eldridge, Ashby and Kerry 2006 (coefficient of variation).
    """
    return 1 + ((1 + variation**2) * mean_size - 1) * correlation


def cluster_law(n: Values, means: Values, variances: Values, *, alpha: float = 0.05) -> ClusterLaw | NotComputable:
    """Sizes and intraclass correlation from the moments of each cluster.

    With MSB and MSW the mean squares between and within k clusters, and n0 = (N - sum n^2 / N) / (k - 1):
    rho = (MSB - MSW) / (MSB + (n0 - 1) MSW). The interval takes F = MSB / MSW as if all clusters had n0 units.

    Args:
        n: units per cluster, at least 1.
        means: of the outcome (a share's is the share of ones).
        variances: n-1 variances; 0 where n is 1.
        alpha: two-sided error rate of the interval.

    Source: Donner 1986; Donner and Klar 2000, chapter 1 (shares, too); Searle 1971, chapter 9 (interval).
    """
    check_alpha(alpha)
    sizes, levels, spreads = (finite_array(values, dimensions=1) for values in (n, means, variances))
    clusters, units = len(sizes), float(sizes.sum())
    if clusters < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": clusters, "needed": 2})
    if units <= clusters:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": int(units), "needed": clusters + 1})
    between = float((sizes * (levels - levels @ sizes / units) ** 2).sum()) / (clusters - 1)
    within = float(((sizes - 1) * spreads).sum()) / (units - clusters)
    if within <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    typical = (units - float((sizes**2).sum()) / units) / (clusters - 1)

    def likeness(ratio: float) -> float:
        return (ratio - 1) / (ratio + typical - 1)

    law, ratio = stats.f(clusters - 1, units - clusters), between / within
    return ClusterLaw(
        clusters=clusters,
        units=int(units),
        mean_size=units / clusters,
        variation=sqrt(float(sizes.var())) / (units / clusters),
        correlation=likeness(ratio),
        low=likeness(ratio / float(law.isf(alpha / 2))),
        high=likeness(ratio / float(law.ppf(alpha / 2))),
        level=1 - alpha,
    )


TAKE_UPS = (0.05, 0.1, 0.2, 0.4)
LARGEST_UNITS = 10**12  # beyond it the answer is "never"
LARGEST_EFFECT = 10**6  # in standard deviations, likewise


@dataclass(frozen=True)
class Size:
    """A planned size.

    Attributes:
        units: units of each variant, control first, rounded up.
        exact: units of control before rounding.
        power: power of the rounded size for the effect, 0 to 1.
        formula: name of the formula.
    """

    units: tuple[int, ...]
    exact: float
    power: float
    formula: str

    @property
    def total(self) -> int:
        """Units of all variants."""
        return sum(self.units)


def sample_size(plan: Plan, effect: float) -> Size | NotComputable:
    """Units needed to detect the effect with the plan's power.

    Args:
        plan: fixed before the start.
        effect: absolute, variant minus control (0.02 = two points of a share); with a take-up below 1 the effect of
            the behaviour on those whom the nudge moves.

    Returns:
        The size; with unequal shares it is set by the variant with the smallest one. ``NotComputable`` when more than
        10^12 units would be needed.

    Raises:
        ValueError: for an effect of 0, or one that takes the share out of 0 to 1.

    Source: R's power.prop.test; Cohen 1988 (noncentral t); docs/methods/power.md.
    """
    check_effect(plan, effect)
    critical = critical_values(plan)
    if plan.sd is not None and plan.method is Method.FIXED:
        total = _units_by_t(plan, effect)
    else:
        null, alternative = _spreads(plan, effect)
        total = (drift_needed(critical, null / alternative, plan.power) * alternative / (plan.take_up * effect)) ** 2
    total *= _design_effect(plan)
    if not total <= LARGEST_UNITS:
        return NotComputable(Reason.TOO_MANY_UNITS)
    whole = sum(plan.shares)
    # The 1e-9 keeps rounding of floats from increasing a whole size by one.
    units = tuple(max(ceil(total * share / whole - 1e-9), 2) for share in plan.shares)
    return Size(units, total * plan.shares[0] / whole, power_at(plan, effect, units), plan.formula)


def power_at(plan: Plan, effect: float, units: tuple[int, ...]) -> float:
    """Probability that the comparison with the smallest variant rejects in the direction of the effect.

    For means with a fixed plan the wrong direction counts as well, as in R's power.t.test with ``strict = TRUE`` and in
    pwr.t.test; it matters only if power is very low.

    Args:
        plan: fixed before the start; its ``power`` and ``shares`` play no part.
        effect: as in `sample_size`.
        units: units of each variant, control first, at least 2 each.

    Raises:
        ValueError: for an impossible effect or number of units.

    Source: as `sample_size`; the recursion of Armitage, McPherson and Rowe 1969 for sequential plans.
    """
    check_effect(plan, effect)
    require(len(units) == len(plan.shares), "split and units must name the same variants")
    require(min(units) >= 2, "per-variant must be at least 2 in each variant")
    n0, n1 = (size / _design_effect(plan) for size in _compared(plan, units))
    return _power(plan, effect, n0, n1, critical_values(plan))


def standard_error(plan: Plan, effect: float | None, units: tuple[int, ...]) -> float:
    """Standard error of the comparison with the smallest variant under this effect; None: under no effect.

    Args:
        plan, effect: as in `sample_size`.
        units: units of each variant, control first.
    """
    n0, n1 = (size / _design_effect(plan) for size in _compared(plan, units))
    return _spreads(plan, 0.0 if effect is None else effect, (n0, n1))[1]


def smallest_effect(plan: Plan, units: tuple[int, ...], *, downwards: bool = False) -> float | NotComputable:
    """The smallest effect that these units detect with the plan's power.

    Args:
        plan: fixed before the start; its ``shares`` play no part.
        units: units of each variant, control first, at least 2 each.
        downwards: look for a loss instead of a gain (the two differ for shares).

    Returns:
        The effect, negative if ``downwards``; of the behaviour when take-up is below 1. ``NotComputable`` when even
        the largest possible effect of a share, or one of a million standard deviations, isn't detected.

    Raises:
        ValueError: for an impossible number of units.

    Source: R's power.prop.test solved for p2; docs/methods/power.md.
    """
    require(len(units) == len(plan.shares), "split and units must name the same variants")
    require(min(units) >= 2, "per-variant must be at least 2 in each variant")
    sign, critical = -1.0 if downwards else 1.0, critical_values(plan)
    n0, n1 = (size / _design_effect(plan) for size in _compared(plan, units))

    def short(size: float) -> float:
        return _power(plan, sign * size, n0, n1, critical) - plan.power

    if plan.sd is None:
        largest = min((plan.baseline if downwards else 1 - plan.baseline) / plan.take_up, 1.0)
    else:
        largest = plan.sd / plan.take_up
        # The upper end of the search is for clusters with less than one unit's worth of information.
        while short(largest) < 0 and largest < LARGEST_EFFECT * plan.sd:
            largest *= 2
    if short(largest) < 0:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    return sign * float(optimize.brentq(short, largest * 1e-9, largest, xtol=largest * 1e-12))


def power_no_material_effect(plan: Plan, margin: float, units: tuple[int, ...]) -> float:
    """Probability to conclude NO_MATERIAL_EFFECT at the planned end when there is no effect at all.

    Two one-sided tests: the interval at level 1 - 2 alpha (1 - alpha by the last look's critical value in a plan with
    several looks) lies between -margin and +margin. Holm isn't applied, as in the verdict. An earlier look may conclude
    it too, so that the power of a plan with several looks is slightly higher.

    Args:
        plan: fixed before the start; its ``power`` and ``shares`` play no part.
        margin: the smallest effect that anybody would act on, above 0, in the outcome's unit; with a take-up below 1
            that of the behaviour: the outcome changes by take_up * margin.
        units: units of each variant, control first, at least 2 each.

    Returns:
        2 Phi(take_up * margin / SE - c) - 1, or 0 where that is negative; SE is the standard error without effect, c
        the critical value. The take-up is taken as known, which holds while the effects are small beside the sd.

    Raises:
        ValueError: for an impossible margin or number of units.

    Source: Schuirmann 1987; Julious 2004, section 3 (power where the true difference is 0); docs/methods/power.md.
    """
    require(0 < margin < inf, "margin must be a number above 0")
    require(len(units) == len(plan.shares), "split and units must name the same variants")
    require(min(units) >= 2, "per-variant must be at least 2 in each variant")
    n0, n1 = (size / _design_effect(plan) for size in _compared(plan, units))
    sd = sqrt(plan.baseline * (1 - plan.baseline)) if plan.sd is None else plan.sd
    distance = plan.take_up * margin / (sd * sqrt(1 / n0 + 1 / n1))
    narrow = min(2 * plan.alpha, 0.999) if plan.method is Method.FIXED else plan.alpha
    inside = float(stats.norm.cdf(distance - critical_values(plan, level=narrow).values[-1]))
    return max(2 * inside - 1, 0.0)


def dilution_curve(
    plan: Plan, effect: float, *, take_ups: tuple[float, ...] = TAKE_UPS
) -> tuple[tuple[float, Size | NotComputable], ...]:
    """The size at several take-ups: it grows with 1 / take_up^2, so more units hardly compensate for a weak nudge.

    Args:
        plan: fixed before the start, except for its take-up.
        effect: of the behaviour, as in `sample_size`.
        take_ups: shares above 0 to 1; those that would move the outcome out of 0 to 1 are left out.

    Source: docs/methods/power.md.
    """
    plans = [replace(plan, take_up=take_up) for take_up in take_ups]
    return tuple((diluted.take_up, sample_size(diluted, effect)) for diluted in plans if _possible(diluted, effect))


def days_needed(
    units: int, daily_units: float, *, coverage: float = 1.0, window_end: int | None = None, lateness: int = 0
) -> int:
    """Days from the start until the last planned unit is mature.

    Args:
        units: of all variants.
        daily_units: eligible units a day, above 0.
        coverage: share of them that is enrolled, above 0 to 1.
        window_end: last day of the outcome window counted from exposure, such as 7 for retention on day 7; None counts
            enrolment alone.
        lateness: days until late events are in.

    Raises:
        ValueError: for a value out of its range.

    Source: docs/methods/power.md.
    """
    require(0 < daily_units < inf, "daily-units must be a positive number")
    require(0 < coverage <= 1, "coverage must lie above 0 and be at most 1")
    require(window_end is None or window_end >= 0, "window-end must be at least 0")
    require(lateness >= 0, "lateness must be at least 0")
    observed = 0 if window_end is None else window_end + 1 + lateness
    return ceil(units / (daily_units * coverage)) + observed


def check_effect(plan: Plan, effect: float) -> None:
    """Refuse an impossible effect.

    Raises:
        ValueError: for 0, no number, or a share that would leave 0 to 1.
    """
    require(effect != 0 and abs(effect) < inf, "effect must be a number other than 0")
    require(plan.sd is not None or abs(effect) <= 1, "effect on a share must lie between -1 and 1")
    p1 = plan.baseline + plan.take_up * effect
    text = f"effect {effect:g} would take the share from {plan.baseline:g} to {p1:g}, which must stay within 0 and 1"
    require(_possible(plan, effect), text)


def _possible(plan: Plan, effect: float) -> bool:
    # 1e-12: 0.9 + 0.1 may come out above 1.
    return plan.sd is not None or (abs(effect) <= 1 and -1e-12 <= plan.baseline + plan.take_up * effect <= 1 + 1e-12)


def _pair(plan: Plan) -> tuple[float, float]:
    """Shares of all units in the comparator and in the smallest arm that counts."""
    whole = sum(plan.shares)
    n0, n1 = _compared(plan, plan.shares)
    return n0 / whole, n1 / whole


def _compared(plan: Plan, units: tuple[float, ...]) -> tuple[float, float]:
    return units[plan.comparator], min(units[place] for place in plan.members)


def _design_effect(plan: Plan) -> float:
    """Units needed per independent unit without covariates."""
    return (1 - plan.r_squared) * design_effect(plan.cluster_size, plan.cluster_variation, plan.cluster_correlation)


def _spreads(plan: Plan, effect: float, weights: tuple[float, float] | None = None) -> tuple[float, float]:
    """Standard errors of the difference times the square root of all units: under no effect, and under this one."""
    w0, w1 = weights or _pair(plan)
    if plan.sd is not None:
        both = plan.sd * sqrt(1 / w0 + 1 / w1)
        return both, both
    p0, p1 = plan.baseline, min(max(plan.baseline + plan.take_up * effect, 0.0), 1.0)
    alternative = sqrt(p0 * (1 - p0) / w0 + p1 * (1 - p1) / w1)
    if plan.method is Method.ALWAYS_VALID:  # its interval uses the unpooled error; with a 4:1 split it matters a lot
        return alternative, alternative
    pooled = (w0 * p0 + w1 * p1) / (w0 + w1)
    return sqrt(pooled * (1 - pooled) * (1 / w0 + 1 / w1)), alternative


def _power(plan: Plan, effect: float, n0: float, n1: float, critical: Critical) -> float:
    if plan.sd is not None and plan.method is Method.FIXED:
        return _t_power(plan.take_up * effect / plan.sd, n0, n1, plan.level)
    null, alternative = _spreads(plan, effect, (n0, n1))
    return reached(critical, null / alternative, plan.take_up * abs(effect) / alternative)


def _t_power(d: float, n0: float, n1: float, level: float) -> float:
    """Two-sided power of Student's t with equal variances. Source: R's pwr.t.test."""
    df, shift = n0 + n1 - 2, abs(d) / sqrt(1 / n0 + 1 / n1)
    if df <= 0:
        return 0.0
    threshold = float(stats.t.isf(level / 2, df))
    # The wrong tail is computed from the other side: SciPy's nct.cdf is NaN from a shift of about 5 on, its sf never
    # is.
    return float(stats.nct.sf(threshold, df, shift) + stats.nct.sf(threshold, df, -shift))


def _units_by_t(plan: Plan, effect: float) -> float:
    """All units, before inflation, at which Student's t reaches the plan's power."""
    w0, w1 = _pair(plan)
    size, level = plan.take_up * effect / (plan.sd or 1.0), plan.level
    z = float(stats.norm.isf(level / 2) + stats.norm.ppf(plan.power))
    normal = (z / size) ** 2 * (1 / w0 + 1 / w1)
    if normal > LARGEST_UNITS:
        return inf
    low = 4 / (w0 + w1)  # a plan has at least two units in each group
    if _t_power(size, low * w0, low * w1, level) >= plan.power:
        return low
    high = normal + low
    while _t_power(size, high * w0, high * w1, level) < plan.power:
        high *= 1.5
    return float(
        optimize.brentq(lambda n: _t_power(size, n * w0, n * w1, level) - plan.power, low, high, xtol=1e-9 * high)
    )


# Events and units for a log-rank test, which counts those who leave, not those who are enrolled.
#
# Two named formulas are in use. Schoenfeld's gives the size; Freedman's is shown for comparison. If they differ much (a
# hazard ratio far from 1, an unequal split), neither is exact.
#
# Source: docs/methods/power.md, "Time to churn".


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
        drift: z(1 - level/2) + z(power), or the drift that a plan with looks needs instead.
        ratio: units of the variant over those of its comparator.

    Source: Schoenfeld 1981, 1983.
    """
    return drift**2 * (1 + ratio) ** 2 / (ratio * log(hazard_ratio) ** 2)


def freedman(hazard_ratio: float, drift: float, ratio: float = 1.0) -> float:
    """The number of events by Freedman 1982, table 1."""
    return drift**2 * (1 + ratio * hazard_ratio) ** 2 / (ratio * (1 - hazard_ratio) ** 2)


def survival_size(plan: Plan, effect: float) -> SurvivalSize | NotComputable:
    """Units needed so that enough leave within the horizon for the log-rank test to detect the effect.

    Args:
        plan: `baseline` is the share of control that hasn't left by the horizon, 0 to 1 exclusive.
        effect: change of that share, absolute; with a take-up below 1 that of the behaviour.

    Returns:
        The size under proportional hazards, if everybody is followed to the horizon.

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
