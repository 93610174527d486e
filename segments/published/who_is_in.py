"""Who is in a segment: what is known of its users, a few of them, and where one user belongs. Bounded questions."""

from collections import Counter
from dataclasses import dataclass
from itertools import batched
from typing import Any

from events.identity.persons import ids_with, roots_of
from events.models import UnitTraits
from segments.models import Membership, Segment, SegmentVersion

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
