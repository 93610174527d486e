"""Background work, called by name; each may run twice without harm."""

from experiments.analyse import analyses
from experiments.webhooks import deliver


def deliver_webhooks() -> dict[str, int]:
    """Each minute: messages whose time has come."""
    return deliver.deliver_due()


def run_analysis(pk: int) -> None:
    """Compute a waiting analysis."""
    analyses.run_analysis(pk)


def request_analyses() -> int:
    """Each night: every started experiment without a final analysis."""
    return analyses.request_due()
