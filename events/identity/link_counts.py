"""How many ids were joined and how many links were rejected: for the data page, metrics and REST."""

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count

from events.models import IdLink

KEPT_SECONDS = 60
KEY = "identity-counts"


@dataclass(frozen=True)
class Counts:
    """Counts since the beginning.

    Attributes:
        joined_ids: ids that count as another one; persons: the people that they count as.
        shared_devices: visitors with whom a second user has logged in.
        two_users: pairs of users that would have become one without an alias.
        circles: aliases between ids that were one already.
        too_many: links rejected because the person has too many ids.
        by_public_keys: logins reported by client keys only.
    """

    joined_ids: int = 0
    persons: int = 0
    shared_devices: int = 0
    two_users: int = 0
    circles: int = 0
    too_many: int = 0
    by_public_keys: int = 0

    @property
    def is_empty(self) -> bool:
        """True when no link was ever reported."""
        return self == Counts()


def counts() -> Counts:
    """The counts, cached for a minute: frequent requests don't read the tables each time."""
    found = cache.get(KEY)
    if not isinstance(found, Counts):
        found = counted()
        cache.set(KEY, found, KEPT_SECONDS)
    return found


def counted() -> Counts:
    """The counts, from the database."""
    state = IdLink.State
    rows = IdLink.objects.values("state").annotate(n=Count("pk"), visitors=Count("visitor", distinct=True))
    held = IdLink.objects.filter(state=state.HOLDS)
    persons = held.exclude(user__in=held.values("visitor")).aggregate(n=Count("user", distinct=True))["n"]
    by: dict[str, Any] = {row["state"]: row for row in rows}

    def of(name: str, what: str = "n") -> int:
        return int(by[name][what]) if name in by else 0

    return Counts(
        joined_ids=of(state.HOLDS),
        persons=int(persons),
        shared_devices=of(state.SECOND_USER, "visitors"),
        two_users=of(state.KNOWN_USER),
        circles=of(state.CYCLE),
        too_many=of(state.TOO_MANY),
        by_public_keys=of(state.PUBLIC_KEY),
    )
