"""Spans of a real site and worker, as a collector gets them; and nothing of it where nobody asked."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import ROOT, Site, migrated_database
from tests.conftest import missing
from tests.insight_site.operation.watched_site import working

pytestmark = [pytest.mark.slow, pytest.mark.once]
PACKAGES = Path(os.environ.get("INSIGHT_OTEL", ROOT / ".venv-clients" / "otel"))
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECONDS = 240.0
PUT_IN_A_REQUEST = """
import structlog
from runs.queue.jobs import put
with structlog.contextvars.bound_contextvars(request_id="asked", trace_id="TRACE", span_id="PARENT"):
    put("runs.tasks.forget_old_jobs")
    put("experiments.tasks.run_analysis", "no number")
""".replace("TRACE", TRACE).replace("PARENT", PARENT)
LOADED = """
import json, sys
from insight_site.wsgi import application
print(json.dumps([name for name in sys.modules if name.startswith("opentelemetry")]))
"""


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[tuple[str, Callable[[], list[dict[str, Any]]]]]:
    """The collector's address, and what it has got."""
    if not PACKAGES.is_dir():
        missing("OpenTelemetry (make clients)")
    file = tmp_path / "spans"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    command = [sys.executable, "-m", "tests.insight_site.operation.receiver", str(file)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as collector:
        assert collector.stdout is not None
        port = int(collector.stdout.readline())
        yield (
            f"http://127.0.0.1:{port}",
            lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else [],
        )
        collector.kill()


@pytest.fixture
def site(spans: tuple[str, Any], tmp_path: Path) -> Iterator[Site]:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": spans[0], "PYTHONPATH": str(PACKAGES), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with migrated_database(tmp_path) as url:
        site = Site(tmp_path, url, **given)
        yield site
        site.stop()


def wait(look: Callable[[], list[dict[str, Any]]], found: Callable[[list[dict[str, Any]]], bool]) -> list[Any]:
    end = time.monotonic() + SECONDS
    while not found(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.2)
    return seen


def test_request__with_a_traceparent__is_a_span_below_it_with_its_queries_and_names_it_in_the_log(
    site: Site, spans: tuple[str, Any]
) -> None:
    site.start("/readyz")
    (key,) = site.issue_keys(1)
    body = {"batch": [{"type": "track", "event": "Opened", "userId": "somebody", "messageId": "m1"}]}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    headers["traceparent"] = f"00-{TRACE}-{PARENT}-01"

    with urllib.request.urlopen(
        urllib.request.Request(f"{site.url}/v1/batch", json.dumps(body).encode(), headers), timeout=20
    ) as answer:
        assert answer.status == 200

    seen = wait(spans[1], lambda seen: any(span["name"] == "POST ingest" for span in seen))
    (request,) = [span for span in seen if span["name"] == "POST ingest"]
    assert (request["trace"], request["parent"], request["failed"]) == (TRACE, PARENT, False)
    assert request["http.response.status_code"] == 200
    queries = [span for span in seen if "db.query.text" in span and span["trace"] == TRACE]
    assert {span["parent"] for span in queries} == {request["id"]}
    assert "INSERT" in {span["name"] for span in queries}
    assert "somebody" not in json.dumps(seen)
    assert key not in json.dumps(seen)
    (line, *_) = wait(
        lambda: [one for one in map(json.loads, log_lines(site.log)) if one.get("door") == "ingest"], bool
    )
    assert (line["trace_id"], line["span_id"]) == (TRACE, request["id"])


def test_job__that_a_request_asked_for__is_a_span_below_it_and_its_lines_name_both(
    site: Site, spans: tuple[str, Any]
) -> None:
    site.run(PUT_IN_A_REQUEST)
    tasks = {"runs.tasks.forget_old_jobs": False, "experiments.tasks.run_analysis": True}

    with working(site):
        seen = wait(spans[1], lambda seen: tasks.keys() <= {span["name"] for span in seen if span["trace"] == TRACE})

    for task, fails in tasks.items():
        span = next(span for span in seen if span["name"] == task and span["trace"] == TRACE)
        assert (span["parent"], span["failed"], span["insight.attempt"]) == (PARENT, fails, 1)
    assert any(span["name"] == "DELETE" and span["trace"] == TRACE for span in seen)
    lines = [json.loads(line) for line in log_lines(site.folder / "worker.log")]
    (failed,) = [line for line in lines if line["event"] == "job.failed" and line.get("request_id") == "asked"]
    assert (failed["task"], failed["trace_id"]) == ("experiments.tasks.run_analysis", TRACE)


def test_site__that_nobody_asked_to_trace__imports_nothing_of_it(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path / 'site.sqlite3'}", PYTHONPATH=str(PACKAGES))
    site.environment.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)

    assert site.run(LOADED) == []


def test_site__that_shall_trace_without_the_packages__says_what_to_install(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path / 'site.sqlite3'}", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    ran = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=site.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode != 0
    assert "pip install -r requirements-otel.txt" in ran.stderr


def log_lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line.startswith("{")]
