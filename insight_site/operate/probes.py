"""Doors for monitoring: alive, ready, how the parts are, and metrics: what ended how, and what waits."""

import os
from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from experiments.models import Analysis, Experiment, WebhookDelivery, WebhookEndpoint
from insight_site.access.permissions import error
from insight_site.operate import component_health
from runs.kinds import all_kinds
from runs.queue.registry import all_tasks
from runs.queue.status import JOBS, NOTICES, RUNS, WEBHOOKS, counted

# Metrics of finished and waiting work, from the database: the same from every process.
#
# Each scrape reads only a few rows: totals are stored as totals (`runs.queue.status`), waiting jobs have a partial
# index, and certificates are checked at night.

BROKEN_SPLIT = "srm"  # code of a sample ratio mismatch, which makes a verdict INVALID
DAY = 86_400
NOTICE_WAYS = ("mail", "channel", "digest")
# Name without "_total": description, labels, subject, and the outcomes that exist from the beginning, so that
# the first of them counts as an increase.
COUNTERS: dict[str, tuple[str, tuple[str, str], str, tuple[str, ...]]] = {
    "insight_runs": (
        "Long computations that ended; refused: the question was wrong.",
        ("kind", "outcome"),
        RUNS,
        ("done", "refused", "failed", "cancelled"),
    ),
    "insight_jobs": (
        "Background tasks that ended; failed: and are begun again.",
        ("task", "outcome"),
        JOBS,
        ("done", "failed", "given_up"),
    ),
    "insight_webhooks": (
        "Tries to deliver a message; failed: and tried again.",
        ("endpoint", "outcome"),
        WEBHOOKS,
        ("delivered", "failed", "given_up"),
    ),
    "insight_notices": (
        "Tries to tell people something, by e-mail or in a channel; failed: and tried again.",
        ("way", "outcome"),
        NOTICES,
        ("sent", "failed", "given_up"),
    ),
}
GAUGES: dict[str, tuple[str, str]] = {
    "insight_sample_ratio_alarm": (
        "1 when the last analysis of a running experiment found a broken split.",
        "experiment",
    ),
    "insight_webhook_waiting": ("Messages that wait for their next try.", "endpoint"),
    "insight_webhook_certificate_days": ("Days until the certificate of a webhook's address ends.", "endpoint"),
}


class Counters:
    """A collector for prometheus_client."""

    def collect(self) -> Iterator[Metric]:
        """All metrics; none while the database is unavailable, which `insight_part_ok` reports."""
        try:
            families = [*_counters(), *_gauges()]
        except (DatabaseError, InterfaceError):
            return
        yield from families


def _counters() -> Iterator[Metric]:
    endpoints = {str(pk): name for pk, name in WebhookEndpoint.objects.values_list("pk", "name")}
    known = {
        RUNS: {kind.model: kind.model for kind in all_kinds()},
        JOBS: {task.name: task.name for task in all_tasks()},
        WEBHOOKS: endpoints,
        NOTICES: {way: way for way in NOTICE_WAYS},
    }
    for name, (meaning, labels, subject, outcomes) in COUNTERS.items():
        family = CounterMetricFamily(name, meaning, labels=labels)
        numbers = {(kind, outcome): 0 for kind in known[subject] for outcome in outcomes}
        numbers |= {(kind, outcome): number for kind, outcome, number in counted(subject) if kind in known[subject]}
        sums: dict[tuple[str, str], int] = {}
        for (kind, outcome), number in numbers.items():  # two webhook endpoints may share a name
            label = known[subject][kind], outcome
            sums[label] = sums.get(label, 0) + number
        for label, number in sums.items():
            family.add_metric(label, number)
        yield family


def _gauges() -> Iterator[Metric]:
    values: dict[str, dict[str, float]] = {name: {} for name in GAUGES}
    newest = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")
    running = Experiment.objects.filter(status=Experiment.Status.RUNNING)
    for key, checks in running.values_list("key", Subquery(newest.values("checks")[:1])):
        broken = any(check.get("invalid") == BROKEN_SPLIT for check in checks or ())
        values["insight_sample_ratio_alarm"][key] = float(broken)
    waiting = WebhookDelivery.objects.filter(next_try_at__isnull=False).order_by().values("endpoint")
    waits = dict(waiting.annotate(n=Count("pk")).values_list("endpoint", "n"))
    for pk, name, until in WebhookEndpoint.objects.filter(enabled=True).values_list("pk", "name", "certificate_until"):
        values["insight_webhook_waiting"][name] = values["insight_webhook_waiting"].get(name, 0.0) + waits.get(pk, 0)
        if until is not None:
            days = (until - timezone.now()).total_seconds() / DAY
            least = min(days, values["insight_webhook_certificate_days"].get(name, days))
            values["insight_webhook_certificate_days"][name] = least
    for name, (meaning, label) in GAUGES.items():
        gauge = GaugeMetricFamily(name, meaning, labels=[label])
        for own, value in values[name].items():
            gauge.add_metric([own], value)
        yield gauge


# Monitoring endpoints: alive, ready, state of the parts, metrics.


def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process answers; nothing else is checked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: whether this process may get requests, one line per check; 503 when one of them fails."""
    report = component_health.readiness()
    ready = all(line == "ok" for line in report.values())
    return JsonResponse({"status": "ready" if ready else "not ready", **report}, status=200 if ready else 503)


def part(request: HttpRequest, name: str | None = None) -> HttpResponse:
    """State of one part of the site, or of all; 503 when one needs attention."""
    if name is not None and name not in component_health.SIGNS:
        return error(request, 404, "not_found", f"there is no such part; there are {', '.join(component_health.SIGNS)}")
    signs = {part_name: component_health.look(part_name) for part_name in ([name] if name else component_health.SIGNS)}
    ok = all(sign.ok for sign in signs.values())
    lines = {part_name: sign.line for part_name, sign in signs.items()}
    return JsonResponse({"status": "ok" if ok else "failed", **lines}, status=200 if ok else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: this process, or all processes under PROMETHEUS_MULTIPROC_DIR, and the site's parts."""
    parts = CollectorRegistry()
    parts.register(component_health.Parts())
    parts.register(Counters())
    return HttpResponse(own_metrics() + generate_latest(parts), content_type=CONTENT_TYPE_LATEST)


def own_metrics() -> bytes:
    """What this process counts, or all processes under PROMETHEUS_MULTIPROC_DIR."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
