"""Several experiments together: calibration, holdout reports, and overlaps."""

__all__ = [
    "calibration",
    "deflation",
    "holdout_question",
    "holdout_readings",
    "holdout_result",
    "overlap_pairs",
    "overlaps",
]
