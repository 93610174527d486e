"""Levels of an outcome in one arm, and which cells belong to each segment and level of a covariate. Pure."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
from scipy import stats

from events.reasons import NotComputable, Reason, computable
from experiments.answers import Cells
from experiments.design import Kind
from experiments.report import ArmValue
from experiments.stats import compare
from experiments.stats.instruments import IvMoments
from experiments.stats.results import Estimate, Interval
from experiments.stats.summaries import Mean

# Beyond this, no further levels are searched for a group that the nudge can't move.
MOST_LEVELS = 20
MISSING = "–"


def traits_of(cells: Cells) -> Mapping[str, np.ndarray]:
    """Cells of each segment and of each level of each covariate, by its label: all known before the assignment."""
    found = {
        f"{name}={level or MISSING}": cells.covariate[:, place] == number
        for place, name in enumerate(cells.covariates)
        for number, level in enumerate(cells.levels[place])
    }
    if len(cells.segments) > 1:
        found = {label or MISSING: cells.segment == number for number, label in enumerate(cells.segments)} | found
    return dict(list(found.items())[:MOST_LEVELS])


def level_of(kind: Kind, arm: Mean, *, alpha: float) -> ArmValue:
    """Level of an outcome in one arm, from its summary."""
    missing = NotComputable(Reason.NO_DATA if arm.n == 0 else Reason.TOO_FEW_UNITS)
    if arm.n < 2:
        return ArmValue(arm.n, arm.mean if arm.n else missing, missing, missing)
    interval: Interval | NotComputable
    if kind is Kind.PROPORTION:
        interval = compare.wilson(arm.successes, arm.n, alpha=alpha)
    else:
        half = float(stats.t.isf(alpha / 2, arm.n - 1)) * arm.standard_error
        interval = Interval(arm.mean, arm.mean - half, arm.mean + half, 1 - alpha, "mean-interval")
    return ArmValue(arm.n, arm.mean, arm.standard_error, interval)


def normal_estimate(found: IvMoments | NotComputable, alpha: float) -> Estimate | NotComputable:
    """The nudge's effect on the outcome from the moments: the unpooled z, which the Anderson-Rubin set is dual to."""
    if not computable(found):
        return found
    if found.v_r <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    error = sqrt(found.v_r)
    half = error * found.critical_value(alpha)
    p_value = found.tail(found.itt / error)
    return Estimate(found.itt, error, found.itt - half, found.itt + half, p_value, 1 - alpha, "unpooled-z")
