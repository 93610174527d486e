"""Segmentation: from counts of units' behaviours to clusters, their stability, profiles and drivers."""

__all__ = [
    "clustering",
    "composition",
    "features",
    "gaps",
    "gather",
    "importance",
    "learning",
    "leaving",
    "partial_results",
    "placement",
    "profiles",
    "queries",
    "question",
    "ranks",
    "readings",
    "reduction",
    "result",
    "segmentation",
    "segmentations",
    "tiers",
]
