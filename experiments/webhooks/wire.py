"""One POST to an address that a person entered, guarded against requests to the private network (SSRF).

https on port 443 only, no redirects, 10 seconds and 64 KiB in all. The name is resolved once, all its addresses must be
public, and the connection goes to a checked address: a second look-up could return another one.
"""

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from cryptography import x509

from experiments.webhooks.messages import check_url, is_public
from runs.refusals import Refused

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
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


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
        found = answer.get(timeout=_left(deadline))
    except (queue.Empty, TimeoutError):
        raise Undelivered("the name could not be resolved in time") from None
    if isinstance(found, Exception):
        raise Undelivered(f"the name could not be resolved ({found})"[:200]) from found
    return found


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
