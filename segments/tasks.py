"""Background work, called by name; each may run twice without harm."""

from segments.published import compare_segments, predict_churn, publish
from segments.search import segmentations


def run_segmentation(pk: int) -> bool:
    return segmentations.compute_segmentation(pk, watched=True)


def run_churn(pk: int) -> bool:
    return predict_churn.compute_churn(pk)


def run_comparison(pk: int) -> bool:
    return compare_segments.compute_comparison(pk)


def refresh_segments() -> int:
    """Each hour: models whose membership is due."""
    return publish.refresh_due()
