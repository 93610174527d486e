"""Preview of an erasure, without changing anything."""

from collections import Counter
from collections.abc import Collection

from events.erasing import person_events, same_person
from insight_site.privacy import in_database
from insight_site.privacy.common_words import words_among
from runs.personal_data import UnitRows, UnitTexts, all_places


def count_places(named: Collection[str]) -> dict[str, int]:
    """Number of rows by place: the person's own, and others that contain an id; for events, those in the store."""
    ids = sorted(same_person.ids_of(named)[0])
    telling = set(ids) - words_among(ids)
    found: Counter[str] = Counter()
    for place in all_places():
        if isinstance(place, UnitRows):
            found[place.model] += sum(rows.count() for rows in in_database.rows_of(place, ids))
        elif isinstance(place, UnitTexts):
            found[f"in {place.model}.{'+'.join(place.fields)}"] += sum(1 for _ in in_database.found_in(place, telling))
        elif place.export:
            found[place.name] += person_events.count(ids)
    return {name: count for name, count in found.items() if count}
