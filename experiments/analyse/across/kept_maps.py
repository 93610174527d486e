"""Kept readings of the map of causes: the latest one, and what changed between them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from aha.evidence.findings import Definition, same_behaviour
from experiments.analyse.across.map_changes import (
    KEPT_MAP,
    Change,
    Changes,
    KeptMap,
    ReadPlace,
    brought,
    changed_places,
)
from experiments.models import MapReading
from runs.payloads import Unreadable

MOST_READINGS = 20  # whose changes are shown


def key_of(outcome: str) -> str:
    """Equal for outcomes that mean the same, however they are written."""
    return Definition("any", 1, 1, outcome).same[3]


def latest_reading(outcome: str) -> MapReading | None:
    """The reading of an outcome that was kept last."""
    return MapReading.objects.filter(outcome=key_of(outcome)).order_by("-pk").first()


def changes_of(outcome: str, behaviours: Sequence[str] = ()) -> Changes:
    """What changed between the latest readings of an outcome.

    Args:
        outcome: metric text.
        behaviours: only these; none for all.
    """
    readings = MapReading.objects.filter(outcome=key_of(outcome))
    first = readings.order_by("pk").values_list("read_at", flat=True).first()
    rows = [(row, KEPT_MAP.read(row.payload)) for row in readings.order_by("-pk")[: MOST_READINGS + 1]]
    known = [(row, kept) for row, kept in rows if not isinstance(kept, Unreadable)]
    found = [
        _change(row, kept, earlier, before, after)
        for (row, kept), (_row, earlier) in pairwise(known)
        for before, after in changed_places(earlier, kept)
    ]
    wanted = [row for row in found if not behaviours or any(same_behaviour(row.behaviour, one) for one in behaviours)]
    return Changes(first, tuple(wanted))


def _change(
    row: MapReading, now: KeptMap, earlier: KeptMap, before: ReadPlace | None, after: ReadPlace | None
) -> Change:
    return Change(
        at=row.read_at,
        reading=row.pk,
        behaviour=next(place.behaviour for place in (after, before) if place is not None),
        before=before,
        after=after,
        brought=brought(earlier, now),
        signed=signature_of(row) is not None,
    )


def signature_of(row: MapReading) -> dict[str, str] | None:
    """The signature of a reading; None where the site's key could not be used."""
    return None if row.proof is None else row.proof["signature"]


def signed_reading(row: MapReading) -> dict[str, Any] | None:
    """The document by which anybody checks a reading: the signed part, the signature, and the reading itself."""
    return None if row.proof is None else {**row.proof, "result": row.payload}
