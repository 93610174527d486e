"""Activity tiers, and what separates two groups of units: behaviour per active day, never totals.

Tiers are cut on active days, so every total differs by construction. Even a unit's rate per active day misleads: three
active days only give rates in steps of a third, thirty give finer ones, so that a model, or a rank measure of a skewed
count, separates the tiers by this granularity alone. Unit-level measures here therefore compare all units over the
*same* number of active days: drawn days where the caller has them, else counts thinned at random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from scipy import stats

from runs.progress import Progress, part, silent
from segments.search.importance import Importance, rank_features
from segments.search.ranks import Flags, Floats, Ints, standardised_difference
from stats.multiplicity import benjamini_hochberg
from stats.results import NotComputable, Reason

LOW, MID, HIGH = 0, 1, 2
INACTIVE = -1
REPLICATES = 500
# Cells of one block of resampled histograms: 40 MB of counts.
BLOCK = 5_000_000


@dataclass(frozen=True)
class Cuts:
    """The stored cuts of the tiers: low is at most `low` active days, mid at most `mid`, high more."""

    low: int
    mid: int


@dataclass(frozen=True, eq=False)
class EqualExposure:
    """Counts of every unit on the same number of its active days, drawn at random.

    Attributes:
        counts: units x behaviours, events on the drawn days; rows outside both groups aren't read.
        days: number of days drawn for each unit.
    """

    counts: Ints
    days: int


@dataclass(frozen=True)
class Rate:
    """Events per active day of a group: ratio of the group's sums, with its 95 % delta interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Delta:
    """Cliff's delta, P(second > first) - P(second < first), -1 to 1, with a bootstrap interval and its p-values.

    Attributes:
        estimate: positive when units of the second group tend to do it more often.
        low, high: 2.5-97.5 % range of the resamples.
        p_value: Brunner-Munzel, two-sided (Mann-Whitney where the groups don't overlap at all).
        adjusted_p_value: Benjamini-Hochberg over the features.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    adjusted_p_value: float


@dataclass(frozen=True)
class Contrast:
    """One behaviour in two groups; differences are second minus first.

    Attributes:
        name: the behaviour.
        first, second: events per active day in each group, from all events.
        difference: of the two rates, with its interval.
        smd: standardised mean difference of the units' rates at equal exposure.
        delta: Cliff's delta of the same rates.
    """

    name: str
    first: Rate
    second: Rate
    difference: Rate
    smd: float | NotComputable
    delta: Delta | NotComputable


@dataclass(frozen=True, eq=False)
class Separation:
    """What separates the second group from the first.

    Attributes:
        first_units, second_units: group sizes.
        exposure_days: active days of every unit in the unit-level measures.
        thinned: True when counts were thinned from all days, which is exact only where events don't come in bursts.
        contrasts: one per behaviour, in the caller's order.
        importance: a model of belonging to the second group on rates at equal exposure.
        seed: of thinning, resamples and models.
    """

    first_units: int
    second_units: int
    exposure_days: int
    thinned: bool
    contrasts: tuple[Contrast, ...]
    importance: Importance | NotComputable
    seed: int


def find_cuts(active_days: Ints) -> Cuts | NotComputable:
    """Cuts nearest to the terciles of the active units' active days that leave no tier empty.

    Args:
        active_days: whole days, 0 or more; units with 0 are left out.

    Returns:
        Both cuts, or ``NotComputable(TOO_FEW_VALUES)`` with fewer than three different numbers of days.
    """
    days, counts = np.unique(active_days[active_days > 0], return_counts=True)
    if len(days) < 3:
        return NotComputable(Reason.TOO_FEW_VALUES, {"n": len(days), "needed": 3})
    below = np.cumsum(counts) / counts.sum()
    low = int(np.argmin(np.abs(below[:-2] - 1 / 3)))
    mid = low + 1 + int(np.argmin(np.abs(below[low + 1 : -1] - 2 / 3)))
    return Cuts(int(days[low]), int(days[mid]))


def assign_tiers(active_days: Ints, cuts: Cuts) -> Ints:
    """Tier of each unit by stored cuts: 0 low, 1 mid, 2 high, -1 without any active day."""
    tier = np.searchsorted(np.array([cuts.low, cuts.mid]), active_days, side="left").astype(np.int64)
    return np.where(active_days > 0, tier, INACTIVE)


def separate(
    counts: Ints,
    active_days: Ints,
    *,
    first: Flags,
    second: Flags,
    names: Sequence[str],
    seed: int,
    equal: EqualExposure | None = None,
    replicates: int = REPLICATES,
    progress: Progress = silent,
) -> Separation | NotComputable:
    """Compare two groups of units behaviour by behaviour, and by one model of all behaviours.

    Args:
        counts: units x behaviours, events in the window.
        active_days: active days in the window, one per unit; at least 1 in both groups.
        first, second: the groups, for example mid and high; no unit may be in both.
        names: one per behaviour.
        seed: of every random draw.
        equal: counts on equally many drawn days. Without it each count is thinned to the fewest active days of any
            member; that is exact for Poisson counts, but events that come in bursts keep some of the bias.
        replicates: resamples for Cliff's delta.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        The separation; a group of fewer than two units is ``NotComputable``.

    Raises:
        ValueError: a unit in both groups, or a member without active day.

    Source: Cliff 1993; Brunner and Munzel 2000; docs/methods/profiles.md, "Tiers and separation".
    """
    if (first & second).any() or (active_days[first | second] < 1).any():
        raise ValueError("groups must not overlap, and every member needs an active day")
    smaller = int(min(first.sum(), second.sum()))
    if smaller < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smaller, "needed": 2})
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(first | second)
    sample = EqualExposure(equal.counts[rows], equal.days) if equal else _thin(counts[rows], active_days[rows], rng)
    rates = sample.counts / sample.days
    is_second = second[rows]
    deltas = []
    for j in range(len(names)):
        deltas.append(cliffs_delta(rates[~is_second, j], rates[is_second, j], rng=rng, replicates=replicates))
        progress("contrasts", 0.3 * (j + 1) / len(names))
    contrasts = []
    for j, (name, delta) in enumerate(zip(names, _adjusted(deltas), strict=True)):
        sides = [(counts[group, j], active_days[group]) for group in (first, second)]
        smd = standardised_difference(rates[~is_second, j], rates[is_second, j])
        difference = NotComputable(Reason.NO_VARIANCE) if smd is None else smd
        contrasts.append(Contrast(name, *_rates(sides), difference, delta))
    importance = rank_features(
        rates, is_second, names=names, seed=int(rng.integers(2**31)), progress=part(progress, 0.3, 1.0)
    )
    return Separation(
        int(first.sum()), int(second.sum()), sample.days, equal is None, tuple(contrasts), importance, seed
    )


def cliffs_delta(
    first: Floats, second: Floats, *, rng: np.random.Generator, replicates: int = REPLICATES
) -> Delta | NotComputable:
    """Cliff's delta of two samples, 2 AUC - 1 with ties counted half; in n log n, not over all pairs.

    Resampling units inside a group is a multinomial draw from its histogram of distinct values. The adjusted p-value
    is the p-value until a family is known.

    Source: Cliff 1993; Brunner and Munzel 2000.
    """
    values, inverse = np.unique(np.concatenate([first, second]), return_inverse=True)
    if min(len(first), len(second)) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(len(first), len(second)), "needed": 2})
    if len(values) == 1:
        return NotComputable(Reason.NO_VARIANCE)
    first_share = np.bincount(inverse[: len(first)], minlength=len(values)) / len(first)
    second_share = np.bincount(inverse[len(first) :], minlength=len(values)) / len(second)
    draws: list[Floats] = []
    block = max(1, BLOCK // len(values))
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        first_draws = rng.multinomial(len(first), first_share, size=size) / len(first)
        second_draws = rng.multinomial(len(second), second_share, size=size) / len(second)
        draws.append(_delta(first_draws, second_draws))
    low, high = np.quantile(np.concatenate(draws), [0.025, 0.975])
    p_value = _stochastic_p(first, second)
    return Delta(float(_delta(first_share, second_share)), float(low), float(high), p_value, p_value)


def _delta(first: Floats, second: Floats) -> Floats:
    """Delta of histograms over the same ascending values, along the last axis."""
    up_to = np.cumsum(first, axis=-1)
    # Rounding may exceed 1 by an ulp.
    return np.clip((second * (2 * up_to - first - 1)).sum(axis=-1), -1.0, 1.0)


def _stochastic_p(first: Floats, second: Floats) -> float:
    if first.max() < second.min() or second.max() < first.min():
        # Brunner-Munzel divides by a variance that is 0 here.
        return float(stats.mannwhitneyu(first, second, method="asymptotic").pvalue)
    return float(stats.brunnermunzel(first, second).pvalue)


def _adjusted(deltas: Sequence[Delta | NotComputable]) -> Iterator[Delta | NotComputable]:
    """The same, with p-values adjusted for the number of behaviours that could be tested."""
    adjusted_p = iter(benjamini_hochberg([delta.p_value for delta in deltas if isinstance(delta, Delta)]))
    for delta in deltas:
        yield replace(delta, adjusted_p_value=next(adjusted_p)) if isinstance(delta, Delta) else delta


def _thin(counts: Ints, days: Ints, rng: np.random.Generator) -> EqualExposure:
    """Thin each unit's counts to the shortest exposure of all units."""
    shortest = int(days.min())
    thinned = rng.binomial(counts.astype(np.int64), (shortest / days)[:, None])
    return EqualExposure(np.asarray(thinned, dtype=np.int64), shortest)


def _rates(sides: Sequence[tuple[Ints, Ints]]) -> tuple[Rate, Rate, Rate]:
    """Ratio of sums in the first and the second group, and their difference, with delta intervals.

    Source: docs/methods/comparison.md, "Ratio delta method".
    """
    z = float(stats.norm.isf(0.025))
    rates = []
    for count, days in sides:
        rate = float(count.sum()) / float(days.sum())
        residual = (count - rate * days) / float(days.mean())
        rates.append((rate, float(residual.var(ddof=1)) / len(days)))
    (first, first_variance), (second, second_variance) = rates
    half = z * sqrt(first_variance + second_variance)
    single = [Rate(r, max(r - z * sqrt(v), 0.0), r + z * sqrt(v)) for r, v in rates]
    return single[0], single[1], Rate(second - first, second - first - half, second - first + half)
