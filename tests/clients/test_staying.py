"""The worker that stays with its connection: many requests over one, and nobody waits because a thread stays."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.clients.server import Site, migrated_database

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
THREADS = 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One process of two threads."""
    folder: Path = tmp_path_factory.mktemp("staying")
    with ExitStack() as stack:
        url = stack.enter_context(migrated_database(folder))
        one = Site(folder, url, WEB_CONCURRENCY="1", WEB_THREADS=str(THREADS))
        one.start()
        stack.callback(one.stop)
        yield one


def ask(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_connection__is_asked_again_and_again__and_stays_open(site: Site) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)) as connection:
        connection.connect()
        first = connection.sock
        assert [ask(connection) for _ in range(50)] == [200] * 50
        assert connection.sock is first
        time.sleep(1.5)  # longer than a thread stays, less than a connection is kept
        assert ask(connection) == 200
        assert connection.sock is first


def test_more_connections_than_threads__all_are_answered_in_turn(site: Site) -> None:
    """Each connection is quiet after its request, and stays open: a thread that only stayed would lock others out."""
    began, statuses = time.monotonic(), []
    with ExitStack() as stack:
        for _ in range(30 * THREADS):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
            stack.callback(connection.close)
            statuses.append(ask(connection))
    assert statuses == [200] * 30 * THREADS
    # Were each connection kept for the second that a thread may stay, the others would wait 29 s in all.
    assert time.monotonic() - began < 15


def test_many_callers_at_once__each_gets_its_own_answers(site: Site) -> None:
    wrong: list[object] = []

    def call(number: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
            for turn in range(30):
                name = f"caller-{number}-{turn}"
                connection.request("GET", "/healthz", headers={"X-Request-ID": name})
                answer = connection.getresponse()
                answer.read()
                if answer.getheader("X-Request-ID") != name:
                    wrong.append((name, answer.getheader("X-Request-ID")))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_connections__that_say_nothing__keep_nobody_out(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(4 * THREADS):
            silent = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
            silent.connect()
            stack.callback(silent.close)
        with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
            assert ask(connection) == 200
