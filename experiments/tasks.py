"""Background work, called by name; each may run twice without harm."""

from experiments.services import analysis, webhooks


def deliver_webhooks() -> dict[str, int]:
    """Each minute: messages whose time has come."""
    return webhooks.deliver_due()


def run_analysis(pk: int) -> None:
    """Compute a waiting analysis."""
    analysis.run_analysis(pk)


def request_analyses() -> int:
    """Each night: every started experiment without a final analysis."""
    return analysis.request_due()
