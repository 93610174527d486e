"""The sign-in log: one row and one log line per event.

Neither holds a password, a code, a token, or a name that no account has: people type passwords into the field for the
name by mistake.
"""

import hmac
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from insight_site.access import callers
from insight_site.models import SignIn

# A device's name for its owner: "Firefox, Windows" from the User-Agent header. Pure.

# Order matters: Edge also claims to be Chrome, and Chrome to be Safari.
BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """Browser and system; the header's beginning if neither is known."""
    names = [next((name for mark, name in table if mark in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in names if name) or user_agent[:40] or "–"


# The page that says why a sign-in was refused.


def refusal_page(request: HttpRequest, text: str) -> HttpResponse:
    """A reason, and a link back."""
    return render(request, "signin/refused.html", {"text": text}, status=403)


log = structlog.get_logger()
Event = SignIn.Event
NOTED, NOTED_EVERY = 20, timedelta(minutes=1)  # entries a minute for unknown callers, per place


def record(
    request: HttpRequest | None,
    event: SignIn.Event,
    *,
    user: User | None = None,
    name: str = "",
    how: str = "",
    note: str = "",
) -> SignIn:
    """Record an event.

    Args:
        request: its request; None for a command on the machine.
        event: its kind.
        user: the account, if there is one.
        name: the name as typed; only its digest is stored.
        how: `password`, `password+totp`, `oidc:…`, `header` and the like.
        note: a few words for the administrator.
    """
    row = write(request, event, user=user, name=name, how=how, note=note)
    tell(row)
    return row


def write(
    request: HttpRequest | None,
    event: SignIn.Event,
    *,
    user: User | None = None,
    name: str = "",
    how: str = "",
    note: str = "",
) -> SignIn:
    """Write the row without a log line, for an event whose outcome may still change."""
    address = address_of(request) if request is not None else None
    row: SignIn = SignIn.objects.create(
        at=timezone.now(),
        event=event,
        how=how[:100],
        user=user,
        username=user.get_username() if user else "",
        name_digest=digest_of(name or (user.get_username() if user else "")),
        address=address,
        network=place_of(address),
        user_agent=request.headers.get("User-Agent", "")[:200].replace("\x00", "") if request is not None else "",
        note=note[:200],
    )
    return row


def refused(request: HttpRequest, *, how: str, note: str, user: User | None = None) -> None:
    """Record a refusal; at most `NOTED` a minute per place without an account, so that a flood can't fill the table."""
    if user is None:
        place, since = place_of(address_of(request)), timezone.now() - NOTED_EVERY
        strangers = SignIn.objects.filter(event=Event.REFUSED, user=None, network=place, at__gt=since)
        if strangers.count() >= NOTED:
            return
    record(request, Event.REFUSED, user=user, how=how, note=note)


def tell(row: SignIn) -> None:
    """Write the log line of a row."""
    log.info(f"signin.{row.event}", record=row.pk, user=row.user_id, how=row.how, address=row.address, note=row.note)


def digest_of(name: str) -> str:
    """Digest of a name, by which failed tries are counted: the same for all spellings, and for unknown names."""
    plain = User.normalize_username(name).strip().casefold()
    return hmac.digest(settings.SECRET_KEY.encode(), b"signin:" + plain.encode(errors="replace"), "sha256").hex()


def address_of(request: HttpRequest) -> str | None:
    """The caller's address; None for a socket without addresses, or if a proxy sends an invalid one."""
    return callers.plain(callers.client_address(request)) or None


def place_of(address: str | None) -> str:
    """The network counted as one place (`addresses.network_of`); "" without an address."""
    return callers.network_of(address) if address else ""


def forget_old() -> int:
    """Delete rows older than `SIGNIN_DAYS`; returns how many."""
    old: tuple[int, Any] = SignIn.objects.filter(at__lt=timezone.now() - timedelta(days=settings.SIGNIN_DAYS)).delete()
    return old[0]
