"""Issue, rotate, revoke and look up API keys (docs/events.md, "Keys").

A key has 256 random bits, so one HMAC is as good as a slow password hash, which would cost 280 ms a request. Each
process remembers a key for `FRESH_SECONDS`: a revoked key works no longer than that anywhere.
"""

import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.utils import timezone

from events.models import Source
from events.outbox import away
from events.schema import Caller
from insight_site.models import ApiKey

PREFIXES = {"client": "pk_", "server": "sk_", "admin": "ak_"}
SCOPES = {
    "client": ("assign:read", "config:read", "events:write"),
    "server": ("assign:read", "config:read", "events:write", "segments:read", "reports:read"),
    "admin": ("assign:read", "config:read", "events:write", "segments:read", "reports:read", "metrics:read", "admin:*"),
}
KEY_CHARS = 46  # the prefix and 43 URL-safe characters
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
        ValueError: for a scope that this kind of key may not have.
    """
    wanted = sorted(set(scopes))
    if refused := [scope for scope in wanted if scope not in SCOPES[kind]]:
        raise ValueError(f"a {kind} key may not have the scope {refused[0]}")
    key = PREFIXES[kind] + secrets.token_urlsafe(32)
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
        prefix=key[:8],
        log_exposures=log_exposures,
        preview=preview,
    )
    return row, key


def rotate_key(*, row: ApiKey, created_by: User | None = None) -> tuple[ApiKey, str]:
    """Make a successor with the same rights; the old key ends in KEY_ROTATION_DAYS, or earlier if it was to."""
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
    return successor


def revoke_key(*, row: ApiKey) -> None:
    """End a key now; every process refuses it within `FRESH_SECONDS`."""
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
    _cache.clear()


def find_caller(key: str) -> Caller | None:
    """Who holds this key; None when it is unknown, revoked or expired.

    Raises:
        django.db.Error: when the database is away and this process doesn't remember the key.
    """
    if len(key) != KEY_CHARS or not key.isascii():
        return None
    name = digest(key)
    entry = _cache.get(name)
    now = time.monotonic()
    fresh = entry is not None and now - entry.loaded < (FRESH_SECONDS if entry.caller else UNKNOWN_SECONDS)
    if entry is None or not fresh:
        try:
            away.refuse_if_silent()
            entry = _load(key, now)
        except (DatabaseError, InterfaceError):
            away.note(now)
            if entry is None or entry.caller is None:
                raise
            log.warning("key.database_away", key=entry.caller.key_prefix)  # nothing can have changed meanwhile
        if len(_cache) >= CACHE_ENTRIES:
            _cache.clear()
        _cache[name] = entry
    if entry.expires_at is not None and entry.expires_at <= timezone.now():
        return None
    return entry.caller


def forget_cached_keys() -> None:
    """Forget what this process remembers of keys."""
    _cache.clear()


def digest(key: str) -> str:
    """What is stored of a key, and stands for it in counters."""
    return _digest(settings.API_KEY_PEPPERS[0], key)


def _load(key: str, now: float) -> _Entry:
    row = ApiKey.objects.filter(digest__in=_digests(key), revoked_at=None).first()
    if row is None or not row.is_live:
        return _Entry(None, None, now)
    _note_use(row)
    caller = Caller(
        key_prefix=row.prefix,
        kind=row.kind,
        source_id=row.source_id,
        scopes=frozenset(row.scopes),
        allowed_origins=tuple(row.allowed_origins),
        rate=row.rate,
        log_exposures=row.log_exposures,
        preview=row.preview,
    )
    return _Entry(caller, row.expires_at, now)


def _note_use(row: ApiKey) -> None:
    """At most once a minute, and never in the way of the request."""
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
    """One for each pepper: the first is for new keys, the others let old keys live while the pepper is changed."""
    return [_digest(pepper, key) for pepper in settings.API_KEY_PEPPERS]


def _digest(pepper: str, key: str) -> str:
    return hmac.digest(pepper.encode(), key.encode(), "sha256").hex()
