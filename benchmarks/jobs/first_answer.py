"""From a click on Start to the first counts on the page: a real site, a worker that waits, and a browser's polls."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.harness.site import BenchSite
from benchmarks.jobs.made_logs import DAYS, RETENTION, even_store
from benchmarks.jobs.report_pages import one

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
LOGIN = """
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
print(json.dumps(session.session_key))
"""
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
        """Send the form; the address of the run's page."""
        page, token = self._form(path)
        del page
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
        _, token = self._form(page)
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
        with urllib.request.urlopen(self._request(f"{page}cancel/", token, data=data), timeout=MOST_SECONDS):
            pass
        deadline = time.monotonic() + MOST_SECONDS
        while "data-ended" not in self.poll(page) and "cancelled" not in self.poll(page):
            if time.monotonic() > deadline:
                raise SystemExit("the run doesn't stop")
            time.sleep(1)

    def _form(self, path: str) -> tuple[str, str]:
        with urllib.request.urlopen(self._request(path, ""), timeout=MOST_SECONDS) as answer:
            text, cookies = answer.read().decode(), answer.headers.get_all("Set-Cookie") or []
        for line in cookies:
            if found := re.match(r"csrftoken=([^;]+)", line):
                return text, found[1]
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
def opened_in(folder: Path, users: int) -> Iterator[Sequence[Side]]:
    """Both kinds over the store in a folder, which is made unless it is there."""
    even_store(folder, users)
    with TemporaryDirectory(prefix="insight-bench-") as name:
        site = BenchSite(Path(name), f"sqlite:///{Path(name) / 'site.sqlite3'}", EVENTS_URL=str(folder / "store"))
        site.manage("migrate", "-v0")
        person = Person(site, str(site.run(LOGIN)))
        site.serve()
        try:
            with waiting_worker(site, Path(name)):
                yield [Side(kind, partial(first_answer, person, kind)) for kind in FORMS]
        finally:
            site.stop()


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """The same over a store of its own."""
    with TemporaryDirectory(prefix="insight-bench-") as name, opened_in(Path(name), options["users"]) as sides:
        yield sides


TEXT = """50 events of 50 kinds for each user; a site and one worker that waits, on SQLite. Measured is the time from
sending the form to the first poll of the page that brings counts: the check of the question, the worker's look into
the queue, the questions to the store, and the poll. Up to 200,000 users all are counted, beyond that a sample of
20,000. There is no alternative: beside the study stands a segmentation."""
JOBS = tuple(
    Job(
        f"first_answer{suffix}",
        f"first counts of a study of {words}",
        TEXT,
        "a segmentation",
        {"tiny": {"users": 3_000, "rounds": 1}, "full": {"users": users}},
        opened,
        (Aim("s to first counts", at_most=10, ratio=False),),
    )
    for suffix, words, users in (("", "200,000 users", 200_000), ("_million", "a million users", 1_000_000))
)

if __name__ == "__main__":  # over a store that is kept: FOLDER USERS ROUNDS
    with opened_in(Path(sys.argv[1]), int(sys.argv[2])) as found:
        for turn in range(int(sys.argv[3])):
            print(json.dumps({side.name: side.run(turn) for side in found}), flush=True)
