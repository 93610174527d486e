"""Pages of stored results, warm: an analysis, a study, a segmentation, as a browser gets them from the server."""

import statistics
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.harness.site import BenchSite

FIXTURE = ROOT / "tests" / "fixtures" / "v0_3" / "site.tar.xz"
BARE = "/glossary/"
ASK = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from aha.models import Study
from experiments.models import Analysis
from segments.models import SegmentationRun
boss = User.objects.create_superuser("bench-boss")
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(boss.pk), boss.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.save()
analysis = Analysis.objects.filter(status="done").select_related("experiment").latest("pk")
study, run = (model.objects.filter(status="done").latest("pk") for model in (Study, SegmentationRun))
print(json.dumps([session.session_key, {
    "analysis ms": f"/experiments/{analysis.experiment.key}/{analysis.pk}/",
    "study ms": f"/aha/studies/{study.pk}/",
    "segmentation ms": f"/segments/runs/{run.pk}/",
}]))
"""


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
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
        cookie, places = site.run(ASK)
        site.serve()
        try:
            yield (
                Side("stored results", lambda _turn: read(site, cookie, places, options["repeats"])),
                Side("bare page", lambda _turn: read(site, cookie, dict.fromkeys(places, BARE), options["repeats"])),
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


TEXT = """Time from the request to the last byte on this machine, one request after the other, the site served as in
production on SQLite; the bare page is the glossary: the same frame without a row of the database. The results are
those of a demo ({}).""".format("2,000 units; quick: 1,000 units of version 0.3, which the tests keep")
JOBS = (
    Job(
        "report_pages",
        "page of a stored report",
        TEXT,
        "a page without rows",
        {
            "tiny": {"demo_units": 0, "repeats": 3, "rounds": 2},
            "quick": {"demo_units": 0, "repeats": 15},
            "full": {"demo_units": 2_000, "repeats": 30},
        },
        opened,
        tuple(Aim(f"{name} ms", at_most=60, ratio=False) for name in ("analysis", "study", "segmentation")),
    ),
)
