"""A site, the process that holds its event streams, and what a plain client reads of one."""

import http.client
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.clients.flags import issue
from tests.clients.rollout.test_kill_switch import ADMIN
from tests.clients.server import ROOT, START_SECONDS, Site, free_port, migrated_database

CHANGE = "from experiments.models import ConfigVersion; ConfigVersion.touch(); import time; print(time.time())"


class Streams:
    """`manage.py event_streams` beside a site."""

    def __init__(self, site: Site, port: int, **environment: str) -> None:
        self.site, self.port, self.environment = site, port, environment
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = site.folder / f"streams-{port}.log"

    def start(self) -> "Streams":
        command = [sys.executable, "manage.py", "event_streams", "--bind", f"127.0.0.1:{self.port}"]
        environment = {k: v for k, v in self.site.environment.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**environment, **self.environment}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(self.url + "/readyz", timeout=5):
                return self
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("the stream process did not start:\n" + self.log.read_text()[-4000:])

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def metric(self, name: str) -> float:
        """The sum of a metric's values over its labels."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


@dataclass
class Reader:
    """One stream as a plain client reads it.

    Attributes:
        status: of the answer; headers: its headers; body: of an answer that is no stream.
    """

    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.connection.request("GET", self.path, headers=self.headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.body: Any = json.loads(self.answer.read()) if self.status != 200 else None

    def block(self, seconds: float = 20.0) -> dict[str, str] | None:
        """The next block of lines by field; None at the end of the stream."""
        assert self.connection.sock is not None or self.answer.fp is not None
        found: dict[str, str] = {}
        until = time.monotonic() + seconds
        while line := self.answer.readline().decode():
            if line == "\n" and found:
                return found
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                found[name] = value
            assert time.monotonic() < until
        return found or None

    def event(self) -> dict[str, str]:
        """The next event, past ids and signs of life."""
        while (block := self.block()) is not None:
            if "data" in block:
                return block
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def change(site: Site) -> float:
    """Change the configuration; when that was done, in Unix seconds."""
    done: float = site.run(CHANGE)
    return done


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    """A gunicorn with one worker, and the process that its answers name."""
    folder = tmp_path_factory.mktemp("streams")
    with migrated_database(folder) as database:
        port = free_port()
        more = {"EVENT_STREAMS_URL": f"http://127.0.0.1:{port}", "EVENT_STREAMS_VISITOR": "1000"}
        site = Site(folder, database, WEB_CONCURRENCY="1", **more)
        site.start()
        held = Streams(site, port).start()
        try:
            yield held
        finally:
            held.stop()
            site.stop()


@pytest.fixture(scope="module")
def keys(streams: Streams) -> tuple[str, str]:
    """A client key and a server key."""
    client, server = issue(streams.site, ("client", 1_000_000, []), ("server", 1_000_000, []))
    return client, server


@pytest.fixture(scope="module")
def admin(streams: Streams) -> str:
    """A key that may kill and ship."""
    made: str = streams.site.run(ADMIN)
    return made
