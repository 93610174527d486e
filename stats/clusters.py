"""Standard errors for cluster-randomised designs: CR2 with Bell and McCaffrey's degrees of freedom.

Clusters have very unequal sizes (guilds, cities). The usual sandwich with G-1 degrees of freedom per arm then gave 8 to
16 % false alarms at 5 % with 5 to 15 clusters an arm: a large cluster draws its arm's mean towards itself, so its
residual is too small, and few clusters carry the whole variance. CR2 corrects the first problem, the degrees of freedom
the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stats.design_matrix import Integers, cluster_codes
from stats.results import NotComputable, Reason
from stats.summaries import Array, Values, finite_array

# A cluster that leaves less than this of a direction determines a coefficient alone: its error can't be estimated.
FIXED_BELOW = 1e-9
# A variance below this share of the largest squared value is rounding, which must not become a finding.
ROUNDING = 1e-26
# Our choice: a few clusters in two arms are data errors; one in ten means another way of assignment.
REACH_ACROSS = 0.1
# Standard errors that a normal law exceeds in one of 1,000 draws.
MORE_THAN_CHANCE = 3.09


@dataclass(frozen=True, eq=False)
class ClusterScores:
    """Each cluster's contribution to the error of one contrast.

    Attributes:
        sums: clusters x outcomes, in the outcome's unit; their squares add up to the CR2 variance.
        degrees_of_freedom: of the t law of the contrast over its CR2 error; at least 1. It depends on sizes and design
            alone, so that all outcomes (and their ratio) share it.
    """

    sums: Array
    degrees_of_freedom: float

    @property
    def covariance(self) -> Array:
        """CR2 (co)variances of the contrast of each outcome, outcomes x outcomes."""
        return np.asarray(self.sums.T @ self.sums)

    @property
    def error(self) -> float:
        """CR2 error of the first outcome's contrast."""
        return float(np.sqrt((self.sums[:, 0] ** 2).sum()))


def cluster_scores(design: Array, contrast: Array, residuals: Array, codes: Integers) -> ClusterScores:
    """CR2 scores of ``contrast' beta`` in a least-squares fit, and their Bell-McCaffrey degrees of freedom.

    The residuals e_g of cluster g become (I - H_gg)^(-1/2) e_g, with H the hat matrix. With H = QQ' and P_g = Q_g'Q_g,
    (I - H_gg)^(-1/2) Q_g = Q_g (I - P_g)^(-1/2): matrices of the size of the design do. For the difference of two arms
    this is the cluster's residual sum over N_arm sqrt(1 - n_g/N_arm). With w_g = (I - P_g)^(-1/2) l and u_g = P_g w_g,
    the scores of independent errors have covariance Omega_gh = [g = h] w_g'u_g - u_g'u_h, and
    df = (tr Omega)^2 / tr Omega^2.

    Args:
        design: units x k, of full rank.
        contrast: k weights; the contrast is their sum over the coefficients.
        residuals: units x outcomes.
        codes: cluster of each unit, 0..G-1.

    Source: Bell and McCaffrey 2002; Imbens and Kolesar 2016, section IV.
    """
    q, r = np.linalg.qr(design)
    weights = np.linalg.solve(r.T, contrast)
    k, groups = q.shape[1], int(codes.max()) + 1
    within = np.empty((groups, k, k))
    for i in range(k):
        for j in range(i + 1):
            within[:, i, j] = within[:, j, i] = np.bincount(codes, weights=q[:, i] * q[:, j], minlength=groups)
    values, vectors = np.linalg.eigh(within)
    left = 1 - values
    scale = np.where(left > FIXED_BELOW, left, np.inf) ** -0.5
    adjusted = np.einsum("gij,gj->gi", vectors, scale * (weights @ vectors))
    sums = np.zeros((groups, residuals.shape[1]))
    for column in range(k):
        for outcome in range(residuals.shape[1]):
            moved = np.bincount(codes, weights=q[:, column] * residuals[:, outcome], minlength=groups)
            sums[:, outcome] += adjusted[:, column] * moved
    return ClusterScores(sums, _degrees(adjusted, np.einsum("gij,gj->gi", within, adjusted)))


def _degrees(adjusted: Array, fitted: Array) -> float:
    """(tr Omega)^2 / tr Omega^2 without the G x G matrix."""
    own, lost = (adjusted * fitted).sum(axis=1), (fitted**2).sum(axis=1)
    trace = float((own - lost).sum())
    squared = float((own**2).sum() - 2 * (own * lost).sum() + ((fitted.T @ fitted) ** 2).sum())
    # Without any spread there is no variance either, which the tests refuse.
    return max(trace**2 / squared, 1.0) if squared > 0 else 1.0


def weights_of(n: Values | None, rows: int) -> Array:
    """Units per row: rows are units, or cells of units that share arm, cluster and covariates, with the cells' means.

    A cluster's score is a sum over its units, so that cells lose no information.

    Raises:
        ValueError: unless there is one number above 0 for each row.
    """
    if n is None:
        return np.ones(rows)
    weights = finite_array(n, dimensions=1)
    if len(weights) != rows or (weights <= 0).any():
        raise ValueError(f"{rows} rows need a number of units above 0 each")
    return weights


def weighted_scores(design: Array, contrast: Array, residuals: Array, codes: Integers, n: Array) -> ClusterScores:
    """`cluster_scores` of cells: one row per cell, and `n` units in it."""
    root = np.sqrt(n)[:, None]
    return cluster_scores(design * root, contrast, residuals * root, codes)


def mean_scores(values: Array, clusters: npt.ArrayLike, n: Values | None = None) -> ClusterScores:
    """Scores of the mean of one arm: each cluster's residual sum over N sqrt(1 - n_g/N)."""
    rows, units = len(values), weights_of(n, len(values))
    residuals = (values - np.average(values, weights=units))[:, None]
    return weighted_scores(np.ones((rows, 1)), np.ones(1), residuals, cluster_codes(clusters, rows), units)


def difference_scores(
    values: Array, treated: npt.ArrayLike, clusters: npt.ArrayLike, n: Values | None = None
) -> tuple[float, ClusterScores]:
    """The difference of the means of the arms 1 and 0, and its scores; other arms are left out."""
    arm = np.asarray(treated, dtype=np.float64)
    compared = np.isin(arm, (0.0, 1.0))
    arm, outcome, units = arm[compared], values[compared], weights_of(n, len(values))[compared]
    control, variant = (float(np.average(outcome[arm == value], weights=units[arm == value])) for value in (0.0, 1.0))
    design = np.column_stack([arm == 0, arm == 1]).astype(np.float64)
    residuals = outcome - np.where(arm == 1, variant, control)
    codes = cluster_codes(np.asarray(clusters)[compared], len(outcome))
    return variant - control, weighted_scores(design, np.array([-1.0, 1.0]), residuals[:, None], codes, units)


def effective_number(codes: Integers, n: Values | None = None) -> float:
    """Number of equally large clusters with the same information: N^2 / sum n_g^2, from 1 to the number of clusters.

    Source: Kish 1965 (the same formula for weights); Carter, Schnepel and Steigerwald 2017.
    """
    sizes = np.bincount(codes, weights=weights_of(n, len(codes)))
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


@dataclass(frozen=True)
class ClusterCount:
    """Clusters of one arm.

    Attributes:
        clusters: how many there are.
        effective: how many of equal size would carry the same information.
    """

    clusters: int
    effective: float


def count_clusters(codes: Integers, n: Values | None = None) -> ClusterCount:
    """Number and effective number of the clusters of one arm."""
    own = np.unique(codes, return_inverse=True)[1].astype(np.intp)
    return ClusterCount(int(own.max()) + 1 if len(own) else 0, effective_number(own, n))


def reach_across(clusters: npt.ArrayLike, arm: npt.ArrayLike) -> bool:
    """True when more than a tenth of the clusters have units in several arms: then units were assigned, not clusters.

    Counted by cluster, such a file would seem balanced whatever its split, since each cluster is in every arm.
    """
    pairs = np.unique(np.column_stack([np.asarray(clusters), np.asarray(arm)]), axis=0)
    arms = np.unique(pairs[:, 0], return_counts=True)[1]
    return len(arms) > 0 and float((arms > 1).mean()) > REACH_ACROSS


def shares_differ(clusters: npt.ArrayLike, nudged: npt.ArrayLike) -> bool:
    """Whether the clusters' nudged shares vary more than by drawing single units: then clusters drew shares.

    X = sum n_g (p_g - p)^2 / (p q) has the mean 1 and the variance 2 + (1 - 6 p q) / (n_g p q) for each cluster where
    units were drawn one by one; True where X lies above its mean by more than a normal law does in one of 1,000.

    Source: Cochran 1954 (dispersion test of binomial counts), with the exact variance, which holds for small clusters.
    """
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    arm = np.asarray(nudged, dtype=np.float64)
    sizes = np.bincount(codes)
    if not len(sizes) or not 0 < arm.mean() < 1:
        return False
    spread = float(arm.mean() * (1 - arm.mean()))
    seen = float((sizes * (np.bincount(codes, weights=arm) / sizes - arm.mean()) ** 2).sum()) / spread
    variance = float((2 + (1 - 6 * spread) / (sizes * spread)).sum())
    least = 1e-9 * len(sizes)  # clusters of one unit have no scatter, and rounding is no finding
    return bool(seen - len(sizes) > least + MORE_THAN_CHANCE * np.sqrt(max(variance, 0.0)))


def mixed_clusters(clusters: npt.ArrayLike, arm: npt.ArrayLike) -> int:
    """Number of clusters that hold units of several arms."""
    pairs = np.unique(np.column_stack([np.asarray(clusters), np.asarray(arm)]), axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def count_by_arm(
    clusters: npt.ArrayLike, arm: npt.ArrayLike, labels: Sequence[str], n: Values | None = None
) -> dict[str, ClusterCount]:
    """Count the clusters of each arm, coded 0, 1, ... in the order of the labels."""
    codes, arms = np.asarray(clusters), np.asarray(arm)
    units = weights_of(n, len(codes))
    return {label: count_clusters(codes[arms == code], units[arms == code]) for code, label in enumerate(labels)}


@dataclass(frozen=True)
class Randomisation:
    """A randomisation test of clusters.

    Attributes:
        p_value: two-sided, at least 1 / (draws + 1).
        draws: random assignments tried in addition to the real one.
        seed: of their generator, filled in by the caller that made it.
    """

    p_value: float
    draws: int
    seed: int | None = None


# One in 2,000 is precise enough beside a t test, and fast for thousands of clusters.
DRAWS = 1_999
BLOCK = 2_000_000


def randomisation_test(
    y: Values,
    treated: Values,
    clusters: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    n: Values | None = None,
) -> Randomisation | NotComputable:
    """Randomisation test: how often would another assignment of the clusters differ as much? Distribution-free.

    The statistic is Welch's t of the unweighted cluster means; arms keep their numbers of clusters. The null hypothesis
    is no effect on any unit; studentised, the test stays near its level if the arms differ only in spread.

    Args:
        y: outcome per unit.
        treated: 1 variant, 0 control; other arms are left out.
        clusters: label of each unit's cluster, each in one arm only, or the answer is ``CLUSTERED``.
        rng: source of the assignments.
        draws: random assignments.
        n: units per row, where rows are cells.

    Source: Fisher 1935; Gail et al. 1996; Chung and Romano 2013 (studentised).
    """
    outcome, arm = finite_array(y, dimensions=1), finite_array(treated, dimensions=1)
    compared = np.isin(arm, (0.0, 1.0))
    units = weights_of(n, len(outcome))[compared]
    outcome, arm = outcome[compared], arm[compared]
    codes = cluster_codes(np.asarray(clusters)[compared], len(outcome))
    sizes = np.bincount(codes, weights=units)
    means = np.bincount(codes, weights=outcome * units) / sizes
    shares = np.bincount(codes, weights=arm) / np.bincount(codes)
    if not np.isin(shares, (0.0, 1.0)).all():
        return NotComputable(Reason.CLUSTERED)
    nudged = shares == 1
    fewest = int(min(nudged.sum(), (~nudged).sum()))
    if fewest < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": fewest, "needed": 2})
    if means.min() == means.max():
        return NotComputable(Reason.NO_VARIANCE)
    seen = float(_welch(means, nudged[None, :])[0])
    extreme, step = 0, max(BLOCK // len(means), 1)
    for start in range(0, draws, step):
        block = np.tile(nudged, (min(step, draws - start), 1))
        # Ties count: rounding must not make the real assignment less frequent than its mirror image.
        extreme += int((_welch(means, rng.permuted(block, axis=1)) >= seen * (1 - 1e-12)).sum())
    return Randomisation((1 + extreme) / (1 + draws), draws)


def _welch(means: Array, nudged: npt.NDArray[np.bool_]) -> Array:
    """Absolute t of the cluster means, one per row of ``nudged``."""
    centred = means - means.mean()
    levels, variances = [], []
    for inside in (nudged, ~nudged):
        n = inside.sum(axis=1)
        level = inside @ centred / n
        levels.append(level)
        variances.append(np.maximum(inside @ centred**2 / n - level**2, 0.0) / (n - 1))
    error = np.sqrt(variances[0] + variances[1])
    gap = np.abs(levels[1] - levels[0])
    return np.asarray(np.divide(gap, error, out=np.where(gap > 0, np.inf, 0.0), where=error > 0))
