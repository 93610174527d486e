"""Only what was known before the assignment may be a covariate, a stratum or a filter (METHODS 4.15)."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt

from stats.results import NotComputable, Reason

type Moments = npt.NDArray[np.datetime64]


def check_timestamps(known_at: Mapping[str, datetime | None], t0: datetime) -> NotComputable | None:
    """Refuses covariates of one unit, or of a plan, that aren't known to precede the assignment.

    Args:
        known_at: when each covariate's value was known; None = nobody can say, which is refused as well.
        t0: the moment of assignment (first exposure). A value known at that very moment counts as before.

    Returns:
        None when all are allowed, else ``NotComputable(POST_ASSIGNMENT)`` with the names in ``covariates``.

    Raises:
        ValueError: if a moment has no time zone: times of different zones would compare by their clocks.

    Source: METHODS 4.15.
    """
    if any(moment is not None and moment.tzinfo is None for moment in (t0, *known_at.values())):
        raise ValueError("moments must have a time zone")
    late = [name for name, moment in known_at.items() if moment is None or moment > t0]
    return NotComputable(Reason.POST_ASSIGNMENT, {"covariates": ", ".join(late)}) if late else None


def late_units(known_at: Moments, t0: Moments) -> int:
    """Units whose value was not known by their own assignment, or at a moment that nobody can say (NaT).

    Args:
        known_at: per unit, when its covariate was known, in one time zone with ``t0``.
        t0: per unit, the moment of assignment.

    Raises:
        ValueError: unless both have one moment per unit.
    """
    if known_at.shape != t0.shape:
        raise ValueError("one moment per unit is needed on both sides")
    # A comparison with NaT is false: counting what is fine keeps unknown moments among the late.
    return int(known_at.size - np.count_nonzero(known_at <= t0))
