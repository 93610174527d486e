"""Analyse experiments: gather data, lock outcomes, check health, compute and store statistics and verdict."""

__all__ = [
    "across",
    "analyses",
    "codes",
    "corrected",
    "effects",
    "engine",
    "export_findings",
    "gather",
    "health",
    "made_up",
    "others",
    "outcome_lock",
    "payload_versions",
    "result",
    "segment_draft",
    "verdict",
]
