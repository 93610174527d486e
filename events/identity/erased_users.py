"""Late events of erased users: recognised by a digest, dropped on arrival and before a flush, and counted.

The digest needs a secret (ERASURE_PEPPER), so someone with only the table can't test ids against it. While nobody has
been erased, the ingest API queries the database once in `FRESH_SECONDS`; afterwards each process caches the digests.
"""

import hmac
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from events.models import ErasedUser, OutboxEvent
from events.schema import EventRecord

FRESH_SECONDS = 2.0
BATCH = 500


@dataclass(frozen=True)
class _Known:
    loaded: float = float("-inf")  # monotonic seconds
    mark: tuple[object, ...] = ()  # newest row, latest end
    keys: frozenset[bytes] = frozenset()  # digests


_known = _Known()


def key_of(user_id: str) -> UUID:
    """The digest of an id."""
    return UUID(bytes=_digest(settings.ERASURE_PEPPER.encode(), user_id))


def _digest(pepper: bytes, user_id: str) -> bytes:
    return hmac.digest(pepper, user_id.encode(), "sha256")[:16]


def remember(user_ids: Iterable[str]) -> None:
    """Drop events of these users from now on, for ERASED_DAYS; other processes follow within `FRESH_SECONDS`."""
    until = timezone.now() + timedelta(days=settings.ERASED_DAYS)
    rows = [ErasedUser(key=key_of(user), until=until) for user in set(user_ids)]
    ErasedUser.objects.bulk_create(
        rows, batch_size=BATCH, update_conflicts=True, update_fields=["until"], unique_fields=["key"]
    )
    forget()


def are_known(user_ids: Iterable[str]) -> list[str]:
    """Those of these users whose events must be dropped."""
    keys, pepper = _keys(), settings.ERASURE_PEPPER.encode()
    return [user for user in user_ids if _digest(pepper, user) in keys] if keys else []


def drop_records(records: list[EventRecord]) -> list[EventRecord]:
    """The events of a request without those of erased users."""
    if not _keys():
        return records
    late = set(are_known({record.user_id for record in records}))
    if not late:
        return records
    count([record.user_id for record in records if record.user_id in late])
    return [record for record in records if record.user_id not in late]


def drop_waiting(first: int, last: int) -> int:
    """Delete erased users' rows from a part of the outbox that is in no batch; returns how many."""
    forget()  # the flush must not use cached digests
    if not _keys():
        return 0
    rows = OutboxEvent.objects.filter(id__range=(first, last))
    late = are_known(rows.values_list("user_id", flat=True).distinct())
    dropped = 0
    for start in range(0, len(late), BATCH):
        theirs = rows.filter(user_id__in=late[start : start + BATCH])
        count(list(theirs.values_list("user_id", flat=True)))
        dropped += theirs.delete()[0]
    return dropped


def count(user_ids: Sequence[str]) -> None:
    """Count dropped events, one for each of these ids."""
    for user, times in Counter(user_ids).items():
        ErasedUser.objects.filter(key=key_of(user)).update(late=F("late") + times)


def drop_old() -> int:
    """Delete expired digests."""
    return ErasedUser.objects.filter(until__lt=timezone.now()).delete()[0]


def _keys() -> Collection[bytes]:
    global _known  # noqa: PLW0603 - what this process knows
    now = time.monotonic()
    if now - _known.loaded > FRESH_SECONDS:
        mark = tuple(_living().aggregate(newest=Max("id"), last=Max("until")).values())
        keys = (
            _known.keys
            if mark == _known.mark
            else frozenset(key.bytes for key in _living().values_list("key", flat=True))
        )
        _known = _Known(now, mark, keys)
    return _known.keys


def _living() -> "QuerySet[ErasedUser]":
    return ErasedUser.objects.filter(until__gte=timezone.now())


def forget() -> None:
    """Clear the cache, so that the next call queries the database."""
    global _known  # noqa: PLW0603 - alike
    _known = _Known()
