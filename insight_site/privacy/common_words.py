"""Ids that also occur as ordinary words in other people's data, such as "1", "a" or the name of a variant.

An app that counts its users from 1, or sends "unknown" for anonymous users, creates such ids. An erasure removes the
person's own events and rows but leaves the word in other people's data: removing it there would delete the variants
from every exposure and the numbers from every text.
"""

import re
from collections.abc import Collection, Iterator

from events.catalogue import listing
from experiments.models import Experiment, Variant

SHORT = re.compile(r"\d{1,4}|[A-Za-z]{1,3}|\W+|_+")
LETTERS = re.compile(r"[A-Za-z_$ ]+")
FREQUENT = {"anonymous", "false", "guest", "none", "null", "test", "true", "undefined", "unknown", "user"}


def words_among(ids: Collection[str]) -> frozenset[str]:
    """Ids that an erasure leaves in other people's data, because they are too common there."""
    names = {name for name in _names() if LETTERS.fullmatch(name)} if any(map(LETTERS.fullmatch, ids)) else set()
    return frozenset(name for name in ids if SHORT.fullmatch(name) or name.casefold() in FREQUENT or name in names)


def _names() -> Iterator[str]:
    """Names in plans and events. An id with a digit that is among them got there by mistake."""
    yield from Experiment.objects.values_list("key", flat=True)
    yield from Variant.objects.values_list("key", flat=True)
    catalogue = listing.catalogue()
    yield from (row.name for row in catalogue.traits)
    for event in catalogue.events:
        yield event.name
        yield from (row.name for row in event.properties)
