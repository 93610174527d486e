"""Generalise from compliers to everybody: the complier effect reweighted by traits, and bounds for the others."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.cells import cross_counts, iv_moments_stratified
from stats.instrument.bounds import Bounds
from stats.instrument.encouragement import wald
from stats.iv_moments import IvMoments, iv_moments
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Joint
from stats.trait_cells import TraitCells

# Below this F a cell's own ratio isn't nearly normal, and its compliers are too few to represent the cell.
COMPARABLE_F = 10.0
# A cell needs this many units in each arm, and so many in all that its F would be this with everybody's first stage;
# traits are dropped until nine units in ten are in such cells.
CELL_UNITS = 100
EXPECTED_F = 20.0
WANTED_SHARE = 0.9


@dataclass(frozen=True)
class CellEffect:
    """One combination of traits.

    Attributes:
        combination: (trait, level) of each trait.
        share: of all units, 0 to 1.
        first_stage: share of its units that the nudge moves, -1 to 1.
        effect: of the behaviour on these; not computable if they aren't comparable.
    """

    combination: tuple[tuple[str, str], ...]
    share: float
    first_stage: float
    effect: Estimate | NotComputable


@dataclass(frozen=True)
class Reweighted:
    """The complier effect with the mix of traits of all units that have comparable compliers.

    Attributes:
        effect: average effect of the behaviour on these units, if within a combination of traits those whom the nudge
            moves respond like all others.
        share: of all units in a combination with comparable compliers, 0 to 1.
        traits: that tell the combinations apart, after dropping those that left too few units in each.
        cells: the combinations, the largest first.
    """

    effect: Estimate
    share: float
    traits: tuple[str, ...]
    cells: tuple[CellEffect, ...]


@dataclass(frozen=True)
class Everybody:
    """The behaviour's effect beyond compliers.

    Attributes:
        moved: share of units that the nudge moves, the first stage, -1 to 1: for them the effect is known.
        reweighted: the effect with the traits of all units that have comparable compliers.
        others: bounds for those whom the nudge doesn't move.
        everyone: bounds for all units together.
    """

    moved: float
    reweighted: Reweighted | NotComputable
    others: Bounds | NotComputable
    everyone: Bounds | NotComputable


def reweighted(cells: TraitCells, *, alpha: float = 0.05) -> Reweighted | NotComputable:
    """Average of the cells' complier effects, weighted by all units instead of by the units that were moved.

    With pi_x a cell's share of the units with comparable compliers: theta = sum pi_x ITT_x / FS_x, and its variance is
    sum pi_x^2 V(ITT_x / FS_x) + sum pi_x (b_x - theta)^2 / N, the second part because the shares are estimated too.
    Weighted by pi_x FS_x the same ratios give the complier effect itself.

    Args:
        cells: with outcome and behaviour.
        alpha: two-sided error rate.

    Returns:
        With one cell, the Wald estimate. ``NO_COMPARABLE_COMPLIERS`` if the nudge clearly moves no cell, ``NO_TRAITS``
        if no trait divides the units into cells that are large enough.

    Source: Angrist and Fernandez-Val 2013, theorem 1; the delta method; docs/methods/encouragement.md, "Reweighted".
    """
    check_alpha(alpha)
    whole = _whole(cells)
    if not computable(whole):
        return whole
    used = _coarsened(cells, whole)
    if not used.traits:
        return NotComputable(Reason.NO_TRAITS)
    moments = [_moments(used, cell) for cell in range(len(used.n))]
    direction = 1.0 if whole.first_stage >= 0 else -1.0
    units = used.n.sum(axis=1)
    effects = [_comparable(estimate, direction, alpha) for estimate in moments]
    order = np.argsort(-units, kind="stable").tolist()
    rows = tuple(
        CellEffect(used.combination(i), float(units[i] / units.sum()), estimate.first_stage, effects[i])
        for i in order
        if computable(estimate := moments[i])
    )
    comparable = [(effect, units[i]) for i, effect in enumerate(effects) if computable(effect)]
    if not comparable:
        return NotComputable(Reason.NO_COMPARABLE_COMPLIERS)
    estimate = _average([effect for effect, _n in comparable], np.array([n for _effect, n in comparable]), alpha)
    return Reweighted(estimate, float(sum(n for _effect, n in comparable) / units.sum()), used.traits, rows)


def _coarsened(cells: TraitCells, whole: IvMoments) -> TraitCells:
    """Drop traits, the last named first, until nine in ten units are in large cells.

    Sizes and the first stage of all units decide, never that of a cell nor an outcome. A segment with a split
    of its own is never dropped: without it the arms of a cell couldn't be compared.
    """
    # F is proportional to the units.
    wanted = EXPECTED_F * whole.v_d / max(whole.first_stage**2, EXPECTED_F * whole.v_d)
    while cells.traits:
        large = (cells.n.min(axis=1) >= CELL_UNITS) & (cells.n.sum(axis=1) >= wanted * cells.units)
        fewest = 1 if cells.strata > 1 else 0
        if len(cells.traits) <= fewest or cells.n[large].sum() >= WANTED_SHARE * cells.n.sum():
            break
        cells = cells.without(len(cells.traits) - 1)
    return cells


def bounds_of_the_others(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Bounds | NotComputable:
    """Bounds of the behaviour's effect on those whom the nudge doesn't move, always- and never-takers together.

    Always-takers are observed only with the behaviour, never-takers only without: the other outcome is unknown. Under
    monotonicity [p_11.0 - d_0 - p_10.1, p_11.0 + (1 - d_1) - p_10.1] / (d_0 + 1 - d_1): an interval of width 1 for any
    data. Limits by the delta method on each end, so that together they hold for the whole range.

    Args:
        control: moments of (R, D), both 0/1.
        variant: the same.
        alpha: error rate of both limits together.

    Returns:
        The bounds, or ``NOBODY_UNMOVED`` if the nudge moves everybody.

    Source: Balke and Pearl 1997 under monotonicity, less the compliers; Imbens and Manski 2004.
    """
    check_alpha(alpha)
    if min(control.n, variant.n) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(control.n, variant.n), "needed": 2})
    # If the nudge keeps users from the behaviour, swap the arms: control then acts as the nudge towards it.
    if variant.means[1] < control.means[1]:
        control, variant = variant, control
    counts = [cross_counts(arm) for arm in (control, variant)]
    shares: list[Array] = []
    for table, arm in zip(counts, (control, variant), strict=True):
        if not computable(table):
            return table
        shares.append(table / arm.n)
    plain, nudged = shares
    others = float(plain[:, 1].sum() + nudged[:, 0].sum())
    if others <= 0:
        return NotComputable(Reason.NOBODY_UNMOVED)
    low = float(plain[1, 1] - plain[:, 1].sum() - nudged[1, 0]) / others
    # Influence of a unit on the lower end: of control by (R-1)D - low D, of the variant by -R(1-D) - low (1-D).
    always = _variance(plain[:, 1], np.array([-1.0, 0.0]) - low) / control.n
    never = _variance(nudged[:, 0], np.array([0.0, -1.0]) - low) / variant.n
    error = sqrt(always + never)
    half = float(stats.norm.isf(alpha / 2)) * error / others
    return Bounds(low, low + 1, max(low - half, -1.0), min(low + 1 + half, 1.0), 1 - alpha)


def _variance(shares: Array, values: Array) -> float:
    """Variance of a value that is 0 for everybody outside these two kinds of units."""
    mean = float(shares @ values)
    return max(float(shares @ values**2) - mean**2, 0.0)


def _moments(cells: TraitCells, cell: int) -> IvMoments | NotComputable:
    return iv_moments(*cells.joints(cell))


def _whole(cells: TraitCells) -> IvMoments | NotComputable:
    return iv_moments_stratified([cells.joints(cell) for cell in range(len(cells.n)) if cells.n[cell].min() >= 2])


def _comparable(moments: IvMoments | NotComputable, direction: float, alpha: float) -> Estimate | NotComputable:
    """The cell's complier effect, if it was clearly moved in the same direction as all units together."""
    if not computable(moments):
        return moments
    strong = moments.first_stage * direction > 0 and moments.first_stage**2 >= COMPARABLE_F * moments.v_d
    if not strong or min(moments.n_control, moments.n_variant) < CELL_UNITS:
        return NotComputable(Reason.NO_COMPARABLE_COMPLIERS)
    return wald(moments, alpha=alpha)


def _average(effects: list[Estimate], units: Array, alpha: float) -> Estimate:
    weights = units / units.sum()
    values = np.array([effect.estimate for effect in effects])
    errors = np.array([effect.standard_error for effect in effects])
    centre = float(weights @ values)
    error = sqrt(float(weights**2 @ errors**2) + float(weights @ (values - centre) ** 2) / float(units.sum()))
    half = float(stats.norm.isf(alpha / 2)) * error
    p_value = 2 * float(stats.norm.sf(abs(centre) / error))
    return Estimate(centre, error, centre - half, centre + half, p_value, 1 - alpha, "reweighted")
