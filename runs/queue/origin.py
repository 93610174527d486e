"""Whose request asked for a job: its ids travel with the job, into the lines that the worker logs of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import structlog

from runs.models import Job

IDS = ("request_id", "trace_id", "span_id")


def here() -> dict[str, str] | None:
    """The ids that this process logs now; None outside a request."""
    bound = structlog.contextvars.get_contextvars()
    return {name: str(bound[name])[:128] for name in IDS if bound.get(name)} or None


def bound(job: Job) -> AbstractContextManager[object]:
    """For the block that does a job: what is logged there names the job and the request, and so do jobs it asks for."""
    ids = {name: str(value) for name, value in (job.origin or {}).items() if name in IDS}
    return structlog.contextvars.bound_contextvars(**ids, job=job.pk, task=job.task)


class Around:
    """What else surrounds each job; `insight_site.operation.tracing` sets it where a site traces."""

    job: Callable[[Job], AbstractContextManager[object]] = staticmethod(lambda job: nullcontext())
