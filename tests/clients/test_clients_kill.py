"""10,000 events over a bad line, to a site that is killed twice: exactly 10,000 in the store."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import send
from tests.clients.line import line_to
from tests.clients.server import Site, stored
from tests.events.conftest import file_uris

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
EVENTS = 10_000
SEED = 20261124


def wait_until(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events__with_retries_and_a_site_killed_twice__are_each_stored_once(
    site: Site, key: str, name: str, settings: Any
) -> None:
    settings.EVENTS_URL = site.environment["EVENTS_URL"]
    flusher = site.start_flushing()
    try:
        with line_to(site.port, lose=0.2, seed=SEED) as (line, address):
            sent = send("segment-gzip", address, key, prefix=name, count=EVENTS, repeat=0.2, seed=SEED)
            for arrived in (30, 80):
                wait_until(lambda arrived=arrived: line.arrived >= arrived)  # type: ignore[misc]
                site.kill()
                flusher.send_signal(signal.SIGKILL)
                flusher.wait()
                flusher = site.start_flushing()
                site.start()
            errors = sent.finish()
            requests, lost = list(line.requests), dict(line.lost)
    finally:
        flusher.kill()
        flusher.wait()
    site.manage("flush_events")

    found = Counter(row[0] for row in stored(file_uris()) if row[0].startswith(name + "-"))
    assert errors == []
    assert found == {f"{name}-{number}": 1 for number in range(EVENTS)}
    # The test has shown nothing unless all of this happened.
    assert min(lost.values()) >= 3, lost
    assert sum(request.status == 0 for request in requests) >= 2  # met a dead site
    assert sum(int(request.headers.get("X-Retry-Count", 0)) > 0 for request in requests) >= 5
