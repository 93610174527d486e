"""Whose members a question looks at: a published segment's, or those of all segments of a model."""

from typing import TYPE_CHECKING

from aha.study.population import last_day_of, segments_named
from events.prepared.opened import Prepared
from segments.models import Membership, Segment, SegmentVersion

if TYPE_CHECKING:
    import ibis.expr.types as ir

BLOCK = 50_000


def named(key: str) -> tuple[SegmentVersion, list[Segment]]:
    """The version and its segments that a key names.

    Raises:
        Refused: nothing is published under it.
    """
    return segments_named(key)


def formed_until(key: str) -> int | None:
    """The last day of a user's life that decides its segment; -1 for traits alone, None when it has no end."""
    return last_day_of(named(key)[0])


def members(asked: Prepared, key: str) -> "ir.Table":
    """``user_id`` (the number) and ``segment`` (its key) of every member."""
    version, segments = named(key)
    refreshed = version.refreshed_at.isoformat() if version.refreshed_at else ""
    keys = {segment.pk: segment.key for segment in segments}
    name = f"members {version.pk} {refreshed} {sorted(keys)}"
    return asked.kept(name, lambda: _members(asked, version, keys))


def _members(asked: Prepared, version: SegmentVersion, keys: dict[int, str]) -> "ir.Table":
    import ibis
    import pyarrow as pa

    rows = Membership.objects.filter(version=version, segment__in=keys).values_list("unit", "segment_id")
    units: list[str] = []
    segments: list[str] = []
    for unit, segment in rows.iterator(chunk_size=BLOCK):
        units.append(unit)
        segments.append(keys[segment])
    table = pa.table({"user_id": pa.array(units, pa.string()), "segment": pa.array(segments, pa.string())})
    found = ibis.memtable(table).join(asked.names, "user_id")
    # Two members who are one person since: in one segment once.
    return found.group_by(user_id="number").aggregate(segment=found.segment.argmin(found.user_id))
