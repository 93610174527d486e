"""The outbox: accepted events on their way to the store; flush, quarantine, and ownership of the store."""
