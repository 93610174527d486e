"""The error of the ratio that makes a plain t test valid for a weak nudge. Shown beside the Anderson-Rubin set."""

from dataclasses import replace
from math import sqrt

import numpy as np
from scipy import stats

from stats.iv_moments import IvMoments
from stats.results import Estimate, NotComputable, Reason

# Lee, McCrary, Moreira and Porter 2022, table 3, to two decimals: critical values of |t| at 5 % with one instrument,
# for a first-stage F whose square root is 2.0, 2.1, ..., 10.3.
ROOTS = np.arange(20, 104) / 10
CRITICAL = np.array(
    [
        18.66,
        9.74,
        7.37,
        6.18,
        5.43,
        4.92,
        4.54,
        4.25,
        4.01,
        3.82,
        3.65,
        3.51,
        3.39,
        3.29,
        3.19,
        3.11,
        3.03,
        2.97,
        2.91,
        2.85,
        2.80,
        2.75,
        2.71,
        2.67,
        2.63,
        2.60,
        2.57,
        2.54,
        2.51,
        2.48,
        2.46,
        2.43,
        2.41,
        2.39,
        2.37,
        2.35,
        2.33,
        2.32,
        2.30,
        2.29,
        2.27,
        2.26,
        2.24,
        2.23,
        2.22,
        2.21,
        2.20,
        2.19,
        2.17,
        2.16,
        2.16,
        2.15,
        2.14,
        2.13,
        2.12,
        2.11,
        2.10,
        2.10,
        2.09,
        2.08,
        2.08,
        2.07,
        2.06,
        2.06,
        2.05,
        2.04,
        2.04,
        2.03,
        2.03,
        2.02,
        2.02,
        2.01,
        2.01,
        2.00,
        2.00,
        1.99,
        1.99,
        1.99,
        1.98,
        1.98,
        1.97,
        1.97,
        1.97,
        1.96,
    ]
)
# Above this F a plain t at 1.96 has size 5 %; below the other the table ends, as its values grow without limit.
ENOUGH, LEAST = 104.7, 4.0


def tf_critical(f_statistic: float) -> float | NotComputable:
    """Critical value of |t| at 5 % for this robust first-stage F: 1.96 from 104.7 on, 3.43 at 10.

    Linear in the square root of F between the table's rows, which errs on the safe side (the values are convex).

    Returns:
        The value, or ``NotComputable(WEAK_FIRST_STAGE)`` for F below 4.

    Source: Lee, McCrary, Moreira and Porter 2022, table 3.
    """
    if not f_statistic >= LEAST:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    plain = float(stats.norm.isf(0.025))
    if f_statistic >= ENOUGH:
        return plain
    return max(float(np.interp(sqrt(f_statistic), ROOTS, CRITICAL)), plain)


def tf_adjusted(ratio: Estimate, moments: IvMoments) -> Estimate | NotComputable:
    """The Wald ratio with its tF-adjusted error: a 95 % interval and p-value that hold for a weak nudge.

    Only the 5 % level is published, so the level is .95 whatever the ratio's own. The p-value is valid for comparison
    with .05; it isn't exact elsewhere.

    Args:
        ratio: from ``wald`` with the same moments.
        moments: those of the ratio; between clusters the table isn't known to hold, hence ``NotComputable(CLUSTERED)``.

    Source: Lee, McCrary, Moreira and Porter 2022.
    """
    if moments.degrees_of_freedom is not None:
        return NotComputable(Reason.CLUSTERED)
    if moments.v_d == 0:
        return NotComputable(Reason.NO_VARIANCE)
    critical = tf_critical(moments.first_stage**2 / moments.v_d)
    if isinstance(critical, NotComputable):
        return critical
    plain = float(stats.norm.isf(0.025))
    error = ratio.standard_error * critical / plain
    half, p_value = plain * error, 2 * float(stats.norm.sf(abs(ratio.estimate) / error))
    low, high = ratio.estimate - half, ratio.estimate + half
    return replace(ratio, standard_error=error, low=low, high=high, p_value=p_value, level=0.95, method="tf-adjusted")
