"""Every alert rule fires when its condition is really there, and none on a healthy site: Prometheus itself says so."""

import json
import re
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from django.test import Client

from insight_site.operate import component_health
from tests.clients.server import ROOT, Site, running_site
from tests.conftest import missing
from tests.debian import unpacked
from tests.insight_site.operation.watched_site import PROGRAM, RULES, Prometheus, working

DASHBOARD = ROOT / "deploy" / "grafana" / "insight.json"
METRIC = re.compile(r"\binsight_[a-z_]+")
HEALTHY_SECONDS = 12


def rules() -> list[dict[str, Any]]:
    return list(yaml.safe_load(RULES.read_text())["groups"][0]["rules"])


@pytest.mark.django_db
def test_metrics__that_rules_and_dashboard_name__exist(settings: Any) -> None:
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]
    said = Client().get("/metrics").content.decode()
    # A counter without labels' values yet has no line, but says what it is.
    known = set(re.findall(r"^# TYPE (\S+)", said, re.MULTILINE))
    known |= {f"{name}_bucket" for name in known}
    dashboard = DASHBOARD.read_text()

    named = set(METRIC.findall(RULES.read_text() + dashboard))

    assert named - known == set()
    assert len(named) > 20
    assert set(re.findall(r'part="(\w+)"', RULES.read_text())) <= set(component_health.SIGNS)


def test_dashboard__is_whole_and_shows_every_metric_of_the_rules() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    shown = METRIC.findall(" ".join(target["expr"] for panel in panels for target in panel["targets"]))
    assert set(METRIC.findall(" ".join(rule["expr"] for rule in rules()))) <= set(shown)


def test_rules__each__has_a_severity_and_a_row_in_the_handbook() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text()

    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        place = rule["annotations"]["runbook"].partition("#")[2]
        assert f'<a id="{place}"></a>{rule["alert"]} |' in handbook


FAILED_RUN = """
from runs.perform import perform
from segments.models import SegmentationRun
def fail(progress): raise ZeroDivisionError
perform(SegmentationRun.objects.create(), fail, dict)
"""
GIVEN_UP_JOB = """
from runs.models import Job
Job.objects.create(task="experiments.tasks.run_analysis", queue="long", arguments=["no number"], attempts=2)
"""
BROKEN_SPLIT = """
from tests.experiments.make_readout import broken, stored
stored("split", broken())
"""
WEBHOOK = """
import time
from datetime import timedelta
from django.utils import timezone
from experiments.models import WebhookDelivery
from experiments.webhooks import announce, create_endpoint, deliver_due, look_at_certificates
create_endpoint(name="gone", url="https://gone.invalid/in")
look_at_certificates(look=lambda url: timezone.now() + timedelta(days=3))
time.sleep(3)  # Prometheus sees the endpoint before its first message is given up, as it would within the day
announce("experiment.started", {})
WebhookDelivery.objects.update(tries=7)
deliver_due()
"""
LATE_ROWS = """
from datetime import timedelta
from django.utils import timezone
from events.models import OutboxEvent
from runs.models import Job, Schedule
past = timezone.now() - timedelta(hours=3)
for queue in ("store", "long"): Job.objects.create(task="x", queue=queue)
Job.objects.update(asked_at=past, due_at=past)
Schedule.objects.update(next_run=past)
Schedule.objects.filter(name="events: flush").update(failures=3)
for n in range(3):
    when = {"time": past, "received_at": past}
    OutboxEvent.objects.create(message_id=f"1:{n}", user_id="u", event="e", properties="{}", **when)
"""
WRONG_CLOCK = """
from datetime import timedelta
from django.utils import timezone
from runs.queue.status import sign
from runs.models import WorkerPulse
sign("ahead:1", timezone.now())
WorkerPulse.objects.update(heard_at=timezone.now() + timedelta(minutes=5))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if unpacked(*PROGRAM) is None:
        missing("Debian's prometheus")
    with running_site(tmp_path, OUTBOX_ROWS="5", DISK_FREE_MB="1", DATABASE_LOCK_SECONDS="2") as site:
        yield site


@pytest.mark.slow
@pytest.mark.once
def test_alerts__each__fires_under_its_condition_and_none_on_a_healthy_site(site: Site, tmp_path: Path) -> None:
    fired: set[str] = set()
    (key,) = site.issue_keys(1)
    prometheus = Prometheus(tmp_path / "prometheus", site.port)
    site.manage("flush_events")
    try:
        with working(site):
            wait_for_parts(site)
            assert send(site, key) == 200
            prometheus.start()
            time.sleep(HEALTHY_SECONDS)
            assert prometheus.firing() == set()

            def fires(*names: str) -> None:
                prometheus.wait_for(*names)
                fired.update(names)

            site.run(FAILED_RUN + GIVEN_UP_JOB + BROKEN_SPLIT + WEBHOOK)
            fires("InsightRunsFailed", "InsightJobsGivenUp", "InsightSampleRatio")
            fires("InsightWebhooksGivenUp", "InsightWebhookCertificate")
            with site.database_away():
                for _ in range(6):
                    assert send(site, key) == 503
                fires("InsightDatabaseAway")
            fires("InsightErrorRate", "InsightSlowAnswers")
            site.manage("flush_events")
            keep = set(fired) - {"InsightDatabaseAway"}
            prometheus.wait_until_silent(besides=keep)
        fires("InsightWorkerDead")  # it was killed
        site.run(LATE_ROWS)
        fires("InsightSchedulerDead", "InsightScheduleFailing", "InsightQueueLag", "InsightLongQueueLag")
        fires("InsightOutboxLag", "InsightOutboxFilling")
        shutil.rmtree(site.environment["EVENTS_URL"])
        fires("InsightStoreDamaged")
        site.run(WRONG_CLOCK)
        fires("InsightClockApart")
        site.kill()
        fires("InsightWebDown")
        site.environment |= {"DISK_FREE_MB": "1000000000", "REDIS_URL": "redis://127.0.0.1:1/0"}
        site.environment["BACKUP_DIR"] = str(tmp_path / "backups")  # where there is none
        site.start()
        fires("InsightDiskFull", "InsightCacheAway", "InsightBackupOld")
        assert "InsightWebDown" not in prometheus.firing()
    finally:
        prometheus.stop()
    assert {rule["alert"] for rule in rules()} - fired == BY_TREND


BY_TREND = {"InsightDiskFilling"}
DISKS = {  # of 250 GB each: free bytes now, and what is gone each day
    "full_in_hours": (30e9, 290e9),
    "full_in_three_days": (49e9, 15e9),
    "full_in_a_week": (49e9, 7e9),
    "large_import_with_room": (120e9, 140e9),
    "nearly_full_and_still": (30e9, 0.0),
}


class Disks(BaseHTTPRequestHandler):
    """Answers as a site whose disks fill evenly."""

    began = time.time()

    def do_GET(self) -> None:
        gone = (time.time() - self.began) / 86_400
        lines = [f'insight_disk_bytes{{place="{name}"}} 250e9' for name in DISKS]
        lines += [
            f'insight_disk_free_bytes{{place="{name}"}} {free - gone * day}' for name, (free, day) in DISKS.items()
        ]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("\n".join([*lines, ""]).encode())

    def log_message(self, *said: Any) -> None:
        """Nothing."""


@pytest.mark.slow
@pytest.mark.once
def test_disk__that_fills__is_told_by_its_trend(tmp_path: Path) -> None:
    if unpacked(*PROGRAM) is None:
        missing("Debian's prometheus")
    with ThreadingHTTPServer(("127.0.0.1", 0), Disks) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        prometheus = Prometheus(tmp_path / "prometheus", server.server_port)
        try:
            prometheus.start()
            prometheus.wait_for("InsightDiskFilling")
            time.sleep(5)  # a trend over two moments is one, too
            told = prometheus.ask('ALERTS{alertname="InsightDiskFilling", alertstate="firing"}')
        finally:
            prometheus.stop()
            server.shutdown()

    assert {row["metric"]["place"] for row in told} == {"full_in_hours", "full_in_three_days"}


def wait_for_parts(site: Site, seconds: float = 120) -> None:
    """Until every part of the site is well: the schedules' first round is behind it."""
    end = time.monotonic() + seconds
    while True:
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{site.url}/healthz/parts", timeout=10):
            break
        assert time.monotonic() < end
        time.sleep(1)
    with closing(sqlite3.connect(site.database_url.removeprefix("sqlite:///"))) as database:
        assert database.execute("SELECT count(*) FROM runs_workerpulse").fetchone() == (1,)


def send(site: Site, key: str) -> int:
    """One event over HTTP; the status of the answer."""
    event = {"type": "track", "event": "Opened", "userId": "u", "messageId": f"m{time.monotonic_ns()}"}
    request = urllib.request.Request(
        f"{site.url}/v1/batch",
        json.dumps({"batch": [event]}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
