"""Background work, called by name; each may run twice without harm."""

from experiments.services import webhooks


def deliver_webhooks() -> dict[str, int]:
    """Each minute: messages whose time has come."""
    return webhooks.deliver_due()
