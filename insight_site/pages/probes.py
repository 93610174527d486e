"""Health, metrics, and the error pages of the whole site."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views import defaults
from django_q.models import OrmQ
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily

from events.outbox import flush
from insight_site.access.permissions import error, machine_door
from runs.refusals import Refused

log = structlog.get_logger()


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is touched."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """One line for each thing that this site needs; 503 when one of them fails."""
    report: dict[str, str] = {}
    for name, check in READY.items():
        # Each would wait for a silent database as long as the first did, and the probe would run out of time.
        in_vain = name in NEED_DATABASE and report["database"].startswith("failed")
        report[name] = "failed: the database is away" if in_vain else _tried(check)
    ready = all(not line.startswith("failed") for line in report.values())
    return JsonResponse({"status": "ready" if ready else "not ready", **report}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: this process, or all processes under PROMETHEUS_MULTIPROC_DIR, and the outbox."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    try:
        state = flush.outbox_state()
    except (DatabaseError, InterfaceError):  # the rest is needed most when the database is away
        log.warning("metrics.database_away")
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    outbox = CollectorRegistry()
    outbox.register(_Outbox(state))
    return HttpResponse(generate_latest(registry) + generate_latest(outbox), content_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True)
class _Outbox:
    """Read from the database, the same for all processes: a gauge would also be listed once for each of them."""

    state: flush.OutboxState

    def collect(self) -> list[GaugeMetricFamily]:
        """For prometheus_client."""
        return [
            GaugeMetricFamily("insight_outbox_rows", "Accepted events that are not yet in the store.", self.state.rows),
            GaugeMetricFamily(
                "insight_outbox_rows_limit", "With more of them the ingest door answers 429.", settings.OUTBOX_ROWS
            ),
            GaugeMetricFamily("insight_outbox_lag_seconds", "Age of the oldest of them.", self.state.lag_seconds),
        ]


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return "ok" if waiting == 0 else f"failed: {waiting} migrations are not applied"


def _cache() -> str:
    cache.set("readyz", 1, timeout=10)
    return "ok" if cache.get("readyz") == 1 else "failed: a value that was set can't be read"


def _queue() -> str:
    oldest = OrmQ.objects.order_by("id").first()  # `lock` is when the task may be taken
    lag = max(0.0, (timezone.now() - oldest.lock).total_seconds()) if oldest and oldest.lock else 0.0
    return f"ok: {OrmQ.objects.count()} tasks wait, {lag:.0f} s"


def _outbox() -> str:
    state = flush.outbox_state()
    verdict = "ok" if state.lag_seconds <= settings.OUTBOX_LAG_SECONDS else "failed"
    return f"{verdict}: {state.rows} rows wait, the oldest {state.lag_seconds:.0f} s"


def _event_store() -> str:
    try:
        return flush.store_state()
    except Refused as refusal:
        return f"failed: {refusal}"


READY: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "cache": _cache,
    "queue": _queue,
    "outbox": _outbox,
    "event_store": _event_store,
}
NEED_DATABASE = ("migrations", "queue", "outbox", "event_store")


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as trouble:  # a probe reports every trouble; the class name gives no secret away
        log.warning("readyz.failed", check=check.__name__, error=type(trouble).__name__)
        return f"failed: {type(trouble).__name__}"


def bad_request(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """400 for the whole site: JSON for machines, Django's page for people."""
    if machine_door(request.path_info):
        return error(request, 400, "bad_request", "the request can't be read")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """403, alike."""
    if machine_door(request.path_info):
        return error(request, 403, "forbidden", "this is not allowed")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception, *args: Any) -> HttpResponse:
    """404, alike."""
    if machine_door(request.path_info):
        return error(request, 404, "not_found", "there is no such path")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """500, alike."""
    if machine_door(request.path_info):
        return error(request, 500, "internal_error", "our fault; try again")
    return defaults.server_error(request)
