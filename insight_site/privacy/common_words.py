"""Ids that stand in everybody's data, as "1", "a" or the name of a variant does: what they mean there nobody can tell.

An app that counts its users from 1, or sends "unknown" for who isn't signed in, makes such ids. The person's own events
and rows go; in others' data the word stays, since erasing it would take the variants out of every exposure and the
numbers out of every text.
"""

import re
from collections.abc import Collection, Iterator

from events.catalogue import listing
from experiments.models import Experiment, Variant

SHORT = re.compile(r"\d{1,4}|[A-Za-z]{1,3}|\W+|_+")
LETTERS = re.compile(r"[A-Za-z_$ ]+")
FREQUENT = {"anonymous", "false", "guest", "none", "null", "test", "true", "undefined", "unknown", "user"}


def words_among(ids: Collection[str]) -> frozenset[str]:
    """Those of these ids that are looked for in others' data in vain."""
    names = {name for name in _names() if LETTERS.fullmatch(name)} if any(map(LETTERS.fullmatch, ids)) else set()
    return frozenset(name for name in ids if SHORT.fullmatch(name) or name.casefold() in FREQUENT or name in names)


def _names() -> Iterator[str]:
    """Names that plans and events have: an id with a digit in it is one of them by mistake."""
    yield from Experiment.objects.values_list("key", flat=True)
    yield from Variant.objects.values_list("key", flat=True)
    catalogue = listing.catalogue()
    yield from (row.name for row in catalogue.traits)
    for event in catalogue.events:
        yield event.name
        yield from (row.name for row in event.properties)
