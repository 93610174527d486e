"""Pages: of stored results, lists of runs, and the first counts after a click on Start."""

import logging
import os
import re
import signal
import statistics
import subprocess
import sys
import tarfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.job import Figures, Room, Side
from benchmarks.harness.site import SIGN_IN, BenchSite, own_django
from benchmarks.jobs.made_logs import DAYS, RETENTION, even_store

FIXTURE = ROOT / "tests" / "fixtures" / "v0_3" / "site.tar.xz"
GLOSSARY = "/glossary/"  # sixty terms from the code: the same frame, no row of the database
STORED = """
from aha.models import Study
from experiments.models import Analysis
from segments.models import SegmentationRun
analysis = Analysis.objects.filter(status="done").select_related("experiment").latest("pk")
study, run = (model.objects.filter(status="done").latest("pk") for model in (Study, SegmentationRun))
print(json.dumps([session.session_key, {
    "analysis ms": f"/experiments/{analysis.experiment.key}/{analysis.pk}/",
    "study ms": f"/aha/studies/{study.pk}/",
    "segmentation ms": f"/segments/runs/{run.pk}/",
}]))
"""


@contextmanager
def report_pages(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A site that serves stored results: the demo's of this version, or those of 0.3's demo that the tests keep."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        if options["demo_units"] == 0:
            with tarfile.open(FIXTURE) as archive:
                archive.extractall(folder, filter="data")
        site = BenchSite(folder, f"sqlite:///{folder / 'site.sqlite3'}", EVENTS_URL=str(folder / "events"))
        site.manage("migrate", "-v0")
        if options["demo_units"]:
            site.manage("demo", "--json", "--units", str(options["demo_units"]))
        cookie, places = site.run(SIGN_IN + STORED)
        site.serve()
        try:
            bare = dict.fromkeys(places, GLOSSARY)
            yield (
                Side("stored results", lambda _turn: read(site, cookie, places, options["repeats"])),
                Side("bare page", lambda _turn: read(site, cookie, bare, options["repeats"])),
            )
        finally:
            site.stop()


def read(site: BenchSite, cookie: str, places: Mapping[str, str], repeats: int) -> Figures:
    """The median time of each page on one connection after the other, after as many that warm both processes."""
    return {
        name: statistics.median(one(site.url + path, cookie) for _ in range(repeats)) for name, path in places.items()
    }


def one(url: str, cookie: str) -> float:
    """Milliseconds of an answer, read to its end.

    Raises:
        SystemExit: when it isn't the page, but the form to sign in or an error.
    """
    begun = perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Cookie": f"sessionid={cookie}"})) as answer:
        answer.read()
        if answer.status != 200 or answer.url != url:
            raise SystemExit(f"{url} answers {answer.status} at {answer.url}")
    return 1e3 * (perf_counter() - begun)


REPEATS, WARM = 3, 2


@contextmanager
def lists(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A site with many runs, read by somebody who may see all."""
    with own_django():
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client

        from tests.insight_site import test_weight_of_lists as lists

        settings.ALLOWED_HOSTS = ["*"]
        logging.disable(logging.CRITICAL)  # a line for each request goes to no terminal in production
        call_command("migrate", verbosity=0)
        lists.NEWER["bulk"] = "x" * 300_000
        lists.site(runs=options["runs"], others=max(12, options["runs"] // 8))
        boss = Client()
        boss.force_login(User.objects.create_superuser("boss"))
        segment = connection.cursor().execute("SELECT max(id) FROM segments_segment").fetchone()[0]
        paths = [path.format(segment=segment) for path in lists.LISTS]

        def run(which: Sequence[str]) -> dict[str, float]:
            took = [median_ms(boss, path) for path in which]
            return {"slowest ms": max(took), "median ms": statistics.median(took)}

        yield Side(f"{len(paths)} lists", lambda _turn: run(paths)), Side("bare page", lambda _turn: run([GLOSSARY]))
        logging.disable(logging.NOTSET)


def median_ms(person: Any, path: str) -> float:
    """The median time of an answer to a test client, in milliseconds.

    Raises:
        ValueError: when the page doesn't answer 200.
    """
    took = []
    for _ in range(WARM + REPEATS):
        begun = time.perf_counter()
        answer = person.get(path)
        took.append(1_000 * (time.perf_counter() - begun))
        if answer.status_code != 200:
            raise ValueError(f"{path} answers {answer.status_code}")
    return statistics.median(took[WARM:])


FORMS = {
    "study": (
        "/aha/studies/new/",
        {"days": " ".join(map(str, DAYS)), "gap": "0", "choose": "j", "day_mode": "rolling"},
    ),
    "segmentation": ("/segments/runs/new/", {"first_day": "0", "last_day": "6", "day_mode": "rolling"}),
}
FIELDS = {"signup_event": "signup", "retention": RETENTION}
POLL_SECONDS = 1.0  # as `components/progress.html` asks until the first part has come
MOST_SECONDS = 600
IDLE = """
import json
from runs.models import Job
from events.models import CatalogueSnapshot
open = Job.objects.filter(state__in=("waiting", "running"))
print(json.dumps(CatalogueSnapshot.objects.made().exists() and not open.exists()))
"""


class Person:
    """A logged-in person with a browser's habits."""

    def __init__(self, site: BenchSite, cookie: str) -> None:
        self.site, self.cookie = site, cookie

    def start(self, path: str, fields: Mapping[str, str]) -> str:
        token = self._token(path)
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = self._request(path, token, data=data)
        with urllib.request.urlopen(request, timeout=MOST_SECONDS) as answer:
            address = str(answer.url)
        if address.endswith(path):
            raise SystemExit(f"{path} refused the form")
        return urllib.parse.urlsplit(address).path

    def poll(self, page: str) -> str:
        """What htmx gets every second."""
        request = self._request(f"{page}progress/", "")
        request.add_header("HX-Request", "true")
        with urllib.request.urlopen(request, timeout=MOST_SECONDS) as answer:
            return str(answer.read().decode())

    def cancel(self, page: str) -> None:
        """Stop the run, and wait until the worker is idle again."""
        token = self._token(page)
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
        with urllib.request.urlopen(self._request(f"{page}cancel/", token, data=data), timeout=MOST_SECONDS):
            pass
        deadline = time.monotonic() + MOST_SECONDS
        while "data-ended" not in self.poll(page) and "cancelled" not in self.poll(page):
            if time.monotonic() > deadline:
                raise SystemExit("the run doesn't stop")
            time.sleep(1)

    def _token(self, path: str) -> str:
        with urllib.request.urlopen(self._request(path, ""), timeout=MOST_SECONDS) as answer:
            answer.read()
            cookies = answer.headers.get_all("Set-Cookie") or []
        for line in cookies:
            if found := re.match(r"csrftoken=([^;]+)", line):
                return found[1]
        raise SystemExit(f"{path} sets no token")

    def _request(self, path: str, token: str, data: bytes | None = None) -> urllib.request.Request:
        cookies = f"sessionid={self.cookie}; csrftoken={token}"
        headers = {"Cookie": cookies, "Referer": self.site.url + path}
        return urllib.request.Request(self.site.url + path, data=data, headers=headers)


def first_answer(person: Person, kind: str, turn: int) -> Figures:
    """Seconds until the run's page is there, and until it shows counts."""
    path, own = FORMS[kind]
    one(person.site.url + path, person.cookie)  # the form is open before anybody clicks
    begun = time.perf_counter()
    page = person.start(path, {**FIELDS, **own, "seed": str(turn + 1)})
    started = time.perf_counter() - begun
    while 'id="early"' not in person.poll(page):
        if time.perf_counter() - begun > MOST_SECONDS:
            raise SystemExit(f"no counts after {MOST_SECONDS} s")
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - begun
    person.cancel(page)
    return {"s to first counts": seconds, "s to the page": started}


@contextmanager
def waiting_worker(site: BenchSite, folder: Path) -> Iterator[None]:
    """One worker that has nothing to do: it has warmed what computations load, and listed the store's events."""
    with (
        (folder / "worker.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env={**site.environment, "WORKERS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + MOST_SECONDS
            while not site.run(IDLE) and time.monotonic() < deadline:
                time.sleep(5)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def first_counts(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both kinds over a store of their own."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        even_store(folder, options["users"])
        site = BenchSite(folder, f"sqlite:///{folder / 'site.sqlite3'}", EVENTS_URL=str(folder / "store"))
        site.manage("migrate", "-v0")
        person = Person(site, str(site.run(SIGN_IN + "print(json.dumps(session.session_key))")))
        site.serve()
        try:
            with waiting_worker(site, folder):
                yield [Side(kind, partial(first_answer, person, kind)) for kind in FORMS]
        finally:
            site.stop()
