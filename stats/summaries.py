"""Summaries computed in the warehouse: n, mean, variance, covariance. They pool with ``+``.

Never sums of squares: with mean 1e8 and standard deviation 1, sum(x^2) - n*mean^2 is rounding noise.
"""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Self

import numpy as np
import numpy.typing as npt

type Array = npt.NDArray[np.float64]
type Values = npt.ArrayLike

# Tolerance for a stored mean or variance of 0/1 values against that of its counts: rounding in a warehouse.
COUNT_TOLERANCE = 1e-4
VARIANCE_TOLERANCE = 1e-6


def finite_array(values: Values, *, dimensions: int) -> Array:
    """The values as floats of the given number of dimensions.

    Raises:
        ValueError: if a value is missing or infinite, or the shape is another.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise ValueError(f"expected {dimensions} dimension(s), not {array.ndim}")
    if not np.isfinite(array).all():
        raise ValueError("values must be finite numbers: remove or fill missing ones first")
    return array


@dataclass(frozen=True)
class Mean:
    """n, mean and n-1 variance of one group.

    Attributes:
        n: number of units, at least 0.
        mean: their mean, in the outcome's unit; 0.0 when n is 0.
        variance: the n-1 variance, unit squared; 0.0 when n <= 1, where it isn't defined. Every test therefore refuses
            n < 2.
    """

    n: int
    mean: float
    variance: float

    def __post_init__(self) -> None:
        if self.n < 0 or not isfinite(self.mean) or not 0 <= self.variance < float("inf"):
            raise ValueError(f"not a summary: n {self.n}, mean {self.mean}, variance {self.variance}")

    @classmethod
    def from_values(cls, values: Values) -> Self:
        """Summary of raw values (booleans count as 0 and 1).

        Raises:
            ValueError: if a value is missing or infinite.
        """
        array = finite_array(values, dimensions=1)
        n = len(array)
        return cls(n, float(array.mean()) if n else 0.0, float(array.var(ddof=1)) if n > 1 else 0.0)

    @classmethod
    def from_counts(cls, successes: int, n: int) -> Self:
        """Summary of ``n`` values of 0 or 1, of which ``successes`` are 1.

        Raises:
            ValueError: unless 0 <= successes <= n.
        """
        if not 0 <= successes <= n:
            raise ValueError(f"successes must lie between 0 and n, not {successes} of {n}")
        return cls(n, successes / n if n else 0.0, successes * (n - successes) / n / (n - 1) if n > 1 else 0.0)

    def __add__(self, other: "Mean") -> "Mean":
        """The pooled summary of both groups; a summary with n = 0 changes nothing."""
        if self.n == 0:
            return other
        if other.n == 0:
            return self
        n = self.n + other.n
        gap = other.mean - self.mean
        within = (self.n - 1) * self.variance + (other.n - 1) * other.variance
        return Mean(n, self.mean + gap * other.n / n, (within + self.n * other.n / n * gap**2) / (n - 1))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, sqrt(variance / n); 0.0 when n is 0."""
        return sqrt(self.variance / self.n) if self.n else 0.0

    @property
    def successes(self) -> int:
        """Number of ones. Only sensible for values of 0 and 1: see ``is_proportion``."""
        return round(self.mean * self.n)

    @property
    def is_proportion(self) -> bool:
        """True when mean and variance are those of values that are all 0 or 1."""
        if not 0 <= self.mean <= 1 or abs(self.mean * self.n - self.successes) > COUNT_TOLERANCE:
            return False
        expected = Mean.from_counts(self.successes, self.n).variance
        return abs(self.variance - expected) <= VARIANCE_TOLERANCE * (expected + 1 / max(self.n, 1))


@dataclass(frozen=True, eq=False)
class Joint:
    """n, means and n-1 covariance matrix of several columns of one group.

    Attributes:
        n: number of units.
        means: the k means.
        covariance: the k x k matrix of n-1 covariances; zeros when n <= 1.
    """

    n: int
    means: Array
    covariance: Array

    def __post_init__(self) -> None:
        means = finite_array(self.means, dimensions=1)
        covariance = finite_array(self.covariance, dimensions=2)
        if self.n < 0 or covariance.shape != (len(means), len(means)):
            raise ValueError(f"not a summary: n {self.n}, {len(means)} means, covariance {covariance.shape}")
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "covariance", covariance)

    @classmethod
    def from_columns(cls, matrix: Values) -> Self:
        """Summary of a matrix with one row per unit and one column per variable.

        Raises:
            ValueError: if a value is missing or infinite, or the values aren't a matrix.
        """
        array = finite_array(matrix, dimensions=2)
        n, k = array.shape
        means = array.mean(axis=0) if n else np.zeros(k)
        centred = array - means
        return cls(n, means, centred.T @ centred / (n - 1) if n > 1 else np.zeros((k, k)))

    def __add__(self, other: "Joint") -> "Joint":
        """The pooled summary of both groups.

        Raises:
            ValueError: if the groups have different numbers of columns.
        """
        if len(self.means) != len(other.means):
            raise ValueError(f"{len(self.means)} and {len(other.means)} columns can't be pooled")
        if self.n == 0:
            return other
        if other.n == 0:
            return self
        n = self.n + other.n
        gap = other.means - self.means
        within = (self.n - 1) * self.covariance + (other.n - 1) * other.covariance
        between = self.n * other.n / n * np.outer(gap, gap)
        return Joint(n, self.means + gap * (other.n / n), (within + between) / (n - 1))

    def take(self, *columns: int) -> "Joint":
        """The summary of these columns, in this order: ``take(0, 2)`` of (R, D, N) is (R, N)."""
        chosen = list(columns)
        return Joint(self.n, self.means[chosen], self.covariance[np.ix_(chosen, chosen)])

    def column(self, i: int) -> Mean:
        """The summary of column ``i`` only."""
        return Mean(self.n, float(self.means[i]), float(self.covariance[i, i]))
