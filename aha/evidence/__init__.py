"""Evidence for a candidate: adjusted difference, sensitivity to unmeasured confounding, expected gain."""

__all__ = [
    "aipw",
    "daily_trials",
    "expected_gain",
    "findings",
    "joint_findings",
    "ladder",
    "nuisance",
    "retention_curve",
    "sensitivity",
    "store_findings",
]
