"""Published segments: versions, membership, drift, churn risk, and rule segments."""

__all__ = [
    "churn_model",
    "compare_segments",
    "drift",
    "levels",
    "members",
    "predict_churn",
    "publish",
    "rule_members",
    "segment_marks",
]
