"""Detect that a weekly share has fallen below what its own recent weeks predict: a prediction limit for one new week.

The level is local, from the last FEWEST_WEEKS to MOST_WEEKS weeks only, so that slow drift isn't reported each week. It
is robust: an outlying week neither moves the level nor widens the limit without bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.results import NotComputable, Reason

FEWEST_WEEKS = 8
MOST_WEEKS = 12
FEWEST_UNITS = 30  # of a week; a smaller one jumps by chance, and is left out
ALPHA = 0.005  # of each week, one-sided
SMALLEST_FALL = 0.1  # of the usual share: smaller falls aren't worth a notice
FAR = 2.5  # robust standard deviations beyond which a week doesn't affect the level
NORMAL = 1.4826  # the median absolute deviation of a normal variable times this is its standard deviation


@dataclass(frozen=True)
class WeekCount:
    """One complete week: number of units, and how many of them did it."""

    reached: int
    units: int


@dataclass(frozen=True)
class Fall:
    """The newest week compared with those before it.

    Attributes:
        share: of the newest week, 0 to 1.
        usual: the level of the weeks before.
        limit: the share below which a week is unusual.
        overdispersion: variance of the weeks over that of a binomial, 1 or more.
        weeks: how many weeks the level is based on.
        fallen: whether the share lies below the limit and at least SMALLEST_FALL of the usual share below it.
    """

    share: float
    usual: float
    limit: float
    overdispersion: float
    weeks: int
    fallen: bool


def falling(before: Sequence[WeekCount], newest: WeekCount, *, alpha: float = ALPHA) -> Fall | NotComputable:
    """Judge the newest complete week by the complete weeks before it.

    Args:
        before: oldest first; those with fewer than FEWEST_UNITS units are left out, the last MOST_WEEKS are taken.
        newest: the week that is judged.
        alpha: chance of an alarm in a week without a change, one-sided.

    Returns:
        The week, its limit and whether it fell. Formula and false alarms a year: docs/notices.md.

    Raises:
        ValueError: `alpha` isn't between 0 and 0.5.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    rows = [row for row in before if row.units >= FEWEST_UNITS][-MOST_WEEKS:]
    if len(rows) < FEWEST_WEEKS:
        return NotComputable(Reason.TOO_FEW_WEEKS)
    if newest.units < FEWEST_UNITS:
        return NotComputable(Reason.TOO_FEW_UNITS)
    reached = np.array([row.reached for row in rows], dtype=float)
    units = np.array([row.units for row in rows], dtype=float)
    residual = _residual(reached, units, float(np.median(reached / units)))
    far = FAR * max(1.0, NORMAL * float(np.median(np.abs(residual))))
    near = np.abs(residual) <= far
    usual = float(reached[near].sum() / units[near].sum())
    if not 0 < usual < 1:
        return NotComputable(Reason.NO_VARIANCE)
    spread = float((np.clip(_residual(reached, units, usual), -far, far) ** 2).sum()) / (len(rows) - 1)
    overdispersion = max(1.0, spread)
    error = sqrt(overdispersion * usual * (1 - usual) * (1 / newest.units + 1 / float(units[near].sum())))
    limit = usual - float(stats.t.isf(alpha, len(rows) - 1)) * error
    share = newest.reached / newest.units
    fallen = share < limit and share <= (1 - SMALLEST_FALL) * usual
    return Fall(share, usual, limit, overdispersion, len(rows), fallen)


def _residual(reached: np.ndarray, units: np.ndarray, level: float) -> np.ndarray:
    """Distance from the level in binomial standard deviations; 0 if the level has no variance."""
    variance = level * (1 - level) / units
    residuals: np.ndarray = np.zeros_like(units)
    np.divide(reached / units - level, np.sqrt(variance), out=residuals, where=variance > 0)
    return residuals
