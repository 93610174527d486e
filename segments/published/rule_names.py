"""What a rule's form can offer: traits with their values from what users sent, events from the log."""

import json
from collections import Counter
from typing import Any

from django.core.cache import cache
from django.db.models import F

from events.catalogue.listing import PropertyEntry
from events.catalogue.refresh import ready_catalogue
from events.models import UnitTraits
from runs.refusals import Refused
from segments.rules.builder.known_values import Known, KnownEvent, KnownTrait

USERS_READ = 20_000
VALUES_SHOWN = 30
SECONDS = 120
LONGEST_VALUE = 80  # as long as the list keeps them
KEY = "segments.rule_names.traits"


def known_names() -> Known:
    """Traits and events that can be picked; traits those of two minutes ago at most."""
    found: tuple[dict[str, KnownTrait], int | None] | None = cache.get(KEY)
    if found is None:
        found = _traits()
        cache.set(KEY, found, SECONDS)
    events, signup = _events()
    return Known(found[0], events, found[1], signup)


def _traits() -> tuple[dict[str, KnownTrait], int | None]:
    """Traits of everybody, or of about so many users spread over all of them."""
    rows = UnitTraits.objects.all()
    users = rows.count()
    every = max(1, users // USERS_READ)
    if every > 1:
        rows = rows.annotate(place=F("pk") % every).filter(place=0)
    names: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    read = 0
    for traits in rows.values_list("traits", flat=True).iterator(chunk_size=5_000):
        read += 1
        for name, value in traits.items():
            if value is not None:
                names[name] += 1
                values.setdefault(name, Counter())[_json(value)] += 1
    known = {name: _trait(values[name], everybody=every == 1) for name, _ in names.most_common()}
    return known, None if every == 1 else read


def _trait(found: Counter[str], *, everybody: bool) -> KnownTrait:
    scalars = [json.loads(text) for text, _ in found.most_common(VALUES_SHOWN) if text]
    return KnownTrait(tuple(scalars), whole=everybody and len(found) <= VALUES_SHOWN and "" not in found)


def _json(value: Any) -> str:
    """A value as JSON; "" for what a rule can't compare with: lists, objects, and texts that no field holds."""
    if isinstance(value, str) and not (value and value.isprintable()):
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else ""


def _events() -> tuple[dict[str, KnownEvent], str | None]:
    """Events of the list that a worker keeps, with what their properties were seen to hold; none while it is made."""
    try:
        listed = ready_catalogue()
    except Refused:
        return {}, None
    shown = listed.search("", limit=len(listed.events))
    events = {entry.name: KnownEvent({each.name: _texts(each) for each in entry.properties}) for entry in shown}
    return events, listed.guess_signup() if events else None


def _texts(entry: PropertyEntry) -> tuple[str, ...]:
    """Values that a field can hold; the list cuts long ones, which then are no values any more."""
    return tuple(text for text, _ in entry.values if 0 < len(text) < LONGEST_VALUE and text.isprintable())
