"""Look up published segments, their members, the segments of a unit, and which models open runs use."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from events.models import UnitTraits
from events.people.identity import ids_with, roots_of
from events.upkeep.archive import UsedBy
from runs.models import Run
from segments.models import ChurnRun, ComparisonRun, Membership, Segment, SegmentModel, SegmentVersion, slug_of

# Look-ups of published segments and a unit's segments, from the database only; APIs use them too.
#
# Separate from `publish`, so that callers of look-ups import none of its libraries.


def slugs_of(unit: str) -> frozenset[str]:
    """All published segments of the unit, old versions included, by one indexed look-up of four columns."""
    rows = Membership.objects.filter(unit=unit, segment__isnull=False).values_list(
        "version__model__key", "version__model__kind", "version__number", "segment__key"
    )
    return frozenset(slug_of(*row) for row in rows)


def find_segment(slug: str) -> Segment | None:
    """The published segment with this slug."""
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
    """All models, each with the untyped attribute `current_versions`: its current version with segments, or empty."""
    current = SegmentVersion.objects.light().current().prefetch_related(Prefetch("segments", Segment.objects.light()))
    return SegmentModel.objects.prefetch_related(Prefetch("versions", current, to_attr="current_versions"))


# Users of a segment: their traits, a few ids, and the segments of one user. All queries are bounded.

USERS_READ = 5_000
BATCH = 1_000
VALUES = 5
TRAITS = 12
SHOWN = 10


@dataclass(frozen=True)
class TraitShare:
    """One trait of a segment's users: its most frequent values as (text, users), and the number of users with it."""

    name: str
    users: int
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class WhoIsIn:
    """Traits and sample ids of a segment's users.

    Attributes:
        read: number of users whose traits were read, at most `USERS_READ`.
        traits: the most frequent first.
        sample: ids of some of them.
    """

    read: int
    traits: tuple[TraitShare, ...]
    sample: tuple[str, ...]


def who_is_in(segment: Segment) -> WhoIsIn:
    """Traits of the first placed users of a segment, up to `USERS_READ`, and some of their ids."""
    units = list(segment.members.order_by("pk").values_list("unit", flat=True)[:USERS_READ])
    names: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    for batch in batched(units, BATCH):
        for traits in UnitTraits.objects.filter(user_id__in=batch).values_list("traits", flat=True):
            for name, value in traits.items():
                if isinstance(value, str | bool | int | float):
                    names[name] += 1
                    values.setdefault(name, Counter())[_text(value)] += 1
    # A trait with too many different values, such as a date, is useless as a list of values.
    telling = [name for name, users in names.most_common() if len(values[name]) <= max(10, users // 5)]
    traits = tuple(TraitShare(name, names[name], tuple(values[name].most_common(VALUES))) for name in telling[:TRAITS])
    return WhoIsIn(len(units), traits, tuple(units[:SHOWN]))


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Belongs:
    """A user's segment in one model: key and name of the model, the segment or None, and the label of the place."""

    model_key: str
    model_name: str
    segment: Segment | None
    place: str


@dataclass(frozen=True)
class UserFound:
    """Traits, segments and ids of one user.

    Attributes:
        traits: by name.
        belongs: the segment of each model.
        counts_as: the id with which the requested one was merged; "" if it is the main id.
        other_ids: other ids of the same person.
    """

    traits: dict[str, Any]
    belongs: tuple[Belongs, ...]
    counts_as: str = ""
    other_ids: tuple[str, ...] = ()


def find_user(unit: str) -> UserFound | None:
    """Find one user by any exact id; None when it is unknown."""
    requested, unit = unit, roots_of([unit])[unit]
    others = tuple(sorted(ids_with([unit]) - {unit}))
    rows = Membership.objects.filter(unit=unit, version__in=SegmentVersion.objects.current())
    belongs = tuple(
        Belongs(row.version.model.key, row.version.model.name, row.segment, str(Membership.Place(row.place).label))
        for row in rows.select_related("version__model", "segment").order_by("version__model__name")
    )
    known = UnitTraits.objects.filter(user_id=unit).values_list("traits", flat=True).first()
    if not (belongs or others or known is not None):
        return None
    return UserFound(known or {}, belongs, unit if unit != requested else "", others)


# Segment models that are in use by open runs.


def segments_of_open_runs() -> Iterator[UsedBy]:
    """Each queued or running churn model and comparison."""
    for churn in ChurnRun.objects.light("segment__version__model").filter(status__in=Run.OPEN):
        yield UsedBy("segment", churn.segment.version.model.key, _("churn model “{name}”").format(name=churn))
    for run in ComparisonRun.objects.light("first__version__model", "second").filter(status__in=Run.OPEN):
        yield UsedBy("segment", run.first.version.model.key, _("comparison “{name}”").format(name=run))
