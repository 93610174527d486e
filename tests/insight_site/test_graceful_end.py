"""SIGTERM to the web server under load: what was being answered is answered, and what was answered 200 is kept."""

import json
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.server import Site, running_site

pytestmark = [pytest.mark.slow, pytest.mark.once]
CALLERS = 8  # as many as two processes have threads: all are being answered when the signal comes


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with running_site(tmp_path, DATABASE_LOCK_SECONDS="10", WEB_CONCURRENCY="2", WEB_THREADS="4") as site:
        yield site


def send(site: Site, key: str, message: str) -> int:
    """One event: the status, or 0 when there was no answer."""
    event = {"type": "track", "event": "Opened", "userId": "u", "messageId": message}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    body = json.dumps({"batch": [event]}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{site.url}/v1/batch", body, headers), timeout=30) as got:
            return int(got.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def kept(site: Site) -> set[str]:
    with closing(sqlite3.connect(site.database_url.removeprefix("sqlite:///"))) as database:
        return {row[0].split(":")[-1] for row in database.execute("SELECT message_id FROM events_outbox")}


def test_requests__that_wait_for_the_database_when_the_server_is_told_to_end__are_all_answered(site: Site) -> None:
    (key,) = site.issue_keys(1)
    assert send(site, key, "first") == 200
    statuses: dict[str, int] = {}
    callers = [
        threading.Thread(target=lambda name=f"m{n}": statuses.update({name: send(site, key, name)}))
        for n in range(CALLERS)
    ]
    assert site.process is not None
    with site.database_away():
        for caller in callers:
            caller.start()
        time.sleep(1.5)
        site.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert statuses == {}
    for caller in callers:
        caller.join()

    assert statuses == {f"m{n}": 200 for n in range(CALLERS)}
    assert site.process.wait(20) == 0
    assert kept(site) == {"first", *statuses}
    assert send(site, key, "late") == 0


def test_load__while_the_server_is_told_to_end_and_started_again__loses_nothing_that_was_answered(site: Site) -> None:
    (key,) = site.issue_keys(1, rate=100_000)
    statuses: dict[str, int] = {}
    over = threading.Event()

    def call(caller: int) -> None:
        number = 0
        while not over.is_set():
            name = f"c{caller}n{number}"
            statuses[name] = send(site, key, name)
            number += statuses[name] == 200  # as a library does: again, under its id, until it is answered
            time.sleep(0.01)

    callers = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(3):
        time.sleep(1)
        site.stop()
        site.start()
    time.sleep(1)
    over.set()
    for caller in callers:
        caller.join()

    answered = {name for name, status in statuses.items() if status == 200}
    assert set(statuses.values()) <= {200, 0}  # answered, or not taken: no error, no half answer
    assert len(answered) > 50
    assert answered <= kept(site)
