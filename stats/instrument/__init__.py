"""Effect of a behaviour from a randomised nudge (instrumental variables): moments, tests, sets, bounds, validity."""

__all__ = [
    "anderson_rubin",
    "arms",
    "bounds",
    "causes",
    "compliers",
    "dose",
    "dose_power",
    "encouragement",
    "exclusion",
    "generalise",
    "joint",
    "lab",
    "margins",
    "nudge_pairs",
    "other_behaviours",
    "placebo",
    "pooled",
    "pooled_sets",
    "tf",
    "validity",
]
