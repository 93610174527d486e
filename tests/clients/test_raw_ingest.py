"""What no library sends, byte by byte against gunicorn: always one JSON answer that can be read, never a redirect."""

import base64
import gzip
import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.clients.server import Site

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
KINDS = ("batch", "import", "track", "identify", "page", "screen", "group", "alias")
EVENT = {"type": "track", "userId": "u", "event": "e", "groupId": "g", "previousId": "p"}


@pytest.fixture
def key(shared_key: str) -> str:
    return shared_key


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> Any:
        return json.loads(self.body)["code"]


def talk(site: Site, head: str, body: bytes = b"", *, pieces: bool = False) -> Answer:
    """Send all of it like a plain client, which reads only then; then read until the site closes.

    Raises:
        OSError: when the site resets the connection, so that its answer is lost.
    """
    lines = [head, "Host: 127.0.0.1", "Connection: close"]
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        step = 65_536 if pieces else max(1, len(body))
        for at in range(0, len(body), step):
            connection.sendall(body[at : at + step])
            if pieces:
                time.sleep(0.001)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    top, _, content = received.partition(b"\r\n\r\n")
    first, *rest = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Answer(int(first.split()[1]), headers, content)


def head(key: str, *lines: str, method: str = "POST", path: str = "/v1/batch", length: int | None = None) -> str:
    credentials = base64.b64encode(f"{key}:".encode()).decode()
    sized = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Authorization: Basic {credentials}", *sized, *lines])


def post(site: Site, key: str, body: bytes, *lines: str, path: str = "/v1/batch", pieces: bool = False) -> Answer:
    return talk(site, head(key, *lines, path=path, length=len(body)), body, pieces=pieces)


def peak_bytes(site: Site) -> int:
    """The most memory that a worker has ever held."""
    assert site.process is not None
    master = site.process.pid
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    lines = [Path(f"/proc/{worker}/status").read_text().splitlines() for worker in workers]
    return max(int(line.split()[1]) * 1024 for status in lines for line in status if line.startswith("VmHWM:"))


def batch(*events: bytes) -> bytes:
    return b'{"batch":[' + b",".join(events) + b"]}"


def with_properties(text: bytes) -> bytes:
    return b'{"type":"track","userId":"u","event":"e","properties":' + text + b"}"


CHUNKED = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (b'{"batch":', b"[]}")) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "chunks", [CHUNKED, b"19000\r\n" + b" " * 0x19000 + b"\r\n0\r\n\r\n"], ids=["small", "over the socket's buffer"]
)
def test_chunked_body__without_a_length__is_411_and_never_an_empty_200(site: Site, key: str, chunks: bytes) -> None:
    answer = talk(site, head(key, "Transfer-Encoding: chunked"), chunks)

    assert (answer.status, answer.code) == (411, "length_required")


def test_body__without_any_length__is_411(site: Site, key: str) -> None:
    assert talk(site, head(key)).status == 411


@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("size", [512_001, 6_000_000])
def test_body__over_the_limit__gets_a_413_that_the_sender_can_read(
    site: Site, key: str, size: int, pieces: bool
) -> None:
    answer = post(site, key, b" " * size, pieces=pieces)

    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("lines", "path", "status"),
    [(("Content-Encoding: br",), "/v1/batch", 415), ((), "/v1/nothing", 404), (("X-Request-ID: a",), "/v1/batch", 401)],
)
def test_large_body__refused_before_it_is_read__can_read_why(
    site: Site, key: str, lines: tuple[str, ...], path: str, status: int
) -> None:
    answer = post(site, "sk_unknown" if status == 401 else key, b" " * 500_000, *lines, path=path)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")


@pytest.mark.parametrize(("announced", "first_word"), [(6_000_000, b"HTTP/1.1 413"), (1_000, b"HTTP/1.1 408")])
def test_body__announced_and_never_sent__holds_no_worker(
    site: Site, key: str, announced: int, first_word: bytes
) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", site.port), timeout=24) as silent:
        silent.sendall(head(key, "Host: 127.0.0.1", length=announced).encode() + b"\r\n\r\n" + b" " * 10)
        received = silent.recv(65_536)

    assert received.startswith(first_word)
    assert time.monotonic() - began < 25


def test_gzip__bomb__is_413_and_never_opened_as_a_whole(site: Site, key: str) -> None:
    bomb = gzip.compress(b"0" * 200_000_000, 6)
    assert len(bomb) < 200_000
    before = peak_bytes(site)

    answer = post(site, key, bomb, "Content-Encoding: gzip")

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert peak_bytes(site) - before < 50_000_000


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(batch(json.dumps(EVENT).encode()))[:-3],
        gzip.compress(batch())[:10],
        gzip.compress(batch()) + b"more",
        b"",
        batch(),
    ],
    ids=["without its end", "only the header", "with something behind", "empty", "not gzip"],
)
def test_gzip__damaged__is_400_and_nothing_is_kept(site: Site, key: str, body: bytes) -> None:
    before = site.ingested()

    answer = post(site, key, body, "Content-Encoding: gzip")

    assert (answer.status, answer.code) == (400, "bad_gzip")
    assert site.ingested() == before


def test_body__cut_by_the_sender__is_not_kept(site: Site, key: str) -> None:
    whole = batch(json.dumps({**EVENT, "messageId": "cut"}).encode())
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall(head(key, "Host: 127.0.0.1", length=len(whole) + 5).encode() + b"\r\n\r\n" + whole)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert received.startswith(b"HTTP/1.1 408")
    assert b"cut_body" in received


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (with_properties(b'{"n":NaN}'), "bad_number"),
        (with_properties(b'{"n":-Infinity}'), "bad_number"),
        (with_properties(b'{"n":1e999}'), "bad_number"),
        (with_properties(b'{"n":9223372036854775808}'), "bad_number"),
        (with_properties(b'{"n":' + b"9" * 5_000 + b"}"), "bad_number"),
        (with_properties(rb'{"t":"a\u0000b"}'), "bad_text"),
        (with_properties(rb'{"t":"\ud800"}'), "bad_text"),
        (rb'{"type":"track","userId":"u\u0000","event":"e"}', "bad_text"),
        (with_properties(b'{"d":' + b"[" * 200 + b"]" * 200 + b"}"), "event_too_large"),
        (with_properties(b'{"t":"' + b"x" * 33_000 + b'"}'), "event_too_large"),
    ],
    ids=["NaN", "Infinity", "1e999", "2**63", "5000 digits", "NUL", "surrogate", "NUL in the id", "200 deep", "33 kB"],
)
def test_event__that_can_not_be_kept__is_rejected_alone(site: Site, key: str, bad: bytes, code: str) -> None:
    good = json.dumps(EVENT).encode()

    answer = post(site, key, batch(good, bad, good))

    assert answer.status == 200
    said = json.loads(answer.body)
    assert (said["accepted"], said["rejectedCount"]) == (2, 1)
    assert (said["rejected"][0]["index"], said["rejected"][0]["code"]) == (1, code)


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, batch(b"[" * 100_000 + b"]" * 100_000), b'{"a":' * 80_000, b"\xff\xfe{}", b"", b"\0"],
    ids=["open brackets", "deep and closed", "open objects", "not UTF-8", "empty", "NUL"],
)
def test_body__that_is_no_readable_json__is_400(site: Site, key: str, body: bytes) -> None:
    answer = post(site, key, body)

    assert (answer.status, answer.code) == (400, "bad_json")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", KINDS)
def test_path__in_both_slash_forms__takes_post_and_nothing_else(site: Site, key: str, kind: str, slash: str) -> None:
    path = f"/v1/{kind}{slash}"
    body = batch(json.dumps(EVENT).encode()) if kind in ("batch", "import") else json.dumps(EVENT).encode()

    taken = post(site, key, body, path=path)
    refused = {method: talk(site, head(key, method=method, path=path)) for method in ("GET", "HEAD", "PUT", "DELETE")}

    assert (taken.status, json.loads(taken.body)["accepted"]) == (200, 1)
    for answer in refused.values():
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert "location" not in answer.headers
    assert refused["GET"].code == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "//v1/batch", "/v1//batch", "/v1/batch//", "/V1/batch", "/v1/batch/x"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_path__nearly_right__is_never_redirected(site: Site, key: str, path: str, method: str) -> None:
    answer = talk(site, head(key, method=method, path=path, length=2), b"{}")

    assert (answer.status, "location" in answer.headers) == (404, False)


def test_requests__at_once_by_many__are_all_answered(site: Site, key: str) -> None:
    statuses: list[int] = []

    def work() -> None:
        for _ in range(10):
            with suppress(OSError):
                statuses.append(post(site, key, batch(json.dumps(EVENT).encode())).status)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 80
