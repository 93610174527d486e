"""What a rule's form can offer: traits with their values from what users sent, events from the log."""

import json
from collections import Counter
from typing import Any

from django.core.cache import cache
from django.db.models import F

from events.asking import questions
from events.counting import queries
from events.counting.unit_values import EXPOSURE_EVENTS
from events.models import UnitTraits
from runs.refusals import Refused
from segments.rules.builder.known import Known, KnownEvent, KnownTrait

USERS_READ = 20_000
VALUES_SHOWN = 30
SECONDS = 120
KEY = "segments.rule_names"


def known_names() -> Known:
    """Traits and events that can be picked; those of two minutes ago at most."""
    found: Known | None = cache.get(KEY)
    if found is None:
        traits, users_read = _traits()
        events, signup = _events()
        found = Known(traits, events, users_read, signup)
        cache.set(KEY, found, SECONDS)
    return found


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
    try:
        with questions() as asked:
            names = asked.run(queries.event_names(asked.log))
    except Refused:
        return {}, None
    names = names[~names.event.isin(EXPOSURE_EVENTS)].sort_values(["users", "event"], ascending=[False, True])
    found = {str(name): KnownEvent() for name in names.event}
    return found, "signup" if "signup" in found else None
