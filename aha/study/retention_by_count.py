"""Retention by how often a behaviour was done, with the smooth null model beside it: the picture of step evidence."""

import numpy as np

from aha.study.drawn_results import Dose, DosePoint
from aha.study.grid import CountTable, Floats, Ints
from aha.study.smooth import design, knots, patterns_of, smooth_terms
from stats.shares import wilson_limits

MOST_POINTS = 20
FEWEST_UNITS = 20


def dose_curve(table: CountTable, behaviour: str, days: int) -> Dose:
    """Observed and smoothly expected retention by count.

    Args:
        table: the units that did not choose the cell.
        behaviour: its text form.
        days: Y, one of the table's.

    Returns:
        One point per count up to 20; from where fewer than 20 units are left, one point for "so often or more". The
        smooth curve is that of the step test, fitted once more: spline of log(1 + count), active days and segment.
    """
    counts = table.counts[:, table.behaviours.index(behaviour), table.days.index(days)].astype(np.int64)
    expected = _smooth(table, counts, days)
    at_least = np.cumsum(np.bincount(counts, minlength=MOST_POINTS + 2)[::-1])[::-1]
    last = max(int((at_least[: MOST_POINTS + 1] >= FEWEST_UNITS).sum()) - 1, 0)
    place = np.minimum(counts, last)
    units = np.bincount(place, minlength=last + 1)
    stayed = np.bincount(place, weights=table.retained, minlength=last + 1)
    low, high = wilson_limits(stayed, units)
    smooth = None if expected is None else np.bincount(place, weights=expected, minlength=last + 1)
    points = tuple(
        DosePoint(
            count=count,
            last=count == last,
            units=int(units[count]),
            share=float(stayed[count] / units[count]),
            low=float(low[count]),
            high=float(high[count]),
            smooth=None if smooth is None else float(smooth[count] / units[count]),
        )
        for count in range(last + 1)
        if units[count]
    )
    return Dose(days, points)


def _smooth(table: CountTable, counts: Ints, days: int) -> Floats | None:
    """Per unit the chance of staying under the smooth model; None where it can't be fitted."""
    # Not statsmodels.api, which loads all of the library: seconds of every study.
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    if smooth_terms(counts) is None or table.retained.all() or not table.retained.any():
        return None
    patterns, pattern = patterns_of(table, counts, days)
    columns = design(patterns, knots(counts))
    units = np.bincount(pattern).astype(np.float64)
    stayed = np.bincount(pattern, weights=table.retained)
    # The pseudo-inverse of IRLS also takes designs whose columns repeat each other.
    with np.errstate(all="ignore"):
        model = GLM(np.column_stack([stayed, units - stayed]), columns, family=Binomial())
        fitted = np.asarray(model.fit(maxiter=50).fittedvalues, dtype=np.float64)
    return fitted[pattern] if np.isfinite(fitted).all() else None
