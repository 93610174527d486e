"""Background work, called by name; each may run twice without harm."""

from experiments.analyse import analyses
from experiments.analyse.holdout_report import holdout_readings
from experiments.analyse.overlap import overlaps
from experiments.serve.rollout import shipping
from experiments.webhooks import deliver


def deliver_webhooks() -> dict[str, int]:
    """Each minute: messages whose time has come."""
    return deliver.deliver_due()


def look_at_certificates() -> int:
    """Each night: when the certificates of webhooks end."""
    return deliver.look_at_certificates()


def run_analysis(pk: int) -> None:
    """Compute a waiting analysis."""
    analyses.run_analysis(pk)


def request_analyses() -> int:
    """Each night: every started experiment without a final analysis."""
    return analyses.request_due()


def run_holdout_reading(pk: int) -> None:
    """Compute a waiting reading of a holdout."""
    holdout_readings.run_reading(pk)


def run_overlap(pk: int) -> None:
    """Compute a waiting overlap of experiments."""
    overlaps.run_overlap(pk)


def request_together() -> int:
    """Each night, after the analyses: readings of holdouts that are due, and the overlap of experiments."""
    return holdout_readings.request_due_readings() + overlaps.request_due_overlap()


def note_rollout_steps() -> int:
    """Each minute: log and tell the steps of rollouts that have come."""
    return shipping.note_steps()
