"""Several experiments together: calibration, holdout reports, and overlaps."""

__all__ = [
    "ask_again",
    "calibration",
    "causes_map",
    "deflation",
    "holdout_question",
    "holdout_readings",
    "holdout_result",
    "kept_maps",
    "map_changes",
    "map_readings",
    "overlap_pairs",
    "overlaps",
    "site_map",
]
