"""Ids that are one person, from the database; cheap to import in every process."""

from collections.abc import Iterable
from itertools import batched

from events.models import IdLink

BATCH = 500
STEPS = 64  # of a chain of aliases: more than `partition.MOST_USERS`


def roots_of(names: Iterable[str]) -> dict[str, str]:
    """The id that each of these ids counts as; itself if it counts as no other."""
    roots = {name: name for name in names}
    for _ in range(STEPS):
        ends = set(roots.values())
        held: dict[str, str] = {}
        for some in batched(sorted(ends), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, visitor__in=some)
            held |= dict(rows.values_list("visitor", "user"))
        if not held:
            break
        roots = {name: held.get(root, root) for name, root in roots.items()}
    return roots


def ids_with(names: Iterable[str]) -> set[str]:
    """These ids and all others that count as the same people, from the database."""
    asked = set(names)
    asked |= set(roots_of(asked).values())
    found = set(asked)
    while asked:
        below: set[str] = set()
        for some in batched(sorted(asked), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some)
            below.update(rows.values_list("visitor", flat=True))
        asked = below - found
        found |= below
    return found


def visitors_of(users: Iterable[str]) -> dict[str, set[str]]:
    """For each of these ids, the other ids that count as it."""
    found: dict[str, set[str]] = {}
    above = {name: name for name in users}  # by id, the one of `users` that it counts as
    while above:
        below: dict[str, str] = {}
        for some in batched(sorted(above), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some).values_list("visitor", "user")
            below |= {visitor: above[user] for visitor, user in rows}
        for visitor, user in below.items():
            found.setdefault(user, set()).add(visitor)
        above = below
    return found
