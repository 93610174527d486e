"""Interaction of two experiments: does one change the effect of the other? By the arms of both over shared units."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from stats.compare import by_z
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.sequential.boundaries import always_valid_p, sequence_multiplier, tightest_rho_squared
from stats.summaries import Array, Mean

# Fewer units don't determine a cell's variance, and a cell with a single value would seem to have no error.
FEWEST_IN_A_CELL = 30
# Expected counts below this make Pearson's chi-square inaccurate (Cochran 1954).
FEWEST_EXPECTED = 5


@dataclass(frozen=True)
class ArmsContrast:
    """How one arm of the second experiment changes the effect of one arm of the first.

    Attributes:
        first, second: indexes of the arms, 1 or more; 0 is the control of each.
        change: (first with second - control with second) - (first with control - both controls), outcome's unit.
    """

    first: int
    second: int
    change: Estimate


@dataclass(frozen=True)
class Interaction:
    """Test of the hypothesis that no arm of one experiment changes the effect of any arm of the other.

    Attributes:
        statistic: Welch and James' F, or the largest absolute z where the test may be repeated.
        degrees: of freedom of the numerator: contrasts tested.
        denominator: degrees of freedom of the denominator; None where the test may be repeated.
        p_value: of all contrasts together, 0 to 1.
        units: in all cells.
        contrasts: with their own intervals.
        any_look: whether the p-value and the intervals hold at every look together.
    """

    statistic: float
    degrees: int
    denominator: float | None
    p_value: float
    units: int
    contrasts: tuple[ArmsContrast, ...]
    any_look: bool


@dataclass(frozen=True)
class Independence:
    """Pearson's chi-square of a table of counts.

    Attributes:
        statistic: chi-square; `degrees` of freedom.
        p_value: upper tail, 0 to 1.
        units: in the table.
    """

    statistic: float
    degrees: int
    p_value: float
    units: int


def interaction(
    cells: Sequence[Sequence[Mean]], *, alpha: float = 0.05, planned_units: int | None = None
) -> Interaction | NotComputable:
    """Test that the effects of two experiments add up, from n, mean and variance of each cell.

    Every cell has its own variance, so that a share near 0 in one arm is no problem. With one contrast the test is
    Welch's t on the difference in differences.

    Args:
        cells: a row for each arm of the first experiment, a column for each of the second, controls first.
        alpha: two-sided error rate of the intervals.
        planned_units: None for one look. Else the test may be repeated at any time: each contrast has a confidence
            sequence that is tightest at so many units, and p is the smallest of them times their number (Bonferroni).

    Returns:
        The test; ``TOO_FEW_UNITS`` when a cell has fewer than 30 units, ``NO_VARIANCE`` when no value differs.

    Source: Johansen 1980; Keselman, Carriere and Lix 1993 (Welch-James, unequal cells); Waudby-Smith et al. 2024.
    """
    check_alpha(alpha)
    rows, columns = len(cells), len(cells[0])
    if min(rows, columns) < 2 or any(len(row) != columns for row in cells):
        raise ValueError("two experiments with two arms each are needed, as a full table")
    flat = [cell for row in cells for cell in row]
    fewest = min(cell.n for cell in flat)
    if fewest < FEWEST_IN_A_CELL:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": fewest, "needed": FEWEST_IN_A_CELL})
    n, means = np.array([cell.n for cell in flat], dtype=np.float64), np.array([cell.mean for cell in flat])
    errors = np.array([cell.variance for cell in flat]) / n
    pairs = list(product(range(1, rows), range(1, columns)))
    contrasts = _contrasts(pairs, rows, columns)
    changes, covariance = contrasts @ means, (contrasts * errors) @ contrasts.T
    if float(np.linalg.eigvalsh(covariance)[0]) <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    units = round(float(n.sum()))
    if planned_units is not None:
        return _at_any_time(pairs, changes, np.sqrt(np.diag(covariance)), units, alpha, planned_units)
    statistic, below = _welch_james(contrasts, changes, covariance, errors, n)
    arm_contrasts = tuple(
        ArmsContrast(*pair, by_z(float(change), float(error), alpha, "interaction-of-two-experiments"))
        for pair, change, error in zip(pairs, changes, np.sqrt(np.diag(covariance)), strict=True)
    )
    p_value = float(stats.f.sf(statistic, len(pairs), below))
    return Interaction(statistic, len(pairs), below, p_value, units, arm_contrasts, any_look=False)


def independence(counts: Sequence[Sequence[int]]) -> Independence | NotComputable:
    """Test that the arms of two experiments are independent, as they must be, since each assignment has its own seed.

    Args:
        counts: shared units, a row for each arm of the first, a column for each of the second. Rows and columns without
            any unit are left out.

    Returns:
        The test; ``TOO_FEW_UNITS`` where an expected count is below 5, ``NO_DATA`` where one arm alone has units.

    Source: Pearson 1900; Cochran 1954.
    """
    table = np.array(counts, dtype=np.float64)
    if (table < 0).any():
        raise ValueError("numbers of units must be at least 0")
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return NotComputable(Reason.NO_DATA)
    total = float(table.sum())
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    if float(expected.min()) < FEWEST_EXPECTED:
        needed = int(np.ceil(total * FEWEST_EXPECTED / float(expected.min())))
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": round(total), "needed": needed})
    statistic = float(((table - expected) ** 2 / expected).sum())
    degrees = (table.shape[0] - 1) * (table.shape[1] - 1)
    return Independence(statistic, degrees, float(stats.chi2.sf(statistic, degrees)), round(total))


def _contrasts(pairs: Sequence[tuple[int, int]], rows: int, columns: int) -> Array:
    """One row per contrast over the cells, row by row: the difference in differences against both controls."""
    matrix = np.zeros((len(pairs), rows * columns))
    for place, (i, j) in enumerate(pairs):
        for row, column, sign in ((i, j, 1.0), (0, j, -1.0), (i, 0, -1.0), (0, 0, 1.0)):
            matrix[place, row * columns + column] = sign
    return matrix


def _welch_james(contrasts: Array, changes: Array, covariance: Array, errors: Array, n: Array) -> tuple[float, float]:
    """The F statistic and the degrees of freedom of its denominator (Johansen 1980, equations 8 to 10)."""
    q = len(changes)
    inverse = np.linalg.inv(covariance)
    wald = float(changes @ inverse @ changes)
    # The diagonal of S C' (C S C')^-1 C: how much each cell's variance matters to the test.
    weights = errors * np.einsum("ki,kl,li->i", contrasts, inverse, contrasts)
    a = float((weights**2 / (n - 1)).sum())
    return wald / (q + 2 * a - 6 * a / (q + 2)), q * (q + 2) / (3 * a)


def _at_any_time(
    pairs: Sequence[tuple[int, int]], changes: Array, errors: Array, units: int, alpha: float, planned_units: int
) -> Interaction:
    """Bonferroni over contrasts, each with its confidence sequence."""
    share = alpha / len(pairs)
    rho_squared = tightest_rho_squared(planned_units, alpha=share)
    wide = sequence_multiplier(units, rho_squared=rho_squared, alpha=share)
    contrasts, zs = [], []
    for pair, change, error in zip(pairs, changes.tolist(), errors.tolist(), strict=True):
        p = always_valid_p(change / error, units, rho_squared=rho_squared)
        half = wide * error
        change_ = Estimate(change, error, change - half, change + half, p, 1 - share, "interaction-of-two-experiments")
        contrasts.append(ArmsContrast(*pair, change_))
        zs.append(abs(change / error))
    p_value = min(1.0, len(pairs) * min(contrast.change.p_value for contrast in contrasts))
    return Interaction(max(zs), len(pairs), None, p_value, units, tuple(contrasts), any_look=True)
