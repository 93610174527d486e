"""All ids of a person: joined ids count as one, whichever of them is named."""

from collections.abc import Collection

import pyarrow as pa

from events import store
from events.delta import dictionary
from events.delta.snapshot import Snapshot, snapshot
from events.identity.persons import ids_with


def ids_of(named: Collection[str]) -> tuple[set[str], set[int]]:
    """The ids of these people and their numbers in the store; an id that the store doesn't know is returned alone.

    Ids joined in the database are included: the store learns of a login only with the next flush.
    """
    return ids_in_store(ids_with(named))


def ids_in_store(names: Collection[str]) -> tuple[set[str], set[int]]:
    """The same, from the joins in the store only."""
    names = set(names)
    if not store.exists():
        return names, set()
    at = snapshot()
    numbers = _numbers(sorted(names), at)
    if not numbers:
        return names, set()
    joins = dictionary.joins_of(at.opened_dictionary(joins=True))
    roots = {joins.get(number, number) for number in numbers}
    numbers |= roots | {number for number, into in joins.items() if into in roots}
    texts = dictionary.texts_of(sorted(numbers), at.opened_dictionary())
    return names | set(texts.values()), numbers


def _numbers(names: list[str], at: Snapshot) -> set[int]:
    given = dictionary.numbers_of(pa.array(names, pa.string()), at.opened_dictionary())
    return {int(number) for number in given if number}


def known_users() -> list[str]:
    """Every id that the store's dictionary has."""
    if not store.exists():
        return []
    return dictionary.all_texts(snapshot().opened_dictionary())
