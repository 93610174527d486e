"""The queue of background work: enqueue a job, take it on lease, and the workers that perform it."""

__all__ = ["jobs", "registry", "status", "worker"]
