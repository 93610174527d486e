"""Which published segments there are, who is in them, and to which of them a unit belongs."""

from collections import Counter
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.db.models import Prefetch

from events.identity.persons import ids_with, roots_of
from events.models import UnitTraits
from segments.models import Membership, Segment, SegmentModel, SegmentVersion, slug_of

# What is published, and which of it a unit belongs to: asked of the database alone, by the doors of machines too.
#
# Apart from `publish`, which computes: who only asks loads none of its libraries.


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


# Who is in a segment: what is known of its users, a few of them, and where one user belongs. Bounded questions.

USERS_READ = 5_000
BATCH = 1_000
VALUES = 5
TRAITS = 12
SHOWN = 10


@dataclass(frozen=True)
class TraitShare:
    """One trait of a segment's users: its commonest values as (text, users), of so many users that have it."""

    name: str
    users: int
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class WhoIsIn:
    """What is known of a segment's users.

    Attributes:
        read: users whose traits were looked at, at most `USERS_READ`.
        traits: the commonest first.
        sample: ids of some of them.
    """

    read: int
    traits: tuple[TraitShare, ...]
    sample: tuple[str, ...]


def who_is_in(segment: Segment) -> WhoIsIn:
    """Traits of up to `USERS_READ` users of a segment, the first that were placed, and some of their ids."""
    units = list(segment.members.order_by("pk").values_list("unit", flat=True)[:USERS_READ])
    names: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    for batch in batched(units, BATCH):
        for traits in UnitTraits.objects.filter(user_id__in=batch).values_list("traits", flat=True):
            for name, value in traits.items():
                if isinstance(value, str | bool | int | float):
                    names[name] += 1
                    values.setdefault(name, Counter())[_text(value)] += 1
    # A trait that differs for nearly everybody, such as a date, says nothing as a list of values.
    telling = [name for name, users in names.most_common() if len(values[name]) <= max(10, users // 5)]
    traits = tuple(TraitShare(name, names[name], tuple(values[name].most_common(VALUES))) for name in telling[:TRAITS])
    return WhoIsIn(len(units), traits, tuple(units[:SHOWN]))


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Belongs:
    """Where a user belongs: a model's key and name, the segment or None, and why there is none."""

    model_key: str
    model_name: str
    segment: Segment | None
    place: str


@dataclass(frozen=True)
class UserFound:
    """What is known of one user.

    Attributes:
        traits: by name.
        belongs: the segment of each model.
        counts_as: the id as which the one that was asked for counts; "" for its own.
        other_ids: those that count as the same person.
    """

    traits: dict[str, Any]
    belongs: tuple[Belongs, ...]
    counts_as: str = ""
    other_ids: tuple[str, ...] = ()


def find_user(unit: str) -> UserFound | None:
    """One user by any of their exact ids; None when nobody has it."""
    asked, unit = unit, roots_of([unit])[unit]
    others = tuple(sorted(ids_with([unit]) - {unit}))
    rows = Membership.objects.filter(unit=unit, version__in=SegmentVersion.objects.current())
    belongs = tuple(
        Belongs(row.version.model.key, row.version.model.name, row.segment, str(Membership.Place(row.place).label))
        for row in rows.select_related("version__model", "segment").order_by("version__model__name")
    )
    known = UnitTraits.objects.filter(user_id=unit).values_list("traits", flat=True).first()
    if not (belongs or others or known is not None):
        return None
    return UserFound(known or {}, belongs, unit if unit != asked else "", others)
