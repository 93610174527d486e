"""Send webhooks about experiments to other systems."""
