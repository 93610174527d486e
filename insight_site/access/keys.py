"""Issue, rotate, revoke and look up API keys (docs/events.md, "Keys").

A key has 256 random bits, so one HMAC is as good as a slow password hash, which would cost 280 ms a request. Each
process caches a key for `FRESH_SECONDS`: a revoked key works no longer than that anywhere.
"""

import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import Error, register
from django.core.signing import BadSignature, Signer
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from events.models import Source
from events.outbox import circuit_breaker
from events.schema import Caller
from insight_site.access import audit
from insight_site.models import ApiKey

# The environment's name (such as staging), shown on every page except in production.

PRODUCTION = "production"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def other_than_production() -> str:
    """The name of the environment; "" in production."""
    return "" if settings.ENVIRONMENT == PRODUCTION else str(settings.ENVIRONMENT)


def admin_badge(request: HttpRequest) -> list[str] | None:
    """Badge for Unfold's header: text and colour."""
    name = other_than_production()
    return [name, "warning"] if name else None


@register()
def check_name(**_options: object) -> list[Error]:
    """Check that keys and documents can hold the name."""
    if NAME.fullmatch(settings.ENVIRONMENT):
        return []
    return [Error("ENVIRONMENT is a name of at most 20 lower-case letters, digits and hyphens.", id="insight.E040")]


PREFIXES = {"client": "pk_", "server": "sk_", "admin": "ak_"}
SCOPES = {
    "client": ("assign:read", "config:read", "events:write"),
    "server": (
        *("assign:read", "config:read", "events:write", "segments:read", "reports:read", "assignments:read"),
        "calendar:write",
        *("plans:draft", "studies:start", "outcomes:peek"),  # for agents, at the MCP endpoint (insight_site.agents)
    ),
    "admin": (
        *("assign:read", "config:read", "events:write", "segments:read", "reports:read", "assignments:read"),
        *("metrics:read", "admin:*", "calendar:write"),
        *("privacy:read", "privacy:write"),
        *("plans:draft", "studies:start", "outcomes:peek"),
        "users:write",  # not part of admin:*: managing accounts is a separate right from planning experiments
    ),
}
# Danger: a key that can read each unit's arm and start computations could mark the arms and compare their outcomes.
ASSIGNMENTS, COMPUTES = "assignments:read", ("plans:draft", "studies:start")
# The permission a person needs to grant a scope to a key: else anyone who issues keys could become an Admin.
NEEDS = {
    "users:write": "auth.change_user",
    "calendar:write": "events.add_calendarentry",
    "plans:draft": "experiments.add_experiment",
    "studies:start": "aha.add_study",
    "outcomes:peek": "experiments.add_analysis",
    "privacy:read": "insight_site.export_erasure",
    "privacy:write": "insight_site.add_erasure",
}
KEY_CHARS = 46  # the prefix and 43 URL-safe characters
MARKED = re.compile(r"[psa]k_([a-z][a-z0-9-]{0,19}_)[A-Za-z0-9_-]{43}")
FRESH_SECONDS = 2.0
UNKNOWN_SECONDS = 60.0
CACHE_ENTRIES = 10_000
log = structlog.get_logger()


@dataclass(frozen=True)
class _Entry:
    caller: Caller | None
    expires_at: datetime | None
    loaded: float  # monotonic seconds


_cache: dict[str, _Entry] = {}


def issue_key(
    *,
    name: str,
    source: Source,
    kind: str,
    scopes: Iterable[str],
    allowed_origins: Iterable[str] = (),
    rate: int | None = None,
    expires_at: datetime | None = None,
    created_by: User | None = None,
    log_exposures: bool = True,
    preview: bool = False,
) -> tuple[ApiKey, str]:
    """Make a key.

    Returns:
        The row, and the key itself: it is known only now and must be shown once.

    Raises:
        ValueError: for a scope that this kind of key may not have, or for two that no key may have together.
    """
    wanted = sorted(set(scopes))
    if refused := [scope for scope in wanted if scope not in SCOPES[kind]]:
        raise ValueError(f"a {kind} key may not have the scope {refused[0]}")
    if other := beside_assignments(wanted):
        raise ValueError(f"a key with {other} may not have the scope {ASSIGNMENTS}")
    token = secrets.token_urlsafe(32)
    marked = other_than_production()
    key = PREFIXES[kind] + (f"{marked}_" if marked else "") + token
    row = ApiKey.objects.create(
        name=name,
        source=source,
        kind=kind,
        scopes=wanted,
        allowed_origins=list(allowed_origins),
        rate=rate,
        expires_at=expires_at,
        created_by=created_by,
        digest=digest(key),
        prefix=PREFIXES[kind] + token[:5],
        log_exposures=log_exposures,
        preview=preview,
    )
    return row, key


def beyond(user: Any, scopes: Iterable[str]) -> list[str]:
    """The scopes among these that this person may not grant to a key."""
    return [scope for scope in scopes if scope in NEEDS and not user.has_perm(NEEDS[scope])]


def beside_assignments(scopes: Iterable[str]) -> str:
    """The first scope that may not be combined with the assignments scope in one key; "" if there is no conflict."""
    given = set(scopes)
    return next((scope for scope in COMPUTES if scope in given and ASSIGNMENTS in given), "")


def rotate_key(*, row: ApiKey, created_by: User | None = None) -> tuple[ApiKey, str]:
    """Issue a key with the same rights; the old key ends in KEY_ROTATION_DAYS, or at its own expiry if earlier."""
    end = timezone.now() + timedelta(days=settings.KEY_ROTATION_DAYS)
    with transaction.atomic():
        row = ApiKey.objects.select_for_update().get(pk=row.pk)
        successor = issue_key(
            name=row.name,
            source=row.source,
            kind=row.kind,
            scopes=row.scopes,
            allowed_origins=row.allowed_origins,
            rate=row.rate,
            created_by=created_by,
            log_exposures=row.log_exposures,
            preview=row.preview,
        )
        row.expires_at = min(row.expires_at or end, end)
        row.save(update_fields=["expires_at"])
        audit.record(audit.Action.ROTATED, row, after={"successor": successor[0].pk, "expires_at": row.expires_at})
    return successor


def revoke_key(*, row: ApiKey) -> None:
    """Revoke a key now; every process rejects it within `FRESH_SECONDS`."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(audit.Action.REVOKED, row)
    _cache.clear()


def find_caller(key: str) -> Caller | None:
    """The caller who holds this key; None when it is unknown, revoked or expired.

    Raises:
        django.db.Error: when the database is unavailable and this process hasn't cached the key.
    """
    if len(key) != KEY_CHARS + len(environment_of(key)) or not key.isascii():
        return None
    return _remembered(digest(key), Q(digest__in=_digests(key)))


def find_by_id(key_id: int) -> Caller | None:
    """The caller who holds the key with this row id; same result and errors as `find_caller`."""
    return _remembered(f"id:{key_id}", Q(pk=key_id))


def still_live(key_ids: Iterable[int]) -> dict[int, Caller]:
    """The callers of those keys that still work, in one query.

    Raises:
        django.db.Error: when the database is unavailable.
    """
    rows = ApiKey.objects.filter(pk__in=list(key_ids), revoked_at=None)
    return {row.pk: _caller_of(row) for row in rows if row.is_live}


def _remembered(name: str, which: Q) -> Caller | None:
    entry = _cache.get(name)
    now = time.monotonic()
    fresh = entry is not None and now - entry.loaded < (FRESH_SECONDS if entry.caller else UNKNOWN_SECONDS)
    if entry is None or not fresh:
        try:
            circuit_breaker.refuse_if_silent()
            entry = _load(which, now)
        except (DatabaseError, InterfaceError):
            circuit_breaker.note(now)
            if entry is None or entry.caller is None:
                raise
            log.warning("key.database_away", key=entry.caller.key_prefix)  # nothing can have changed meanwhile
        if len(_cache) >= CACHE_ENTRIES:
            _cache.clear()
        _cache[name] = entry
    if entry.expires_at is not None and entry.expires_at <= timezone.now():
        return None
    return entry.caller


def environment_of(key: str) -> str:
    """The environment named in a key's prefix; "" for a production key, which names none.

    Keys of another environment never work here, since they aren't in this site's database: this lets the error say why.
    """
    named = MARKED.fullmatch(key)
    return named[1] if named else ""


def forget_cached_keys() -> None:
    """Clear this process's cache of keys."""
    _cache.clear()


def digest(key: str) -> str:
    """The digest that is stored instead of a key, and that identifies it in counters."""
    return _digest(settings.API_KEY_PEPPERS[0], key)


def _load(which: Q, now: float) -> _Entry:
    row = ApiKey.objects.filter(which, revoked_at=None).first()
    if row is None or not row.is_live:
        return _Entry(None, None, now)
    _note_use(row)
    return _Entry(_caller_of(row), row.expires_at, now)


def _caller_of(row: ApiKey) -> Caller:
    return Caller(
        key_prefix=row.prefix,
        kind=row.kind,
        source_id=row.source_id,
        scopes=frozenset(row.scopes),
        allowed_origins=tuple(row.allowed_origins),
        rate=row.rate,
        log_exposures=row.log_exposures,
        preview=row.preview,
        key_name=row.name,
        made_by=row.created_by_id,
        key_id=row.pk,
    )


def _note_use(row: ApiKey) -> None:
    """Record that the key was used, at most once a minute; it never delays or fails the request."""
    moment = timezone.now()
    before = moment - timedelta(minutes=1)
    if row.last_used_at is not None and row.last_used_at > before:
        return
    try:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=before)
        ApiKey.objects.filter(stale, pk=row.pk).update(last_used_at=moment)
    except (DatabaseError, InterfaceError):
        log.warning("key.use_not_noted", key=row.prefix)


def _digests(key: str) -> list[str]:
    """Digests of a key, one per pepper: the first is for new keys, the others keep old keys valid during a change."""
    return [_digest(pepper, key) for pepper in settings.API_KEY_PEPPERS]


def _digest(pepper: str, key: str) -> str:
    return hmac.digest(pepper.encode(), key.encode(), "sha256").hex()


# Signed tokens that open an event stream for hours, instead of a key, which must not appear in an address.
#
# A browser's EventSource can send no header. A client key is public and may stand in a path; a secret key may not.

BEGINS = "st_"
PERIOD = 6 * 3600  # seconds in which a key always gets the same token, so that ETags stay valid
_signer = Signer(salt="event-streams", sep=".")


def token_of(caller: Caller) -> str:
    """A token for the holder of a key; it opens streams for six to twelve hours, while the key is live."""
    end = (int(time.time()) // PERIOD + 2) * PERIOD
    return _signer.sign(f"{BEGINS}{caller.key_id}.{end}")


def is_token(text: str | None) -> bool:
    """Whether this looks like a token; keys begin otherwise."""
    return text is not None and text.startswith(BEGINS)


def caller_of_token(token: str) -> Caller | None:
    """The caller whose key a token was made for; None if the token is invalid or expired, or its key isn't live.

    Raises:
        django.db.Error: when the database is unavailable and this process hasn't cached the key.
    """
    try:
        key_id, end = _signer.unsign(token).removeprefix(BEGINS).split(".")
    except BadSignature:
        return None
    return find_by_id(int(key_id)) if time.time() < int(end) else None
