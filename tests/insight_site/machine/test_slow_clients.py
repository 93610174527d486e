"""Clients that send a byte now and then, or nothing: they cost a connection each, and never a thread."""

import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.clients.server import Site, running_site

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
PROBES, PATIENCE, TRIES = 12, 1.0, 3  # tries, for a busy machine: a server that waits for these clients fails in each
POST = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
# What each sends at once, and what then follows byte by byte.
MODES = {
    "idle": ("", ""),
    "headers": ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", "a" * 200),
    "body": (POST.format(path="/v1/batch") + "Authorization: Bearer {key}\r\nContent-Length: 400\r\n\r\n{", " " * 200),
    "refused body": (POST.format(path="/v1/batch") + "Content-Length: 400\r\n\r\n{", " " * 200),
    "form": (
        POST.format(path="/login/").replace("json", "x-www-form-urlencoded") + "Content-Length: 400\r\n\r\na",
        "a" * 200,
    ),
    "chunks": (POST.format(path="/v1/batch") + "Transfer-Encoding: chunked\r\n\r\n190\r\n", "a" * 200),
    # What ends like chunks, or is longer than what is held of a head, and isn't whole.
    "chunks with an end in them": (
        POST.format(path="/v1/batch") + "Transfer-Encoding: chunked\r\n\r\n190\r\n0\r\n\r\n",
        "a" * 200,
    ),
    "long head": ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + f"X: {'a' * 7_000}\r\n" * 10, "a" * 200),
    "large body": (POST.format(path="/v1/import") + "Content-Length: 9000000\r\n\r\n{", " " * 200),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """gunicorn as it is shipped."""
    with running_site(tmp_path_factory.mktemp("slow")) as running:
        yield running


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    return site.issue_keys(1)[0]


@contextmanager
def slow(site: Site, mode: str, connections: int, key: str = "") -> Iterator[None]:
    """So many clients that send a byte each half second."""
    at_once, then = MODES[mode]
    ended = threading.Event()
    with closing(socket.socket()):
        socks = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(connections)]
    for sock in socks:
        if at_once:
            sock.sendall(at_once.replace("{key}", key).encode())

    def trickle() -> None:
        for byte in then:
            for sock in socks:
                with suppress(OSError):
                    sock.send(byte.encode())
            if ended.wait(0.5):
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for sock in socks:
            sock.close()


def answered(site: Site) -> int:
    """Of `PROBES` health checks, so many are answered in time."""
    good = 0
    for _ in range(PROBES):
        with suppress(OSError), urllib.request.urlopen(site.url + "/healthz", timeout=PATIENCE) as answer:
            good += answer.status == 200
    return good


@pytest.mark.parametrize("mode", MODES)
def test_slow_clients__twenty_of_each_kind__keep_no_health_check_waiting(site: Site, key: str, mode: str) -> None:
    good = list[int]()
    while PROBES not in good and len(good) < TRIES:
        with slow(site, mode, 20, key):
            good.append(answered(site))

    assert good[-1] == PROBES, good


def spoken(site: Site, *parts: bytes) -> bytes:
    """All that the site says on one connection to parts of which each waits for an answer to the one before."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as sock:
        said = b""
        for part in parts:
            sock.sendall(part)
            said += sock.recv(65_536)
        return said + b"".join(iter(lambda: sock.recv(65_536), b""))


def test_chunks__with_a_request_right_behind__are_both_answered_at_once(site: Site) -> None:
    chunks = POST.format(path="/v1/batch").encode() + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n"

    said = spoken(site, chunks + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"411", b"200"]


def test_sender_that_asks_first__is_told_once_to_go_on(site: Site) -> None:
    head = POST.format(path="/v1/batch") + "Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"

    said = spoken(site, head.encode(), b"{}")

    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"100", b"401"]


def test_tls__a_connection_that_says_nothing__ends_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The main thread looked for what a connection has sent, which nothing tells before its handshake."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    monkeypatch.setattr(urllib.request, "_opener", None)  # which has read its certificates
    files = f"--certfile {tmp_path / 'cert.pem'} --keyfile {tmp_path / 'key.pem'}"
    site = Site(tmp_path, f"sqlite:///{tmp_path / 'none'}", GUNICORN_CMD_ARGS=files)
    site.url = site.url.replace("http:", "https:")
    site.start()
    try:
        with socket.create_connection(("127.0.0.1", site.port)):
            time.sleep(7)  # after five a thread gives it back

            assert answered(site) == PROBES
        assert "Traceback" not in site.log.read_text()
    finally:
        site.stop()
