"""The event store's table: where its files lie, and one version of it that somebody reads or commits to."""
