"""What is published, and which of it a unit belongs to: asked of the database alone, by the doors of machines too.

Apart from `publish`, which computes: who only asks loads none of its libraries.
"""

from typing import Any

from django.db.models import Prefetch

from segments.models import Membership, Segment, SegmentModel, SegmentVersion, slug_of


def slugs_of(unit: str) -> frozenset[str]:
    """Every published segment that the unit belongs to, old versions included: one indexed look-up of four columns."""
    rows = Membership.objects.filter(unit=unit, segment__isnull=False).values_list(
        "version__model__key", "version__model__kind", "version__number", "segment__key"
    )
    return frozenset(slug_of(*row) for row in rows)


def find_segment(slug: str) -> Segment | None:
    """The published segment of this slug."""
    model, _, rest = slug.partition(".v")
    number = rest.partition(".")[0]
    if not number.isdecimal():
        return None
    rows = Segment.objects.published().filter(version__model__key=model, version__number=number)
    return next((row for row in rows if row.slug == slug), None)


def segments_of(unit: str) -> list[Segment]:
    """The published segments that a unit belongs to now, one per model."""
    rows = Membership.objects.filter(unit=unit, version__in=SegmentVersion.objects.current(), segment__isnull=False)
    return [
        row.segment
        for row in rows.light("segment__version__model", keep=("segment__profile",))
        if row.segment is not None
    ]


def models_with_current() -> Any:
    """All models, each with `current_versions`, which no type knows: its current version with its segments, or none."""
    current = SegmentVersion.objects.light().current().prefetch_related(Prefetch("segments", Segment.objects.light()))
    return SegmentModel.objects.prefetch_related(Prefetch("versions", current, to_attr="current_versions"))
