"""Design matrices: drop redundant columns; code cluster labels. Shared by covariate and instrument methods."""

import numpy as np
import numpy.typing as npt

from stats.summaries import Array

# A column is redundant if earlier columns leave less than this share of its variance unexplained.
REDUNDANT_BELOW = 1e-9

type Integers = npt.NDArray[np.intp]


def independent_columns(*covariances: Array) -> list[int]:
    """Positions of columns that aren't explained by earlier kept columns in any of the groups.

    The last of a full set of dummies is dropped, as are constant columns and columns that are constant within an arm:
    their slope in that arm couldn't be estimated.

    Args:
        covariances: one k x k matrix per group.
    """
    independent: list[int] = []
    for column in range(len(covariances[0])):
        if all(_unexplained(matrix, independent, column) > REDUNDANT_BELOW for matrix in covariances):
            independent.append(column)
    return independent


def cluster_codes(clusters: npt.ArrayLike, n: int) -> Integers:
    """Codes 0..G-1 of cluster labels of any kind.

    Raises:
        ValueError: unless there is one label per unit.
    """
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(f"{n} units need {n} cluster labels, not {labels.shape}")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def fewest_clusters(treated: Array, codes: Integers, arms: tuple[float, ...]) -> int:
    """The smaller number of clusters of the two arms."""
    return min(len(np.unique(codes[treated == arm])) for arm in arms)


def _unexplained(matrix: Array, independent: list[int], column: int) -> float:
    variance = float(matrix[column, column])
    if variance <= 0:
        return 0.0
    if not independent:
        return 1.0
    scale = np.sqrt(np.diag(matrix)[independent])
    correlations = matrix[independent, column] / scale / np.sqrt(variance)
    between = matrix[np.ix_(independent, independent)] / np.outer(scale, scale)
    return 1.0 - float(correlations @ np.linalg.solve(between, correlations))
