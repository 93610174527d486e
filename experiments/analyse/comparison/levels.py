"""Map cells to segments and covariate levels, and compute the test from IV moments. Pure."""

from collections.abc import Mapping
from math import sqrt

import numpy as np

from experiments.analyse.gather.answers import Cells
from stats.iv_moments import IvMoments
from stats.results import Estimate, NotComputable, Reason, computable
from stats.trait_cells import SEGMENT, TraitColumns

# At most this many levels are searched for a group that the nudge can't move.
MOST_LEVELS = 20
MISSING = "–"


def columns_of(cells: Cells) -> TraitColumns:
    """Segment and covariates of the cells; all are known before the assignment."""
    codes = np.column_stack([cells.segment, cells.covariate]).astype(np.int64)
    columns = TraitColumns((SEGMENT, *cells.covariates), (cells.segments, *cells.levels), codes)
    return columns if len(cells.segments) > 1 else TraitColumns(cells.covariates, cells.levels, codes[:, 1:])


def traits_of(columns: TraitColumns) -> Mapping[str, np.ndarray]:
    """Cells of each segment and of each level of each covariate, by its label."""
    found = {
        (label or MISSING) if name == SEGMENT else f"{name}={label or MISSING}": columns.codes[:, place] == code
        for place, name in enumerate(columns.traits)
        for code, label in enumerate(columns.levels[place])
    }
    return dict(list(found.items())[:MOST_LEVELS])


def moments_estimate(
    found: IvMoments | NotComputable, alpha: float, method: str = "unpooled-z"
) -> Estimate | NotComputable:
    """The nudge's effect on the outcome from the moments, by the test that the Anderson-Rubin set inverts."""
    if not computable(found):
        return found
    if found.v_r <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    error = sqrt(found.v_r)
    half = error * found.critical_value(alpha)
    p_value = found.tail(found.itt / error)
    return Estimate(found.itt, error, found.itt - half, found.itt + half, p_value, 1 - alpha, method)
