"""Connections that ask nothing: the agents' server and event streams end them, and answer others meanwhile."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from insight_site.patient_uvicorn import HEADER_SECONDS
from tests.clients.server import ROOT, Site, free_port, migrated_database

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
HALF = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
COMMANDS = {"agents": ("mcp", "--http"), "streams": ("event_streams", "--bind")}
MANY = 110  # more than the agents' server answers at once, and than EVENT_STREAMS allows here


@contextmanager
def served(name: str, folder: Path) -> Iterator[int]:
    """The port of one of both servers, in a process of its own."""
    with migrated_database(folder) as database:
        site = Site(folder, database, EVENT_STREAMS="50")
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *COMMANDS[name], f"127.0.0.1:{port}"],
                cwd=ROOT, env=site.environment, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            end = time.monotonic() + 60
            while status(port) != 200:
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def status(port: int, path: str = "/healthz") -> int:
    with suppress(OSError):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
    return 0


def ended(sock: socket.socket) -> bool:
    with suppress(TimeoutError):
        try:
            while sock.recv(65_536):  # the rest of an answer
                pass
        except ConnectionError:
            pass
        return True
    return False


@pytest.mark.parametrize("name", COMMANDS)
def test_connections__that_ask_nothing__are_ended_and_keep_nobody_waiting(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as port, ExitStack() as stack:
        socks = [stack.enter_context(closing(socket.create_connection(("127.0.0.1", port)))) for _ in range(MANY)]
        for sock in socks[::2]:
            sock.sendall(HALF)
        began = time.monotonic()

        meanwhile = [status(port) for _ in range(3)]
        door = status(port, "/mcp" if name == "agents" else "/readyz")
        for sock in socks:
            sock.settimeout(max(HEADER_SECONDS * 2.5 - (time.monotonic() - began), 0.05))
        left = [sock for sock in socks if not ended(sock)]

    assert meanwhile == [200, 200, 200]
    assert door != 503
    assert left == []


def test_connection__that_stops_in_its_second_request__is_ended_too(tmp_path: Path) -> None:
    with served("agents", tmp_path) as port, closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as sock:
        sock.sendall(WHOLE)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200")
        sock.sendall(HALF)

        assert ended(sock)
