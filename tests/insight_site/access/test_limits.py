"""A limit a minute holds exactly in one process, and is never passed by several, with Redis or without."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from pytest_django import Settings

from insight_site.access import limits
from insight_site.models import Lease
from tests.clients.server import FIRST_LINES, ROOT
from tests.postgres import address_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    cache.clear()
    limits._held.clear()
    limits._Away.until = float("-inf")
    yield
    cache.clear()
    limits._held.clear()


@pytest.fixture(params=["database", "redis"])
def counted_in(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Where blocks come from; Redis's place is taken by the cache that it would be."""
    settings.REDIS_URL = "redis://shared" if request.param == "redis" else ""
    return str(request.param)


@pytest.mark.usefixtures("counted_in")
@pytest.mark.parametrize("limit", [1, 4, 20, 60, 151, 1_000])
def test_limit__in_one_process__lets_exactly_so_many_pass(limit: int) -> None:
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        assert [limits.passes("k", limit) for _ in range(limit + 3)] == [True] * limit + [False] * 3


@pytest.mark.usefixtures("counted_in")
@pytest.mark.parametrize(("limit", "alone"), [(100, 10), (3, 10), (40, 40), (12, 1)])
def test_limit__first_calls_alone__in_one_process_lets_exactly_so_many_pass(limit: int, alone: int) -> None:
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        passed = [limits.passes("k", limit, alone=alone) for _ in range(limit + 3)]

    assert passed == [True] * limit + [False] * 3


def test_next_minute__begins_anew() -> None:
    with patch("insight_site.access.limits.time.time", return_value=659.0):
        assert [limits.passes("k", 1), limits.passes("k", 1)] == [True, False]
    with patch("insight_site.access.limits.time.time", return_value=660.0):
        assert limits.passes("k", 1)


def test_next_minute__takes_nothing_over_of_a_block_that_was_not_spent() -> None:
    limit = 2 * limits.BLOCKS
    with patch("insight_site.access.limits.time.time", return_value=659.0):
        assert limits.passes("k", limit)  # one call of a block of two
    with patch("insight_site.access.limits.time.time", return_value=660.0):
        assert sum(limits.passes("k", limit) for _ in range(limit + 5)) == limit


def test_names__are_counted_apart() -> None:
    assert limits.passes("a", 1)
    assert limits.passes("b", 1)
    assert not limits.passes("a", 1)


@pytest.mark.slow
@given(turns=some.lists(some.integers(0, 2), max_size=800), limit=some.integers(1, 400))
@hypothesis_settings(max_examples=40, deadline=None)
def test_limit__of_three_processes__is_never_passed_and_little_is_lost(turns: list[int], limit: int) -> None:
    Lease.objects.all().delete()
    held: list[dict[str, limits._Held]] = [{}, {}, {}]  # each process has a memory of its own, and all one cache
    passed = 0
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        for process in turns:
            with patch.object(limits, "_held", held[process]):
                passed += limits.passes("k", limit)

    unspent = 2 * max(1, limit // limits.BLOCKS, min(limits.LEAST, limit // limits.LEAST))
    assert min(len(turns), limit - unspent) <= passed <= limit or passed == len(turns)


@pytest.mark.usefixtures("counted_in")
def test_ledger__that_is_away__lets_all_pass(counted_in: str) -> None:
    place = "cache.incr" if counted_in == "redis" else "connection.cursor"
    with patch(f"insight_site.access.limits.{place}", side_effect=OperationalError):
        assert all(limits.passes("k", 1) for _ in range(5))


SILENT = """
import time
from insight_site.access import limits
times = []
for name in "abcdefgh":
    began = time.monotonic()
    assert limits.passes(name, 5)
    times.append(time.monotonic() - began)
import json
print(json.dumps(times))
"""


@pytest.mark.slow
def test_redis__that_takes_connections_and_says_nothing__costs_one_short_time_out() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        environment = {**os.environ, "REDIS_URL": url, "LOG_LEVEL": "CRITICAL"}
        done = subprocess.run(
            [sys.executable, "-c", FIRST_LINES + SILENT], cwd=ROOT, env=environment, check=True, capture_output=True
        )
    times = json.loads(done.stdout)

    assert times[0] < 2.0  # with its import
    assert sum(times[1:]) < 0.1


def test_cache__that_lost_a_name_in_between__is_asked_again(settings: Settings) -> None:
    settings.REDIS_URL = "redis://unused"
    with patch("insight_site.access.limits.cache.incr", side_effect=ValueError):
        assert limits.passes("a", 1)
    limits._held.clear()

    assert [limits.passes("b", 1), limits.passes("b", 1)] == [True, False]


def test_processes__that_are_killed_twenty_times_in_a_minute__take_little_of_the_limit_along() -> None:
    """Each restart takes what two processes held; with blocks of a twentieth from the start, every key was refused."""
    limit, asked = 600, 0
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        for _ in range(20):
            for _ in range(2):
                limits._held.clear()
                assert all(limits.passes("k", limit) for _ in range(5)), asked
                asked += 5
        limits._held.clear()
        assert sum(limits.passes("k", limit) for _ in range(limit)) >= limit - 2 * asked


def test_calls__far_over_the_limit__write_a_twentieth_and_then_nothing() -> None:
    with CaptureQueriesContext(connection) as within:
        assert all(limits.passes("k", 600) for _ in range(600))
    with CaptureQueriesContext(connection) as beyond:
        assert not any(limits.passes("k", 600) for _ in range(5_000))

    assert (len(within), len(beyond)) == (20 + 3, 1)  # small blocks at the start of the process


def test_visitors__who_call_a_few_times__write_nothing() -> None:
    with CaptureQueriesContext(connection) as asked:
        assert all(limits.passes(f"visitor {n % 500}", 600, alone=60) for n in range(20_000))

    assert len(asked) == 0


def test_names__more_than_a_process_remembers__are_forgotten_from_earlier_minutes_first() -> None:
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        for n in range(limits.MOST - 1):
            limits.passes(str(n), 100, alone=10)
    with patch("insight_site.access.limits.time.time", return_value=660.0):
        for name in ("now", "then"):
            limits.passes(name, 100, alone=10)

    assert set(limits._held) == {"now", "then"}


def test_leases__of_minutes_that_are_over__are_deleted() -> None:
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        limits.passes("old", 10)
    limits.passes("new", 10)

    assert limits.forget_leases() == 1
    assert Lease.objects.get().name == "new"


CALLS = """
import django; django.setup()
from unittest.mock import patch
from insight_site.access import limits
with patch("insight_site.access.limits.time.time", return_value=600.0):
    print(sum(limits.passes("k", 1000) for _ in range(600)), sum(limits.passes("v", 100, alone=10) for _ in range(600)))
"""


def database_address() -> str:
    """The test database, for another process."""
    of = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{of['NAME']}"
    return address_of(of)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_limit__of_four_processes_without_redis__is_never_passed() -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": database_address(),
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "REDIS_URL": "",
    }
    processes = [
        subprocess.Popen([sys.executable, "-c", CALLS], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    found = [[int(number) for number in process.communicate(timeout=120)[0].split()] for process in processes]

    whole, visitor = (sum(column) for column in zip(*found, strict=True))
    assert 1_000 - 3 * 50 <= whole <= 1_000
    assert 100 - 3 * 5 <= visitor <= 100 + 4 * 10


def test_names__more_than_a_process_remembers__are_forgotten_and_the_limit_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST", 3)
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        assert [limits.passes("one", 2) for _ in range(2)] == [True, True]
        for name in range(7):
            limits.passes(f"n{name}", 2)
            assert len(limits._held) <= 3

        assert not limits.passes("one", 2)
