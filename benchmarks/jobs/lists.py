"""Lists of 500 runs, beside a page that shows no row of the database.

Each run has a stored result of 300 kB, which no list may read. Requests go through Django's test client in one process,
so what is measured is the answer's own work without a network.
"""

import logging
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.harness.django_store import own_django
from benchmarks.harness.job import Aim, Job, Side
from benchmarks.harness.room import Room

BARE = "/glossary/"  # sixty terms from the code: the same frame, no row
REPEATS, WARM = 3, 2


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
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

        yield Side(f"{len(paths)} lists", lambda _turn: run(paths)), Side("bare page", lambda _turn: run([BARE]))
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


JOBS = (
    Job(
        "lists",
        "lists of runs",
        """Lists of 500 runs, each with a stored result of 300 kB that no list may read, through Django's test
        client in one process. Shown are the slowest and the median list of each round (a list counts by the median
        of three answers after two that warm it).""",
        "a page without rows",
        {"tiny": {"runs": 24, "rounds": 2}, "full": {"runs": 500}},
        opened,
        (Aim("slowest ms", at_most=150, ratio=False),),
    ),
)
