"""The site as it runs for real: gunicorn on a loopback port, over a database and a store of its own."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import duckdb
import psycopg

from tests import migrated
from tests.migrated import administer
from tests.once import once

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
MARK = re.compile("^~[^:]*:")  # of address and hour, before the id of what a client key sent
FIRST_LINES = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'insight_site.settings'; django.setup()\n"
ISSUE = """
import json
from events.models import Source
from insight_site.access.keys import issue_key
print(json.dumps([issue_key(name="t", source=Source.objects.create(name=name), kind="client", scopes=["events:write"],
                            rate=RATE)[1] for name in NAMES]))
"""
FLUSH = """
import time
from events.outbox.flush import flush_events
while True:
    flush_events()
    time.sleep(0.05)
"""
LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


class Site:
    """One site. `start` and `kill` as often as you like: port, database and store stay."""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        self.folder, self.database_url = folder, database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "gunicorn.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO_ALLOW"))},
            "DATABASE_URL": database_url,
            "EVENTS_URL": str(folder / "events"),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "SECRET_KEY": "only-for-tests-" + uuid.uuid4().hex * 2,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DEBUG": "0",
            "HTTPS": "0",
            "REDIS_URL": "",
            "INTERNAL_NETWORKS": "127.0.0.0/8",
            "DATABASE_LOCK_SECONDS": "1",
            **environment,
        }
        (folder / "metrics").mkdir(exist_ok=True)  # commands count, too

    def manage(self, *arguments: str) -> None:
        """Run a command of the site."""
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, check=True)

    def run(self, code: str) -> Any:
        """Run code inside the site's Django, in another process; what it prints, as JSON."""
        done = subprocess.run(
            [sys.executable, "-c", FIRST_LINES + code], cwd=ROOT, env=self.environment, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace")[-4000:])
        return json.loads(done.stdout or b"null")

    def issue_keys(self, count: int, rate: int | None = None) -> list[str]:
        """Keys, each of a source of its own."""
        names = [uuid.uuid4().hex for _ in range(count)]
        issued: list[str] = self.run(ISSUE.replace("NAMES", repr(names)).replace("RATE", repr(rate)))
        return issued

    def start_flushing(self) -> subprocess.Popen[bytes]:
        """Another process that flushes without pause; whoever starts it ends it."""
        return subprocess.Popen([sys.executable, "-c", FIRST_LINES + FLUSH], cwd=ROOT, env=self.environment)

    def start(self, wait_for: str = "/healthz") -> None:
        """Serve, and come back when the site answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "insight_site.wsgi", "--bind", f"127.0.0.1:{self.port}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(self.url + wait_for, timeout=5):
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError("the site did not start:\n" + self.log.read_text()[-4000:])

    def kill(self) -> None:
        """SIGKILL to gunicorn and its workers at once, as when a machine loses power: nobody can finish a request."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End as an operator does, and make sure of it."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=20)
            self.kill()

    def statuses(self, key: str | None = None) -> list[int]:
        """The status of each answer of the ingest door so far (to this key), from the site's own log."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        entries = [json.loads(line) for line in lines]
        return [
            entry["status"]
            for entry in entries
            if entry.get("door") == "ingest" and (key is None or entry["key"] == key[:8])
        ]

    def ingested(self) -> Counter[str]:
        """Events so far by result, from the site's own metrics."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found: Counter[str] = Counter()
        for line in lines:
            if line.startswith("insight_ingest_events_total{"):
                found[line.split('"')[1]] += round(float(line.split()[-1]))
        return found

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Inside, nobody can write: SQLite is locked by another writer, PostgreSQL takes no connection."""
        if self.database_url.startswith("sqlite"):
            command = [sys.executable, "-c", LOCK, self.database_url.removeprefix("sqlite:///")]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as locker:
                assert locker.stdout is not None
                assert locker.stdout.readline() == b"locked\n"
                yield
                locker.communicate()
            return
        name = urlsplit(self.database_url).path.lstrip("/")
        administer(self.database_url, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        _end_connections(self.database_url, name)
        try:
            yield
        finally:
            administer(self.database_url, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """The URL of an empty database: on the PostgreSQL server of DATABASE_URL when it names one, else an SQLite file."""
    with _database(folder) as url:
        yield url


@contextmanager
def migrated_database(folder: Path) -> Iterator[str]:
    """The same with the tables of a new site, copied: to migrate takes six seconds of a core."""
    given = os.environ.get("DATABASE_URL", "")
    template = migrated.template(given) if given.startswith("postgres") else str(migrated_file())
    with _database(folder, template) as url:
        yield url


@contextmanager
def _database(folder: Path, template: str = "") -> Iterator[str]:
    given = os.environ.get("DATABASE_URL", "")
    if not given.startswith("postgres"):
        if template:
            shutil.copyfile(template, folder / "site.sqlite3")
        yield f"sqlite:///{folder / 'site.sqlite3'}"
        return
    name = f"insight_clients_{uuid.uuid4().hex[:12]}"
    administer(given, "CREATE DATABASE {} TEMPLATE {}", name, template or "template1")
    try:
        yield urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
    finally:
        administer(given, "DROP DATABASE {} WITH (FORCE)", name)


def migrated_file() -> Path:
    """An SQLite database of a new site, for copies alone: its schedules are counted from this test run."""

    def make(folder: Path) -> None:
        made = folder / "site.sqlite3"
        shutil.copyfile(migrated.file(), made)
        Site(folder, f"sqlite:///{made}").manage("migrate", "-v0")
        assert not made.with_name("site.sqlite3-wal").exists(), "a copy of the file alone would lack what is in its log"

    return once("migrated", make) / "site.sqlite3"


@contextmanager
def running_site(folder: Path, **environment: str) -> Iterator[Site]:
    """A migrated site that serves, and is gone afterwards with all that it started."""
    with migrated_database(folder) as url:
        site = Site(folder, url, **environment)
        try:
            site.start("/readyz")
            yield site
        finally:
            site.stop()


def free_port() -> int:
    """A port below the range that the system gives to outgoing connections: a client must not take it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def stored(files: list[str]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Every event of the store: message id without its source and a visitor's mark, user, event, properties."""
    if not files:
        return []
    query = "SELECT message_id, user_id, event, properties FROM read_parquet($files)"
    rows = duckdb.sql(query, params={"files": files}).fetchall()
    # An exposure that the site itself logged has no source and no kind of key before its id.
    return [(MARK.sub("", row[0].split(":", 2)[-1]), row[1], row[2], json.loads(row[3])) for row in rows]


def _end_connections(url: str, name: str) -> None:
    address = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
