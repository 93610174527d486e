"""The event store's Delta table: where its files lie, and one version of it for reading or for a commit."""
