"""How many ids were joined, and what of it wasn't: for the data page, metrics and REST."""

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count

from events.models import IdLink

KEPT_SECONDS = 60
KEY = "identity-counts"


@dataclass(frozen=True)
class Counts:
    """Of all times.

    Attributes:
        joined_ids: ids that count as another one; persons: those as whom they count.
        shared_devices: visitors with whom a second user has logged in.
        two_users: pairs of users that would have become one without an alias.
        circles: aliases between ids that were one already.
        too_many: links that a person with too many ids didn't get.
        by_public_keys: logins that client keys alone have reported.
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
        """Nothing was ever said of two ids."""
        return self == Counts()


def counts() -> Counts:
    """The counts, at most a minute old: a page that asks again and again reads no table each time."""
    found = cache.get(KEY)
    if not isinstance(found, Counts):
        found = counted()
        cache.set(KEY, found, KEPT_SECONDS)
    return found


def counted() -> Counts:
    """The same as they are now."""
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
