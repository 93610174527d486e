"""Erased users: their late events are dropped at the door and before a flush; their ids in others' events, found."""

import hmac
import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from events.models import ErasedUser, OutboxEvent
from events.schema import EventRecord

# Late events of erased users: recognised by a digest, dropped on arrival and before a flush, and counted.
#
# The digest needs a secret (ERASURE_PEPPER), so someone with only the table can't test ids against it. While nobody
# has been erased, the ingest API queries the database once in `FRESH_SECONDS`; afterwards each process caches the
# digests.

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


# Replace the ids of erased users in other records by a placeholder. Pure.
#
# A value counts when it *is* the id, not when it contains it: ``{"invited": "u7"}`` is about u7, ``{"note": "u7
# came"}`` is a text that somebody wrote. Numbers stay, since a count may be any number. In plain text an id must be
# delimited by characters other than letters, digits and underscores.

ERASED = "[erased]"
WORDS = re.compile(r"\w")
STRUCTURE = re.compile(r"[\s:,\[\]{}]")  # what stands between two texts of JSON begins with one of these


class Scrub:
    """The ids to look for; their number may be large, since each value of a text costs one look-up."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)
        # Their JSON forms, with and without escapes for non-ASCII characters.
        forms = {json.dumps(name, ensure_ascii=plain)[1:-1]: name for name in self.ids for plain in (True, False)}
        self._odd = {form for form in forms if '"' in form or "\\" in form or STRUCTURE.match(form)}
        self._forms = frozenset(forms) - self._odd

    def json_text(self, text: str) -> str:
        """A JSON text, complete or cut off, with these ids erased; the same object when it has none."""
        hits = self._forms.intersection(text.split('"'))
        for form in hits:
            text = text.replace(f'"{form}"', f'"{ERASED}"')
        if self._odd and any(f'"{form}"' in text for form in self._odd):
            return self._parsed(text)
        return text

    def _parsed(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return text
        scrubbed = self.value(value)
        return text if scrubbed == value else json.dumps(scrubbed, ensure_ascii=False)

    def value(self, value: Any) -> Any:
        """A value of a JSON column with these ids erased in its texts; keys are our own names."""
        if isinstance(value, str):
            return ERASED if value in self.ids else value
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        return value

    def plain(self, text: str) -> str:
        """A plain text, written by a person or a program, with these ids erased."""
        for name in self.ids:
            if name in text:
                before, after = (r"(?<!\w)" if WORDS.match(name) else ""), (r"(?!\w)" if WORDS.match(name[-1]) else "")
                text = re.sub(f"{before}{re.escape(name)}{after}", ERASED, text)
        return text
