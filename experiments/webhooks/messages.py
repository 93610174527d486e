"""Webhook messages without network or rows: bodies, signatures (Standard Webhooks 1.0), retry times, address checks."""

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from runs.refusals import Refused

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
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped
        if carried is None and found in _MAPPED_PREFIX:
            carried = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if carried is None:
            return found in _GLOBAL_UNICAST and found.is_global and not found.is_multicast
        found = carried
    return found.is_global and not found.is_multicast


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
