"""Monitoring endpoints: alive, ready, state of the parts, metrics."""

import os

from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from insight_site.access.permissions import error
from insight_site.operation import counters, gauges, readiness, signs


def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process answers; nothing else is checked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: whether this process may get requests, one line per check; 503 when one of them fails."""
    report = readiness.report()
    ready = all(line == "ok" for line in report.values())
    return JsonResponse({"status": "ready" if ready else "not ready", **report}, status=200 if ready else 503)


def part(request: HttpRequest, name: str | None = None) -> HttpResponse:
    """State of one part of the site, or of all; 503 when one needs attention."""
    if name is not None and name not in signs.SIGNS:
        return error(request, 404, "not_found", f"there is no such part; there are {', '.join(signs.SIGNS)}")
    found = {one: signs.look(one) for one in ([name] if name else signs.SIGNS)}
    ok = all(sign.ok for sign in found.values())
    lines = {one: sign.line for one, sign in found.items()}
    return JsonResponse({"status": "ok" if ok else "failed", **lines}, status=200 if ok else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: this process, or all processes under PROMETHEUS_MULTIPROC_DIR, and the site's parts."""
    parts = CollectorRegistry()
    parts.register(gauges.Parts())
    parts.register(counters.Counters())
    return HttpResponse(own_metrics() + generate_latest(parts), content_type=CONTENT_TYPE_LATEST)


def own_metrics() -> bytes:
    """What this process counts, or all processes under PROMETHEUS_MULTIPROC_DIR."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
