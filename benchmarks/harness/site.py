"""The site under test, served as in production: gunicorn.conf.py, PostgreSQL with a database of its own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import ROOT, in_django, postgres_url
from benchmarks.harness.clock import until_answered
from benchmarks.harness.peers import peer_folder
from tests.clients.flags import arms, create, issue
from tests.clients.server import Site, fresh_database

FLAG = "bench"
ENDLESS = 100_000_000  # calls a minute of the key: the limit isn't what is measured
SERVERS = {  # by what a person would call them; {site}, {port} and {workers} are filled in
    "gunicorn sync": "-m gunicorn {site} --bind 127.0.0.1:{port} --workers {workers} -k sync --threads 1",
    "gunicorn gthread": "-m gunicorn {site} --bind 127.0.0.1:{port} --workers {workers} -k gthread --threads {threads}",
    "granian": "-m granian --interface wsgi --host 127.0.0.1 --port {port} --workers {workers} "
    "--blocking-threads {threads} {site}:application",
}


SIGN_IN = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
boss = User.objects.create_superuser("bench-boss")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(boss.pk), boss.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.save()
"""


class BenchSite(Site):
    """A site that any server of `SERVERS` serves; "" is what `gunicorn insight_site.wsgi` does by itself."""

    def serve(self, server: str = "", workers: int = 2, threads: int = 1, wsgi: str = "insight_site.wsgi") -> float:
        """Serve until `stop`; returns the seconds from the start of the process to the first answer."""
        plain = "-m gunicorn {site} --bind 127.0.0.1:{port}"
        text = (SERVERS[server] if server else plain).format(
            site=wsgi, port=self.port, workers=workers, threads=threads
        )
        environment = dict(self.environment)
        if server == "granian":
            environment["PYTHONPATH"] = f"{peer_folder('granian')}:{environment.get('PYTHONPATH', '')}"
        with self.log.open("ab") as log:
            begun = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, *text.split()],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            return until_answered(f"{self.url}/healthz", self.process) - begun
        except SystemExit as silent:
            self.kill()
            raise SystemExit("the site did not start:\n" + self.log.read_text()[-4000:]) from silent


@contextmanager
def bench_site(**environment: str) -> Iterator[BenchSite]:
    """A migrated site on PostgreSQL that doesn't serve yet; gone afterwards with all that it started."""
    os.environ["DATABASE_URL"] = postgres_url()
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as name, fresh_database(Path(name)) as url:
        site = BenchSite(Path(name), url, LOG_LEVEL="INFO", **environment)
        site.manage("migrate", "-v0")
        try:
            yield site
        finally:
            site.stop()


def add_flag(site: Site, weights: Sequence[int] = (5_000, 5_000)) -> str:
    """A running experiment behind the flag `FLAG`; returns a server key that may ask for it."""
    create(site, {"key": FLAG, "variants": arms(*weights)})
    return issue(site, ("server", ENDLESS, []))[0]


def ofrep_call(key: str) -> dict[str, object]:
    return {
        "method": "POST",
        "path": f"/ofrep/v1/evaluate/flags/{FLAG}",
        "headers": {"X-API-Key": key, "Content-Type": "application/json"},
        "body": '{"context":{"targetingKey":"{unit}"}}',
    }


@contextmanager
def own_django() -> Iterator[Path]:
    """A folder for stores; Django is set up once in a process, with a database that was never migrated."""
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as name:
        in_django(name, migrate=False)
        from django.conf import settings

        before, settings.EVENTS_URL = settings.EVENTS_URL, f"{name}/store"
        try:
            yield Path(name)
        finally:
            settings.EVENTS_URL = before
