"""How long lists of 500 runs take to answer, beside a page that shows no row of the database.

    .venv/bin/python benchmarks/lists.py

Each run has a stored result of 300 kB, which no list may read. Requests go through Django's test client in one process,
so what is measured is the answer's own work without a network; the median of nine after two that warm the process.
"""

import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BARE = "/glossary/"  # sixty terms from the code: the same frame, no row
AIM_MS, REPEATS, WARM = 150, 9, 2


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="insight_site.settings",
            DATABASE_URL=f"sqlite:///{folder}/lists.sqlite3",
            EVENTS_URL=f"{folder}/events",
        )
        import django

        django.setup()
        measure()


def measure() -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from tests.insight_site import test_weight_of_lists as lists

    settings.ALLOWED_HOSTS = ["*"]
    logging.disable(logging.CRITICAL)  # a line for each request goes to no terminal in production
    call_command("migrate", verbosity=0)
    lists.NEWER["bulk"] = "x" * 300_000
    lists.site(runs=500, others=60)
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    segment = connection.cursor().execute("SELECT max(id) FROM segments_segment").fetchone()[0]
    bare, missed = median_ms(boss, BARE), []
    print(f"| page | queries | ms | of the bare page ({bare:.0f} ms) |\n| --- | --- | --- | --- |")
    for path in lists.LISTS:
        place = path.format(segment=segment)
        took = median_ms(boss, place)
        with CaptureQueriesContext(connection) as asked:
            boss.get(place)
        print(f"| {path} | {len(asked)} | {took:.0f} | {took / bare:.1f} |")
        missed += [path] if took > AIM_MS else []
    print(f"above {AIM_MS} ms: {', '.join(missed) or 'none'}")
    sys.exit(bool(missed))


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


if __name__ == "__main__":
    main()
