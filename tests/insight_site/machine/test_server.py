"""gunicorn as it is shipped: what its connections hear, and the worker's name of 0.4."""

import re
import socket
from collections.abc import Iterator

import pytest
from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from tests.clients.server import Site, running_site

POST = "POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that is served."""
    with running_site(tmp_path_factory.mktemp("server")) as running:
        yield running


def spoken(site: Site, *parts: bytes) -> bytes:
    """All that the site says on one connection to parts of which each waits for an answer to the one before."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as sock:
        said = b""
        for part in parts:
            sock.sendall(part)
            said += sock.recv(65_536)
        return said + b"".join(iter(lambda: sock.recv(65_536), b""))


def test_worker__named_as_in_0_4__is_gunicorns_threaded_one() -> None:
    found = util.load_class("insight_site.machine.worker.StayingWorker")

    assert issubclass(found, ThreadWorker)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db
def test_chunks__with_a_request_right_behind__are_both_answered_at_once(site: Site) -> None:
    chunks = f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nA: b\r\n\r\n".encode()

    said = spoken(site, chunks + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"411", b"200"]


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db
def test_sender_that_asks_first__is_told_once_to_go_on(site: Site) -> None:
    head = f"{POST}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"

    said = spoken(site, head.encode(), b"{}")

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"100", b"401"]
