"""The guard, and one POST over real TLS: where it connects, what it sends, and when it gives up."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments import webhook_messages
from experiments.webhook_messages import Undelivered, certificate_end, post
from runs.refusals import Refused

NAME = "hooks.example.com"
OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Receiver:
    """A TLS server on loopback; `answer` decides what happens to each connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.context = context
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.answer: Callable[[ssl.SSLSocket], None] = lambda wire: wire.sendall(OK)
        context.sni_callback = lambda wire, name, context: self.names.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(plain,), daemon=True).start()

    def _one(self, plain: socket.socket) -> None:
        try:
            with self.context.wrap_socket(plain, server_side=True) as wire:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += wire.recv(65536)
                begin, _, body = head.partition(b"\r\n\r\n")
                length = int(begin.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while len(body) < length:
                    body += wire.recv(65536)
                self.requests.append(begin + b"\r\n\r\n" + body)
                self.answer(wire)
        except OSError:
            pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={NAME}",
            "-addext",
            f"subjectAltName=DNS:{NAME}",
            "-keyout",
            str(key),
            "-out",
            str(cert),
        ],
        check=True,
        capture_output=True,
    )
    return key, cert


@pytest.fixture
def receiver(certificate: tuple[Path, Path]) -> Iterator[Receiver]:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    running = Receiver(context)
    yield running
    running.listener.close()


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[1]))


def send(receiver: Receiver, context: ssl.SSLContext, *, name: str = NAME, seconds: float = 5.0) -> int:
    return post(
        f"https://{name}:{receiver.port}/in?a=b",
        b'{"a":1}',
        {"webhook-id": "msg_1"},
        resolve=lambda host, port: ["127.0.0.1"],
        allows=lambda address: True,
        port=receiver.port,
        context=context,
        seconds=seconds,
    )


def test_post__a_receiver__gets_the_body_under_its_own_name(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    status = send(receiver, trusting)

    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert status == 204
    assert receiver.names == [NAME]
    assert lines[0] == "POST /in?a=b HTTP/1.1"
    assert [line for line in lines if line.lower().startswith("host:")] == [f"Host: {NAME}"]
    assert "webhook-id: msg_1" in lines
    assert "Content-Type: application/json" in lines
    assert body == b'{"a":1}'


def test_post__a_redirect__is_not_followed(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    place = f"Location: https://{NAME}:{receiver.port}/other\r\n".encode()
    receiver.answer = lambda wire: wire.sendall(b"HTTP/1.1 307 Moved\r\nContent-Length: 0\r\n" + place + b"\r\n")

    assert send(receiver, trusting) == 307
    assert len(receiver.requests) == 1


def test_post__certificate_that_nobody_vouches_for__is_not_sent_to(receiver: Receiver) -> None:
    with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
        send(receiver, ssl.create_default_context())

    assert receiver.requests == []


def test_post__certificate_of_another_name__is_not_sent_to(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
        send(receiver, trusting, name="other.example.com")

    assert receiver.requests == []


def test_post__endless_headers__end_at_64_kib(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    sent: list[int] = []

    def flood(wire: ssl.SSLSocket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(99):
            sent.append(1)
            wire.sendall(b"X-Filler: " + b"x" * 60_000 + b"\r\n")
        wire.sendall(b"\r\n")

    receiver.answer = flood

    with pytest.raises(Undelivered, match="longer than 64 KiB"):
        send(receiver, trusting)


def test_post__long_body__is_not_read(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    def long(wire: ssl.SSLSocket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            wire.sendall(b"x" * 100_000)

    receiver.answer = long

    assert send(receiver, trusting) == 200


def drip(wire: ssl.SSLSocket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
        wire.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize("answer", [drip, lambda wire: time.sleep(5)], ids=["drips", "silent"])
def test_post__receiver_that_takes_too_long__is_left(
    receiver: Receiver, trusting: ssl.SSLContext, answer: Callable[[ssl.SSLSocket], None]
) -> None:
    receiver.answer = answer

    with pytest.raises(Undelivered, match=r"time"):
        send(receiver, trusting, seconds=0.7)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 banana\r\n\r\n"])
def test_post__no_http__is_undelivered(receiver: Receiver, trusting: ssl.SSLContext, answer: bytes) -> None:
    receiver.answer = lambda wire: wire.sendall(answer)

    with pytest.raises(Undelivered):
        send(receiver, trusting)


def test_post__nobody_listens__is_undelivered(receiver: Receiver, trusting: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        receiver.port = closed.getsockname()[1]

    with pytest.raises(Undelivered, match="refused"):
        send(receiver, trusting)


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["64:ff9b::7f00:1"],
        ["::ffff:127.0.0.1"],
        ["224.0.0.1"],
    ],
)
def test_guard__any_address_that_is_not_public__nothing_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", forbidden)

    with pytest.raises(Refused, match="isn't public"):
        post(f"https://{NAME}/", b"", {}, resolve=lambda host, port: addresses)


def test_guard__name_that_changes_its_address__is_asked_once_and_the_checked_one_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    tried: list[object] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    def refuse(address: object, timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)

    with pytest.raises(Undelivered):
        post(f"https://{NAME}/", b"", {}, resolve=rebinding)

    assert asked == [NAME]
    assert tried == [("93.184.215.14", 443)]


def test_guard__loopback_through_the_system_s_resolver__is_refused() -> None:
    for host in ("localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]"):
        with pytest.raises(Refused, match="isn't public"):
            post(f"https://{host}/", b"", {})


def test_guard__other_port_or_scheme__is_refused_before_the_name_is_asked_for() -> None:
    for url in ("https://example.com:8443/", "http://example.com/"):
        with pytest.raises(Refused):
            post(url, b"", {}, resolve=lambda host, port: pytest.fail("asked"))


def test_look_up__hangs_or_fails__is_undelivered() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    def hangs(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["8.8.8.8"]

    with pytest.raises(Undelivered, match="no such name"):
        post(f"https://{NAME}/", b"", {}, resolve=fails)
    with pytest.raises(Undelivered, match="in time"):
        post(f"https://{NAME}/", b"", {}, resolve=hangs, seconds=0.2)
    with pytest.raises(Undelivered, match="in time"):
        post(f"https://{NAME}/", b"", {}, resolve=lambda host, port: ["8.8.8.8"], seconds=0.0)


def test_limits__are_those_of_the_documents() -> None:
    assert (webhook_messages.SECONDS, webhook_messages.MOST_BYTES) == (10.0, 65536)


@pytest.mark.parametrize("vouched", [True, False])
def test_certificate_end__of_a_receiver__is_seen_whether_or_not_somebody_vouches_for_it(
    receiver: Receiver, vouched: bool
) -> None:
    name = NAME if vouched else "other.example.com"
    until = certificate_end(
        f"https://{name}:{receiver.port}/",
        resolve=lambda host, port: ["127.0.0.1"],
        allows=lambda address: True,
        port=receiver.port,
    )

    assert timedelta(days=1.9) < until - datetime.now(UTC) < timedelta(days=2)
    assert receiver.requests == []


def test_certificate_end__of_an_address_that_is_not_public__is_not_connected_to(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="isn't public"):
        certificate_end(
            f"https://{NAME}:{receiver.port}/", resolve=lambda host, port: ["127.0.0.1"], port=receiver.port
        )

    assert receiver.names == []


def test_certificate_end__of_a_port_without_tls__is_undelivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Undelivered):
            certificate_end(
                f"https://{NAME}:{port}/",
                resolve=lambda host, given: ["127.0.0.1"],
                allows=lambda address: True,
                port=port,
                seconds=0.5,
            )
