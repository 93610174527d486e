"""Webhooks without rows: messages, signatures (Standard Webhooks 1.0), when to try again, and the guarded POST."""

import base64
import hashlib
import hmac
import http.client
import io
import ipaddress
import json
import queue
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from cryptography import x509

from runs.refusals import Refused

# Webhook messages without network or rows: bodies, signatures (Standard Webhooks 1.0), retry times, address checks.

SECRET_PREFIX = "whsec_"  # noqa: S105 - the marker that secret scanners look for, not a secret
# 8 tries within a day: the first at once, the others after these waits.
WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=7),
    timedelta(hours=9),
)
_MAPPED_PREFIX = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def new_secret() -> str:
    """A signing secret: ``whsec_`` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def new_message_id() -> str:
    """An id for one message. It stays the same over all tries, so that receivers can recognise repetitions."""
    return "msg_" + secrets.token_urlsafe(18)


def message_body(type_: str, data: dict[str, Any], at: datetime) -> bytes:
    """The bytes that are signed and sent, ``{"type", "timestamp", "data"}``.

    Args:
        type_: of the message.
        data: a JSON object.
        at: when it happened.

    Raises:
        ValueError: for data that strict JSON can't represent (NaN).
    """
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    document = {"type": type_, "timestamp": stamp, "data": data}
    return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def headers(secrets_: Iterable[str], *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0.

    Args:
        secrets_: the current secret, and the previous one during rotation: one signature for each.
        message_id: the same on each try.
        at: the moment of this try; receivers refuse old ones.
        body: exactly what is sent.

    Source: standardwebhooks.com, specification 1.0: ``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``.
    """
    stamp = str(int(at.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    signatures = [f"v1,{base64.b64encode(_mac(secret, signed)).decode()}" for secret in secrets_]
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}


def wait_after(tries: int) -> timedelta | None:
    """Wait after so many failed tries (1 or more); None to give up."""
    return WAITS[tries - 1] if tries <= len(WAITS) else None


def is_public(address: str) -> bool:
    """True for a global unicast address, also inside an IPv6 address that carries an IPv4 one.

    `ipaddress` alone considers 224.0.0.1 global, and loopback too when written as NAT64 or IPv4-compatible.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped
        if carried is None and ip in _MAPPED_PREFIX:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if carried is None:
            return ip in _GLOBAL_UNICAST and ip.is_global and not ip.is_multicast
        ip = carried
    return ip.is_global and not ip.is_multicast


def check_url(url: str, *, port: int = 443) -> tuple[str, str]:
    """Host and path of an allowed webhook address.

    Args:
        url: what a person entered.
        port: the only port allowed.

    Raises:
        Refused: unless it is https on that port, with a host and without user or fragment.
    """
    try:
        parts = urlsplit(url)
        host, given = parts.hostname, parts.port
    except ValueError:
        raise Refused("{url}: this is no web address.", url=url) from None
    # Spaces and control characters would end the request line and inject a header.
    if not url.isascii() or any(sign <= " " or sign == "\x7f" for sign in url):
        raise Refused("{url!r}: an address has only ASCII characters and no spaces.", url=url)
    if parts.scheme != "https" or not host:
        raise Refused("{url}: a webhook needs an address that begins with https://.", url=url)
    if (443 if given is None else given) != port:
        raise Refused("{url}: only port {port} is allowed.", url=url, port=port)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("{url}: an address with a user name or a fragment isn't allowed.", url=url)
    return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _mac(secret: str, signed: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return hmac.new(key, signed, hashlib.sha256).digest()


# One POST to an address that a person entered, guarded against requests to the private network (SSRF).
#
# https on port 443 only, no redirects, 10 seconds and 64 KiB in all. The name is resolved once, all its addresses
# must be public, and the connection goes to a checked address: a second look-up could return another one.

SECONDS = 10.0
MOST_BYTES = 64 * 1024

type Resolve = Callable[[str, int], list[str]]


class Undelivered(Exception):  # noqa: N818 - the other side's trouble, told in one sentence
    """No usable answer: the address, the connection or the answer failed."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolve: Resolve | None = None,
    allows: Callable[[str], bool] = is_public,
    port: int = 443,
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> int:
    """POST the body and return the status of the answer; a redirect counts as an answer.

    Only tests pass the arguments after `headers`; the defaults are the guard.

    Args:
        url: of the endpoint; checked again, although it was checked when stored.
        body: to send.
        headers: to send.
        resolve: addresses of a host and port.
        allows: whether an address may be connected to.
        port: the only port allowed.
        context: TLS settings; the system's authorities by default.
        seconds: in total.

    Raises:
        Refused: the guard forbids the address; no connection was made.
        Undelivered: no answer within the limits.
    """
    host, path = check_url(url, port=port)
    deadline = time.monotonic() + seconds
    addresses = _checked(host, port, resolve or _resolve, allows, deadline)
    try:
        with _connected(addresses, port, deadline) as plain:
            tls = context or ssl.create_default_context()
            with tls.wrap_socket(plain, server_hostname=host) as wire:
                return _exchange(wire, host, port, path, body, headers, deadline)
    except (OSError, http.client.HTTPException, ValueError) as trouble:
        raise Undelivered(f"{type(trouble).__name__}: {trouble}"[:200]) from trouble


def certificate_end(
    url: str,
    *,
    resolve: Resolve | None = None,
    allows: Callable[[str], bool] = is_public,
    port: int = 443,
    seconds: float = SECONDS,
) -> datetime:
    """When the certificate of an address expires or expired; same guard and arguments as `post`.

    The certificate isn't verified, since expired ones must be read too; nothing is sent.

    Raises:
        Refused: the guard forbids the address.
        Undelivered: no certificate within the limits.
    """
    host, _path = check_url(url, port=port)
    deadline = time.monotonic() + seconds
    addresses = _checked(host, port, resolve or _resolve, allows, deadline)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connected(addresses, port, deadline) as plain, context.wrap_socket(plain, server_hostname=host) as wire:
            shown = wire.getpeercert(binary_form=True) or b""
        return x509.load_der_x509_certificate(shown).not_valid_after_utc
    except (OSError, ValueError) as trouble:
        raise Undelivered(f"{type(trouble).__name__}: {trouble}"[:200]) from trouble


def _checked(host: str, port: int, resolve: Resolve, allows: Callable[[str], bool], deadline: float) -> list[str]:
    addresses = _within(deadline, lambda: resolve(host, port))
    if not addresses or not all(allows(address) for address in addresses):
        raise Refused("{host}: this name leads to an address that isn't public.", host=host)
    return addresses


def _resolve(host: str, port: int) -> list[str]:
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in entries]


def _within(deadline: float, look_up: Callable[[], list[str]]) -> list[str]:
    """Run a DNS look-up with a time limit, which it doesn't have itself; a thread that hangs is abandoned."""
    answer: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put(look_up())
        except Exception as trouble:
            answer.put(trouble)

    threading.Thread(target=work, daemon=True).start()
    try:
        result = answer.get(timeout=_left(deadline))
    except (queue.Empty, TimeoutError):
        raise Undelivered("the name could not be resolved in time") from None
    if isinstance(result, Exception):
        raise Undelivered(f"the name could not be resolved ({result})"[:200]) from result
    return result


def _connected(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """A socket connected to the first of the checked addresses that answers."""
    trouble: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_left(deadline))
        except OSError as caught:
            trouble = caught
    raise trouble


def _exchange(
    wire: ssl.SSLSocket, host: str, port: int, path: str, body: bytes, headers: Mapping[str, str], deadline: float
) -> int:
    connection = http.client.HTTPConnection(host, port)
    # http.client needs only these methods of a socket, and doesn't connect when it has one.
    connection.sock = cast("socket.socket", _Wire(wire, deadline))
    connection.auto_open = 0
    name = f"[{host}]" if ":" in host else host
    fixed = {"Host": name, "Content-Type": "application/json", "User-Agent": "Insight", "Connection": "close"}
    connection.request("POST", path, body=body, headers={**fixed, **headers})
    # Only the status is needed, so the body is never read.
    with connection.getresponse() as response:
        return response.status


class _Wire:
    """The methods of a socket that http.client needs, within the budget of time and bytes."""

    def __init__(self, wire: ssl.SSLSocket, deadline: float) -> None:
        self._wire, self._deadline = wire, deadline

    def sendall(self, data: bytes) -> None:
        self._wire.settimeout(_left(self._deadline))
        self._wire.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Answer(self._wire, self._deadline))

    def close(self) -> None:
        """Do nothing: http.client closes before the answer is read; the caller closes the socket."""


class _Answer(io.RawIOBase):
    """Reads the answer with limits: neither a slow server nor endless headers can block the worker."""

    def __init__(self, wire: ssl.SSLSocket, deadline: float) -> None:
        self._wire, self._deadline, self._budget = wire, deadline, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._budget <= 0:
            raise OSError("the answer is longer than 64 KiB")
        self._wire.settimeout(_left(self._deadline))
        count = self._wire.recv_into(memoryview(buffer)[: self._budget])
        self._budget -= count
        return count


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left
