"""Robustness value: how much of what is left of behaviour and outcome a hidden cause would have to explain.

The E-value speaks of ratios of risks, this of shares of variance, as regressions do. Both are about an estimate that
already holds everything measured equal.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from aha.evidence.aipw import MAX_UNITS, draw_rows
from aha.evidence.nuisance import Flags, Floats
from stats.results import NotComputable, Reason, check_alpha


@dataclass(frozen=True)
class Robustness:
    """The robustness value of a linear model, and what activity explains in the same model.

    Attributes:
        value: share of the residual variance of behaviour *and* outcome, 0 to 1, that a hidden cause would have to
            explain, each, to bring the estimate to 0.
        limit: the same to bring it within the interval of 0; 0 when it is there already.
        estimate: the coefficient of the behaviour, in the outcome's unit.
        t, df: its t statistic and residual degrees of freedom.
        activity_did, activity_outcome: share of the residual variance that active days explain, of the behaviour and of
            the outcome (given the behaviour), with everything else held equal.
        units: units of the model.
        level: confidence level that `limit` refers to.
    """

    value: float
    limit: float
    estimate: float
    t: float
    df: int
    activity_did: float
    activity_outcome: float
    units: int
    level: float

    @property
    def activity_would_erase(self) -> bool:
        """Whether a hidden cause that explains as much as activity does could bring the estimate to 0.

        Source: Cinelli, Hazlett 2020, equation 6: bias = error sqrt(df) sqrt(R2_Y R2_D / (1 - R2_D)).
        """
        if self.activity_did >= 1:
            return True
        return self.activity_outcome * self.activity_did / (1 - self.activity_did) >= self.t**2 / self.df


def robustness_value(t: float, df: int, *, q: float = 1.0, alpha: float | None = None) -> float:
    """The robustness value RV_q of a coefficient, or RV_{q, alpha} for its significance.

    Args:
        t: its t statistic.
        df: residual degrees of freedom, 2 or more.
        q: share of the estimate that the hidden cause is to take away, 1 for all of it.
        alpha: None for the estimate itself; else the two-sided error rate at which it is to become insignificant.

    Raises:
        ValueError: for fewer degrees of freedom, or a q that isn't above 0.

    Source: Cinelli, Hazlett 2020, section 4.2; the second form, where even a cause of all that is left of the outcome
    would have to explain less of the behaviour, as their package `sensemakr` has it.
    """
    if df < 2 or q <= 0:
        raise ValueError(f"needs df of 2 or more and q above 0, not {df} and {q}")
    f = q * abs(t) / sqrt(df)
    critical = 0.0
    if alpha is not None:
        check_alpha(alpha)
        critical = float(stats.t.isf(alpha / 2, df - 1)) / sqrt(df - 1)
    reduced = f - critical
    if reduced <= 0:
        return 0.0
    if critical and f > 1 / critical:
        return (f**2 - critical**2) / (1 + f**2)
    return (sqrt(reduced**4 + 4 * reduced**2) - reduced**2) / 2


def robustness(
    outcome: Floats,
    did: Flags,
    activity: Floats,
    covariates: Floats,
    *,
    seed: int,
    alpha: float = 0.05,
    max_units: int = MAX_UNITS,
) -> Robustness | NotComputable:
    """The robustness value of the behaviour's coefficient in a least-squares model with everything measured.

    Args:
        outcome, did: one entry per unit.
        activity: units × columns for active days, held equal too and compared with.
        covariates: units × other columns held equal.
        seed: of the draw when there are more than `max_units` units.
        alpha: two-sided error rate of `limit`.
        max_units: largest sample.

    Returns:
        ``TOO_FEW_UNITS`` with fewer units than columns and two more; ``NO_VARIANCE`` where the behaviour, or the
        outcome, doesn't vary once the rest is held equal.
    """
    rows = draw_rows(len(outcome), max_units, seed=seed)
    y, d = outcome[rows], did[rows].astype(np.float64)
    rest = np.column_stack([np.ones(len(rows)), covariates[rows]])
    all_columns = np.column_stack([rest, activity[rows]])
    df = len(y) - int(np.linalg.matrix_rank(all_columns)) - 1
    if df < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": len(y), "needed": len(y) - df + 2})
    d_left, y_left = _left(all_columns, d, y)
    # Frisch, Waugh 1933; Lovell 1963: the coefficient is that of what is left of both.
    spread = float(d_left @ d_left)
    if spread <= 1e-9 * len(y):
        return NotComputable(Reason.NO_VARIANCE)
    slope = float(d_left @ y_left) / spread
    residual = float(((y_left - slope * d_left) ** 2).sum())
    slope_error = sqrt(residual / df / spread)
    if slope_error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    t = slope / slope_error
    (d_without,) = _left(rest, d)
    (y_without,) = _left(np.column_stack([rest, d]), y)
    return Robustness(
        value=robustness_value(t, df),
        limit=robustness_value(t, df, alpha=alpha),
        estimate=slope,
        t=t,
        df=df,
        activity_did=1 - spread / float(d_without @ d_without),
        activity_outcome=1 - residual / float(y_without @ y_without),
        units=len(y),
        level=1 - alpha,
    )


def _left(columns: Floats, *targets: Floats) -> tuple[Floats, ...]:
    """What is left of each target after least squares on the columns."""
    both = np.column_stack(targets)
    left = both - columns @ np.linalg.lstsq(columns, both, rcond=None)[0]
    return tuple(left.T)
