"""The four counts behind the moments of two 0/1 columns, and back."""

import numpy as np
import numpy.typing as npt

from stats.results import NotComputable, Reason
from stats.summaries import COUNT_TOLERANCE, Joint

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
    # Both or neither of the columns' ones may be in the product; rounding in a warehouse is no more than this.
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
