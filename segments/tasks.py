"""Background work, called by name; each may run twice without harm."""

from segments.services import churn, comparing, publishing, segmentation


def run_segmentation(pk: int) -> bool:
    return segmentation.compute_segmentation(pk)


def run_churn(pk: int) -> bool:
    return churn.compute_churn(pk)


def run_comparison(pk: int) -> bool:
    return comparing.compute_comparison(pk)


def refresh_segments() -> int:
    """Each hour: models whose membership is due."""
    return publishing.refresh_due()
