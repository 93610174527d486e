"""Moments of an encouragement design from cells of units that share arm, stratum and covariates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stats.iv_moments import Contrast, IvMoments, NudgeFit, nudge_fit
from stats.ratios import Mix
from stats.results import NotComputable, Reason
from stats.summaries import COUNT_TOLERANCE, Array, Joint, Values, finite_array

# Convert between the moments of two 0/1 columns and their four counts.

type Counts = npt.NDArray[np.int64]


def mean_of_product(joint: Joint, i: int = 0, j: int = 1) -> float:
    """E[A*B] of two columns: covariance * (n-1)/n + mean*mean. 0.0 when n is 0."""
    if joint.n == 0:
        return 0.0
    covariance = float(joint.covariance[i, j])
    return covariance * (joint.n - 1) / joint.n + float(joint.means[i]) * float(joint.means[j])


def cross_counts(joint: Joint, i: int = 0, j: int = 1) -> Counts | NotComputable:
    """Units by the values of two 0/1 columns: ``counts[r][d]``, a 2 x 2 array of whole numbers.

    Returns:
        The counts, or ``NotComputable(NOT_A_PROPORTION)`` when a column isn't 0/1 or their product isn't a count.
    """
    first, second = joint.column(i), joint.column(j)
    both = mean_of_product(joint, i, j) * joint.n
    together = round(both)
    # The product can contain both columns' ones or none; rounding in a warehouse is within this tolerance.
    fits = max(0, first.successes + second.successes - joint.n) <= together <= min(first.successes, second.successes)
    if not (first.is_proportion and second.is_proportion and fits) or abs(both - together) > max(
        COUNT_TOLERANCE, 1e-9 * joint.n
    ):
        return NotComputable(Reason.NOT_A_PROPORTION)
    neither = joint.n - first.successes - second.successes + together
    return np.array([[neither, second.successes - together], [first.successes - together, together]], dtype=np.int64)


def joint_of_counts(counts: npt.ArrayLike) -> Joint:
    """Moments of two 0/1 columns (R, D) from ``counts[r][d]``.

    Raises:
        ValueError: unless the counts are a 2 x 2 table of numbers of at least 0.
    """
    table = np.asarray(counts, dtype=np.int64)
    if table.shape != (2, 2) or (table < 0).any():
        raise ValueError(f"expected a 2 x 2 table of counts, not {table.tolist()}")
    n = int(table.sum())
    if n == 0:
        return Joint(0, np.zeros(2), np.zeros((2, 2)))
    means = np.array([table[1].sum(), table[:, 1].sum()]) / n
    products = np.array([[means[0], table[1, 1] / n], [table[1, 1] / n, means[1]]])
    covariance = (products - np.outer(means, means)) * n / (n - 1) if n > 1 else np.zeros((2, 2))
    return Joint(n, means, covariance)


def iv_moments_stratified(strata: Sequence[tuple[Joint, Joint]], mix: Mix | None = None) -> IvMoments | NotComputable:
    """The moments of the first two columns of ``contrast_stratified``."""
    found = contrast_stratified(strata, mix)
    return found if isinstance(found, NotComputable) else found.moments


def contrast_stratified(strata: Sequence[tuple[Joint, Joint]], mix: Mix | None = None) -> Contrast | NotComputable:
    """Effects pooled over strata with the Mantel-Haenszel weights n1*n0/N, variances from within arms and strata.

    The ratio of the two effects equals two-stage least squares with stratum dummies. The errors don't equal those of
    that regression: they ignore differences between the strata's effects, as Mantel-Haenszel does.

    Args:
        strata: (control, variant) of (R, D, ...) per stratum; strata without units in one arm carry no weight.
        mix: weights to use instead: a ratio of sums is standardised to the strata's shares of all units and refers to
            the population, so that the errors include the mix's (docs/methods/comparison.md, "Ratio delta method").

    Source: docs/methods/encouragement.md, "Strata"; Mantel and Haenszel 1959.
    """
    places = [place for place, (control, variant) in enumerate(strata) if control.n and variant.n]
    used = [strata[place] for place in places]
    if not used:
        return NotComputable(Reason.TOO_FEW_STRATA)
    smallest = min(min(control.n, variant.n) for control, variant in used)
    if smallest < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
    part = None if mix is None else mix.part(places)
    weights = np.array([c.n * v.n / (c.n + v.n) for c, v in used] if part is None else part.shares)
    weights /= weights.sum()
    gaps = np.array([v.means - c.means for c, v in used])
    errors = sum(w**2 * (v.covariance / v.n + c.covariance / c.n) for w, (c, v) in zip(weights, used, strict=True))
    errors = np.asarray(errors) + (0.0 if part is None else part.errors(gaps))
    n_control, n_variant = (sum(pair[arm].n for pair in used) for arm in (0, 1))
    return Contrast(weights @ gaps, errors, n_control, n_variant)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Validated cells with at least one unit each."""

    n: Array
    means: Array
    covariance: Array
    treated: Array
    x: Array

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of control and of the variant."""
        in_variant = int(self.n[self.treated == 1].sum())
        return int(self.n.sum()) - in_variant, in_variant


def iv_moments_cells(
    n: npt.ArrayLike, means: Values, covariance: Values, treated: Values, x: Values
) -> IvMoments | NotComputable:
    """Same result as ``iv_moments_adjusted``, from cells within which arm and covariates are constant.

    Within a cell the residual nudge g is one number, and the units' squared residuals sum to (n-1)*S + n*r*r' with S
    the n-1 covariance and r the residual of the cell's mean: the HC0 sandwich needs no unit-level rows. Rows are cells
    of n = 1.

    Args:
        n: units per cell; cells of 0 units are left out.
        means: means of (R, D) per cell, cells x 2.
        covariance: their n-1 covariance, cells x 2 x 2; zeros where n <= 1.
        treated: 1 variant, 0 control, per cell.
        x: covariates known before assignment, cells x p, perhaps no columns; redundant ones are dropped.

    Source: docs/methods/encouragement.md, "OLS adjustment"; White 1980.
    """
    cells = _checked(n, means, covariance, treated, x)
    fit = _fit(cells)
    if isinstance(fit, NotComputable):
        return fit
    return Contrast(fit.coefficients, _sandwich(cells, fit), *cells.sizes).moments


def pool_cells(n: npt.ArrayLike, means: Values, covariance: Values, x: Values | None = None) -> Joint:
    """Moments of all the cells' units together, in columns (outcomes..., covariates...), the input of ``lin``.

    Args:
        n: units per cell.
        means: means per cell, cells x k.
        covariance: n-1 covariance per cell, cells x k x k.
        x: covariates, constant within a cell, cells x p.
    """
    units = finite_array(n, dimensions=1)
    centres, within = finite_array(means, dimensions=2), finite_array(covariance, dimensions=3)
    k = centres.shape[1]
    if x is not None:
        centres = np.column_stack([centres, finite_array(x, dimensions=2)])
    total = int(units.sum())
    if total == 0:
        return Joint(0, np.zeros(centres.shape[1]), np.zeros((centres.shape[1],) * 2))
    pooled = units @ centres / total
    gaps = centres - pooled
    scatter = gaps.T @ (gaps * units[:, None])
    scatter[:k, :k] += np.einsum("c,cij->ij", np.maximum(units - 1, 0), within)
    return Joint(total, pooled, scatter / max(total - 1, 1))


def group_segments(labels: Sequence[str], sizes: Array, least: int) -> list[tuple[str, list[int]]]:
    """Segments as strata: those with ``least`` units in both arms, and the others pooled as one.

    Args:
        labels: of the segments.
        sizes: units by arm and segment, 2 x segments.
        least: units of an arm below which a stratum's own variance is unreliable.

    Returns:
        Label and segments of each stratum. If the others are too few even together, they join the largest, so that no
        unit is left out; segments without units are in none.

    Source: docs/methods/comparison.md, "Population-weighted difference".
    """
    known = np.flatnonzero(sizes.sum(axis=0)).tolist()
    large = [code for code in known if sizes[:, code].min() >= least]
    small = [code for code in known if code not in large]
    groups = [(labels[code], [code]) for code in large]
    if not small:
        return groups
    if sizes[:, small].sum(axis=1).min() >= 2:
        return [*groups, ("other", small)]
    if not large:
        return [("", small)]
    largest = max(range(len(large)), key=lambda place: float(sizes[:, large[place]].sum()))
    groups[largest] = (groups[largest][0], [large[largest], *small])
    return groups


def _checked(n: npt.ArrayLike, means: Values, covariance: Values, treated: Values, x: Values) -> _Cells:
    units, arm = finite_array(n, dimensions=1), finite_array(treated, dimensions=1)
    centres, within = finite_array(means, dimensions=2), finite_array(covariance, dimensions=3)
    columns = finite_array(x, dimensions=2)
    cells, k = centres.shape
    if not len(units) == len(arm) == len(columns) == cells or within.shape != (cells, k, k):
        raise ValueError("sizes, means, covariances, arms and covariates must have one entry per cell each")
    if not np.isin(arm, (0.0, 1.0)).all() or (units < 0).any():
        raise ValueError("the nudge must hold 0 and 1 only, and no cell fewer than 0 units")
    some = units > 0
    return _Cells(units[some], centres[some], within[some], arm[some], columns[some])


def _fit(cells: _Cells) -> NudgeFit | NotComputable:
    if min(cells.sizes) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(cells.sizes), "needed": 2})
    return nudge_fit(cells.means, cells.treated, cells.x, cells.n)


def _sandwich(cells: _Cells, fit: NudgeFit) -> Array:
    """HC0: the sum over units of left^2 * residual * residual', over strength^2."""
    scatter = (cells.n - 1)[:, None, None] * cells.covariance
    scatter += cells.n[:, None, None] * fit.residuals[:, :, None] * fit.residuals[:, None, :]
    summed: Array = np.einsum("c,cij->ij", fit.left**2, scatter) / fit.strength**2
    return summed
