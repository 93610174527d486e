"""OpenTelemetry spans of requests, queries and jobs, exported to OTEL_EXPORTER_OTLP_ENDPOINT.

Without that variable no package is imported; with it those of requirements-otel.txt are required. A request's span
holds the same as its log line: no address with a key or token, no body, no user. A query's span holds its text with
placeholders, never its values.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.db.backends.signals import connection_created

from insight_site.access.permissions import machine_door
from runs.models import Job
from runs.queue import jobs

if TYPE_CHECKING:
    from opentelemetry.context import Context

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
STATEMENT_CHARS = 1000
JOB_SECONDS = 5  # time to export a job's spans, since a process may end after any job
NAMED = re.compile(r"\W*(\w+)")
type Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_on() -> bool:
    """Whether tracing is enabled."""
    return bool(os.environ.get(ENDPOINT))


def begin() -> None:
    """Called once when the site is loaded: traces queries and jobs from then on.

    Raises:
        ImproperlyConfigured: the packages are missing.
    """
    try:
        for name in ("exporter.otlp.proto.http.trace_exporter", "sdk.trace.export"):
            import_module(f"opentelemetry.{name}")
    except ImportError:
        raise ImproperlyConfigured(f"{ENDPOINT} needs: pip install -r requirements-otel.txt") from None
    connection_created.connect(_watch, dispatch_uid="insight_site.tracing")
    jobs.Around.job = staticmethod(job_span)


@cache
def _provider(_process: int) -> Any:
    """This process's provider: its export thread doesn't survive a fork, and must not exist before one."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", "insight")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _tracer() -> Any:
    return _provider(os.getpid()).get_tracer("insight")


def traced(application: Application) -> Application:
    """The WSGI application with a span around each request, as a child of the caller's W3C traceparent.

    The wrapped application finds this span in the header instead, so that log lines and jobs refer to it.
    """
    from opentelemetry import propagate, trace  # noqa: PLC0415

    def entrance(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        door, method = machine_door(environ.get("PATH_INFO", "/")) or "people", environ.get("REQUEST_METHOD", "")
        came = propagate.extract({"traceparent": environ.get("HTTP_TRACEPARENT", "")})
        given = {"http.request.method": method, "insight.door": door}
        kind = trace.SpanKind.SERVER
        with _tracer().start_as_current_span(f"{method} {door}", came, kind, given) as span:

            def begun(status: str, *rest: Any) -> Any:
                span.set_attribute("http.response.status_code", int(status[:3]))
                if status[:1] == "5":
                    span.set_status(trace.StatusCode.ERROR)
                return start_response(status, *rest)

            header: dict[str, str] = {}
            propagate.inject(header)
            return application({**environ, "HTTP_TRACEPARENT": header.get("traceparent", "")}, begun)

    return entrance


@contextmanager
def job_span(job: Job) -> Iterator[None]:
    """A span around a job, as a child of the request that enqueued it; exported before the next job starts."""
    from opentelemetry import trace  # noqa: PLC0415

    given: dict[str, Any] = {"insight.task": job.task, "insight.job": job.pk, "insight.attempt": job.attempts}
    kind = trace.SpanKind.CONSUMER
    with _tracer().start_as_current_span(job.task, _parent(job), kind, given) as span:
        own = span.get_span_context()
        ids = {"trace_id": f"{own.trace_id:032x}", "span_id": f"{own.span_id:016x}"}
        with structlog.contextvars.bound_contextvars(**ids):
            yield
        with suppress(DatabaseError, InterfaceError):
            if error := Job.objects.filter(pk=job.pk).values_list("error", flat=True).first():
                span.set_status(trace.StatusCode.ERROR, error)
    _provider(os.getpid()).force_flush(JOB_SECONDS * 1000)


def _parent(job: Job) -> "Context":
    from opentelemetry import propagate  # noqa: PLC0415

    ids = job.origin or {}
    return propagate.extract({"traceparent": f"00-{ids.get('trace_id', '')}-{ids.get('span_id', '')}-01"})


def _watch(connection: Any, **_signal: Any) -> None:
    if _query not in connection.execute_wrappers:
        connection.execute_wrappers.append(_query)


def _query(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """A span around a query inside a request or job; not for a worker's polling of the queue."""
    from opentelemetry import trace  # noqa: PLC0415

    if not trace.get_current_span().get_span_context().is_valid:
        return execute(sql, params, many, context)
    text = str(sql)
    named = NAMED.match(text)
    given = {"db.system.name": settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]}
    given["db.query.text"] = text[:STATEMENT_CHARS]
    name = named[1].upper() if named else "SQL"
    with _tracer().start_as_current_span(name, None, trace.SpanKind.CLIENT, given):
        return execute(sql, params, many, context)
