"""Units, days and probabilities with which a design decides, from what is known of the users. Pure.

A test of a behaviour decides when the Anderson-Rubin set excludes 0 and is bounded: the outcome's difference and the
first stage both cross the critical value of a look. The probability of the first is the power of the intention-to-treat
test (docs/methods/power.md, "Sequential plans"), the second is nearly certain wherever the first is likely; their
product is a lower bound, since the two estimates go together. Probabilities are averaged over the uncertainty of a past
take-up.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, exp, log, sqrt

import numpy as np
from scipy import optimize, special, stats

from experiments.plan.search.design_options import (
    NO_INSTRUMENT,
    Assigned,
    DesignOption,
    JudgedDesign,
    RefusedDesign,
    SearchInputs,
    WhyRefused,
)
from stats.instrument.dose_power import placebo_power
from stats.power import sample_size
from stats.power.family_and_looks import Critical, Method, Plan, critical_values
from stats.results import NotComputable, Reason
from stats.sequential.boundaries import crossing_by_look
from stats.summaries import Array

WEAK_BELOW = 10.0  # the usual threshold of F: below it the ratio's own interval is unreliable
LONGEST = 730  # days; tests of more than two years are refused
NODES = 9
SMALLEST_UNITS, LARGEST_UNITS = 1e-6, 1e10
# A verdict needs this many mature units per arm, and this many with and without the outcome
# (docs/methods/verdict.md, "Verdict"); an always-valid plan needs more units.
LEAST_UNITS, LEAST_OF_EACH, LEAST_ALWAYS_VALID = 50, 5, 100
DRIFTS = np.linspace(0.0, 8.0, 81)  # expected z at the end; at the largest every plan has decided


@dataclass(frozen=True)
class _Take:
    """Possible values of the share that is moved, with their weights."""

    values: Array
    weights: Array


def judged(asked: SearchInputs, design: DesignOption) -> JudgedDesign | RefusedDesign:
    """Units, days and probabilities of a design, or why it isn't ranked."""
    if (refusal := _refused(asked, design)) is not None:
        return refusal
    chances = _Chances(asked, design)
    if chances.decided(LARGEST_UNITS) < asked.power:
        return RefusedDesign(design, WhyRefused.UNCERTAIN_TAKE_UP, {"chance": chances.decided(LARGEST_UNITS)})
    found = optimize.brentq(
        lambda size: chances.decided(exp(size)) - asked.power, log(SMALLEST_UNITS), log(LARGEST_UNITS), xtol=1e-7
    )
    least = _least(design)
    per_variant = tuple(max(ceil(exp(float(found)) * share - 1e-6), least) for share in design.shares)
    units, audience = sum(per_variant), design.audience
    days = sample_size.days_needed(units, audience.per_day, window_end=audience.last_day)
    if days > LONGEST:
        return RefusedDesign(design, WhyRefused.TOO_LATE, {"days": days})
    return JudgedDesign(
        design,
        units,
        per_variant,
        days,
        chances.decided(units),
        chances.expected_days(units),
        chances.weak(units),
        _smallest_by(asked, design),
        _placebo_shown(asked, design, per_variant),
    )


def _refused(asked: SearchInputs, design: DesignOption) -> RefusedDesign | None:
    audience, moved = design.audience, design.moved
    if design.adjusted and asked.r_squared == 0:
        return RefusedDesign(design, WhyRefused.NO_R_SQUARED)
    if audience.per_day <= 0:
        return RefusedDesign(design, WhyRefused.NOBODY_COMES)
    if (audience.sd is None and not 0 < audience.base < 1) or audience.sd == 0:
        return RefusedDesign(design, WhyRefused.FLAT_OUTCOME)
    if moved is None:
        return RefusedDesign(design, WhyRefused.NO_TAKE_UP)
    if design.assigned is Assigned.SWITCH and moved <= 0:
        return RefusedDesign(design, WhyRefused.NOBODY_USES_IT)
    if design.assigned is Assigned.NUDGE and moved > 1 - audience.reach:
        return RefusedDesign(design, WhyRefused.HEAD_ROOM, {"take_up": moved, "room": 1 - audience.reach})
    if moved <= 0:
        return RefusedDesign(design, WhyRefused.UNCERTAIN_TAKE_UP, {"chance": 0.0})
    if audience.sd is None and not 0 < _levels(asked, design)[1] < 1:
        return RefusedDesign(design, WhyRefused.BEYOND_EVERYBODY, {"share": moved})
    return None


def _levels(asked: SearchInputs, design: DesignOption, moved: float | None = None) -> tuple[float, float]:
    """Mean outcome of the comparator and of the variant. With a switch, the comparator lacks the feature's effect."""
    share = moved if moved is not None else design.moved or 0.0
    base = design.audience.base - (share * asked.effect if design.assigned is Assigned.SWITCH else 0.0)
    return base, base + share * asked.effect


class _Chances:
    """The probabilities of one design by its number of units."""

    def __init__(self, asked: SearchInputs, design: DesignOption) -> None:
        self.asked, self.design = asked, design
        self.critical = _critical(asked.alpha, design.method, design.looks)
        self.take = _take(design)
        # Share of all units in each of the two compared arms.
        self.arm = design.shares[0]
        self.null, self.alternative = self._errors()

    def decided(self, units: float) -> float:
        """Probability to have decided at the end."""
        return float(self._by_look(units)[-1])

    def expected_days(self, units: float) -> float:
        """Mean days until it decides or ends."""
        audience = self.design.audience
        ends = np.array([ceil(units * t / audience.per_day) + audience.last_day + 1 for t in self.critical.times])
        reached = self._by_look(units)
        stopped = np.diff(reached, prepend=0.0)
        return float(stopped @ ends + (1 - reached[-1]) * ends[-1])

    def weak(self, units: float) -> float | NotComputable:
        """Probability of F below 10 at the end: F is a noncentral chi-square with one degree of freedom."""
        if self.design.assigned is not Assigned.NUDGE:
            return NO_INSTRUMENT
        return float(self.take.weights @ stats.ncx2.cdf(WEAK_BELOW, 1, self._first_z(units) ** 2))

    def _by_look(self, units: float) -> Array:
        """Probability to have decided by each look."""
        drift = self.take.values * abs(self.asked.effect) / self.alternative * sqrt(units)
        # Bounds use the error under no effect: exact at the last look, approximate at earlier ones.
        drift = drift - self.critical.values[-1] * (self.null / self.alternative - 1)
        table = _crossed(self.critical)
        found = np.array([np.interp(drift, DRIFTS, row) for row in table])
        if self.design.assigned is Assigned.NUDGE:
            times, values = (np.array(one)[:, None] for one in (self.critical.times, self.critical.values))
            found *= special.ndtr(self._first_z(units) * np.sqrt(times) - values)
        weights = np.where(self.take.values > 0, self.take.weights, 0.0)
        return np.maximum.accumulate(np.asarray(found @ weights))

    def _errors(self) -> tuple[Array, Array]:
        """Errors of the difference times the root of all units, under no effect and under the planned one."""
        adjusted = 1 - self.asked.r_squared if self.design.adjusted else 1.0
        if (sd := self.design.audience.sd) is not None:
            both = np.full(self.take.values.shape, sd * sqrt(2 / self.arm * adjusted))
            return both, both
        levels = [_levels(self.asked, self.design, float(value)) for value in self.take.values]
        low, high = (np.clip([pair[at] for pair in levels], 1e-6, 1 - 1e-6) for at in (0, 1))
        middle = (low + high) / 2
        alternative = np.sqrt((low * (1 - low) + high * (1 - high)) / self.arm * adjusted)
        if self.design.method is Method.ALWAYS_VALID:
            return alternative, alternative
        return np.sqrt(2 * middle * (1 - middle) / self.arm * adjusted), alternative

    def _first_z(self, units: float) -> Array:
        """Expected z of the first stage."""
        reach = self.design.audience.reach
        high = np.clip(reach + self.take.values, 0.0, 1.0)
        variance = (reach * (1 - reach) + high * (1 - high)) / (units * self.arm)
        return np.asarray(self.take.values / np.sqrt(np.maximum(variance, 1e-300)))


@lru_cache(maxsize=64)
def _critical(alpha: float, method: Method, looks: int) -> Critical:
    """Critical z at the looks, which depends only on these arguments."""
    return critical_values(Plan(baseline=0.5, alpha=alpha, power=(1 + alpha) / 2, method=method, looks=looks))


def _take(design: DesignOption) -> _Take:
    """The past take-up with its uncertainty: Gauss-Hermite nodes of its normal distribution."""
    moved = design.moved or 0.0
    if design.moved_error == 0:
        return _Take(np.array([moved]), np.array([1.0]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    most = 1 - design.audience.reach
    return _Take(np.minimum(moved + design.moved_error * nodes, most), weights / weights.sum())


@lru_cache(maxsize=64)
def _crossed(critical: Critical) -> tuple[Array, ...]:
    """Probability to have crossed the upper bound by each look, for each of `DRIFTS`."""
    if len(critical.times) == 1:
        return (np.asarray(stats.norm.sf(critical.values[0] - DRIFTS)),)
    found = [crossing_by_look(critical.times, critical.values, drift=float(drift)) for drift in DRIFTS]
    return tuple(np.array([looks[k][0] for looks in found]) for k in range(len(critical.times)))


def _least(design: DesignOption) -> int:
    """Minimum units per arm for a verdict."""
    audience = design.audience
    least = LEAST_ALWAYS_VALID if design.method == "always_valid" else LEAST_UNITS
    if audience.sd is not None:
        return least
    return max(least, ceil(LEAST_OF_EACH / min(audience.base, 1 - audience.base)))


def _smallest_by(asked: SearchInputs, design: DesignOption) -> float | NotComputable:
    """The smallest effect detectable with the units whose outcome is known by the deadline."""
    audience = design.audience
    units = audience.per_day * (asked.deadline - audience.last_day - 1)
    if units * design.shares[0] < _least(design):
        return NotComputable(Reason.NO_OUTCOME_BY_THEN, {"days": asked.deadline})
    sign, largest = (1.0 if asked.effect > 0 else -1.0), _largest_effect(asked, design)

    def short(size: float) -> float:
        return _Chances(replace(asked, effect=sign * size), design).decided(units) - asked.power

    if short(largest) < 0:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    return float(optimize.brentq(short, largest * 1e-6, largest, xtol=largest * 1e-6))


def _largest_effect(asked: SearchInputs, design: DesignOption) -> float:
    """The largest possible effect: a share stays within 0 and 1."""
    audience, moved = design.audience, design.moved or 1.0
    if audience.sd is not None:
        return 1e3 * audience.sd / moved
    upwards = (asked.effect > 0) is (design.assigned is not Assigned.SWITCH)
    return min((1 - audience.base if upwards else audience.base) / moved, 1.0) * (1 - 1e-6)


def _placebo_shown(
    asked: SearchInputs, design: DesignOption, per_variant: tuple[int, ...]
) -> float | NotComputable | None:
    if not design.placebo:
        return None
    return placebo_power(
        design.audience.reach, design.moved or 0.0, (per_variant[0], per_variant[1]), alpha=asked.alpha
    )
