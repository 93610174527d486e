"""Groups of users that a view shows side by side: by trait, by segment, of a finished experiment, or two segments.

Groups of an experiment come from the app above by `finished_arms` in its `apps.py`; one whose outcome is locked is in
no list and refused by name. Values that tell the arms of another, locked experiment apart are refused as any condition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.cache import cache
from django.db.models import Count, Max
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from aha.study.population import last_day_of, segments_named
from events.models import UnitTraits
from events.warehouse.arm_marks import Among, Condition
from events.warehouse.explore_session import Prepared
from events.warehouse.session import WarehouseSession, questions
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentVersion
from segments.published.members import models_with_current
from segments.published.segment_marks import of_segments

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aha.explore.question import Question

BLOCK = 50_000
MOST_GROUPS = 5  # further values are joined as "others"
MOST_SEGMENTS = 12
TRAIT, SEGMENTS, EXPERIMENT = "trait", "segments", "experiment"
OTHERS, UNKNOWN, BOTH = "others", "unknown", "both"
TRAITS_READ, TRAITS_SECONDS, TRAITS_KEY = 5_000, 120, "aha.explore.traits"


# ── Published segments ────────────────────────────────────────────────────────
def named(key: str) -> tuple[SegmentVersion, list[Segment]]:
    """The segment version with this key, and its segments.

    Raises:
        Refused: no published segment has this key.
    """
    return segments_named(key)


def members(session: Prepared, key: str) -> ir.Table:
    """``user_id`` (the number) and ``segment`` (its key) of every member."""
    version, segments = named(key)
    refreshed = version.refreshed_at.isoformat() if version.refreshed_at else ""
    keys = {segment.pk: segment.key for segment in segments}
    name = f"members {version.pk} {refreshed} {sorted(keys)}"
    return session.kept(name, lambda: _numbered(session, _members(version, keys)))


def _members(version: SegmentVersion, keys: dict[int, str]) -> Iterator[tuple[str, str]]:
    rows = Membership.objects.filter(version=version, segment__in=keys).values_list("unit", "segment_id")
    return ((unit, keys[segment]) for unit, segment in rows.iterator(chunk_size=BLOCK))


def _numbered(session: Prepared, rows: Iterator[tuple[str, str]]) -> ir.Table:
    """``user_id`` (the number) and ``segment`` of pairs of an id and a text."""
    import ibis
    import pyarrow as pa

    units: list[str] = []
    texts: list[str] = []
    for unit, text in rows:
        units.append(unit)
        texts.append(text)
    table = pa.table({"user_id": pa.array(units, pa.string()), "segment": pa.array(texts, pa.string())})
    return session.warehouse.keyed(ibis.memtable(table))


def formed_until(question: Question) -> int | None:
    """The last day of a user's life that affects a segment of the question; -1 for none, None for unlimited."""
    last = -1
    for key in segment_keys(question):
        formed = last_day_of(named(key)[0])
        if formed is None:
            return None
        last = max(last, formed)
    return last


def segment_keys(question: Question) -> list[str]:
    """Keys of the segments and segment models that a question names."""
    kind, _, name = question.group.partition(":")
    keys = (question.segment, question.compare, name if kind == SEGMENTS else "")
    return [key for key in keys if key]


# ── Finished experiments ──────────────────────────────────────────────────────
@dataclass(frozen=True)
class FinishedArms:
    """An experiment whose final outcome is shown.

    Attributes:
        key, title: of the experiment; `version` of its row.
        names: name of each arm, in the plan's order.
        units: given the open warehouse, ``user_id, arm`` of the units that it counts; `arm` is the index of the arm.
    """

    key: str
    title: str
    version: int
    names: tuple[str, ...]
    units: Callable[[WarehouseSession], AbstractContextManager[ir.Table]]


def finished() -> list[FinishedArms]:
    """The experiments whose groups may be compared, the newest first."""
    names = [app.finished_arms for app in apps.get_app_configs() if hasattr(app, "finished_arms")]
    return [experiment for name in names for experiment in import_string(name)()]


def _finished(key: str) -> FinishedArms:
    experiment = next((one for one in finished() if one.key == key), None)
    if experiment is None:
        raise Refused("The groups of “{key}” can be compared only once its final result is there.", key=key, at="group")
    return experiment


def _arms(key: str) -> list[tuple[str, str]]:
    """Id and index of the arm of each unit that a finished experiment counts."""
    experiment = _finished(key)
    with questions() as store, experiment.units(store) as units:
        frame = store.units(units)
    return list(zip(frame.user_id.tolist(), frame.arm.astype(str).tolist(), strict=True))


# ── Traits ────────────────────────────────────────────────────────────────────
def traits() -> list[str]:
    """Traits whose values are few enough to compare, the most frequent first; at most two minutes old."""
    key = f"{TRAITS_KEY}.{UnitTraits.objects.count()}"
    names: list[str] | None = cache.get(key)
    if names is None:
        names = _traits()
        cache.set(key, names, TRAITS_SECONDS)
    return names


def _traits() -> list[str]:
    users: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for found in UnitTraits.objects.order_by("-pk").values_list("traits", flat=True)[:TRAITS_READ]:
        for name, value in found.items():
            if text := text_of(value):
                users[name] += 1
                values.setdefault(name, set()).add(text)
    # A trait with nearly as many values as users, such as a date or a name, has no groups.
    return [name for name, number in users.most_common() if len(values[name]) <= max(10, number // 5)]


def text_of(value: Any) -> str:
    """A value of a trait as text; "" for values that aren't plain."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def values_of_trait(name: str) -> Iterator[tuple[str, str]]:
    """Id and value of everybody whose trait is known."""
    rows = UnitTraits.objects.filter(traits__has_key=name).values_list("user_id", "traits")
    for unit, found in rows.iterator(chunk_size=BLOCK):
        if text := text_of(found[name]):
            yield unit, text


def _state_of_traits() -> str:
    found = UnitTraits.objects.aggregate(at=Max("updated_at"), users=Count("pk"))
    return f"{found['at']} {found['users']}"


# ── The choice of a view ──────────────────────────────────────────────────────
def choices() -> list[tuple[str, Any]]:
    """What a view may be grouped by, as a select offers it."""
    models = [model for model in models_with_current().filter(archived_at=None) if _several(model)]
    some = (
        (gettext("Trait"), [(f"{TRAIT}:{name}", name) for name in traits()]),
        (gettext("Segments"), [(f"{SEGMENTS}:{model.key}", str(model)) for model in models]),
        (gettext("Finished experiment"), [(f"{EXPERIMENT}:{one.key}", one.title) for one in finished()]),
    )
    return [("", gettext("no groups")), *((label, options) for label, options in some if options)]


def _several(model: Any) -> bool:
    return any(version.rule is None and len(version.segments.all()) > 1 for version in model.current_versions)


@dataclass(frozen=True)
class Group:
    """One of the groups side by side.

    Attributes:
        key: its place among them, a segment's key, or `OTHERS` or `UNKNOWN`.
        name: as people read it; "" where the page has words for the key.
        pattern: what stands out in a segment without a name of its own; the page says it in the reader's language.
        parts: the parts of the population that it consists of; two compared segments may share users.
        values: how many values are joined, for `OTHERS`.
    """

    key: str
    name: str
    parts: tuple[str, ...]
    pattern: Any = None
    values: int = 0


def version_of(question: Question) -> str:
    """What a kept answer depends on beside the events."""
    versions = [named(key)[0] for key in segment_keys(question)]
    state = " ".join(f"{version.pk} {version.refreshed_at}" for version in versions)
    kind, _, name = question.group.partition(":")
    if kind == TRAIT:
        state += _state_of_traits()
    if kind == EXPERIMENT:
        state += str(_finished(name).version)
    return state


def conditions_of(question: Question) -> tuple[Condition, ...]:
    """The segments of a question, to be checked against the outcome lock."""
    return tuple(condition for key in segment_keys(question) for condition in of_segments(*named(key)))


def conditions_of_values(question: Question, groups: list[dict[str, Any]]) -> tuple[Condition, ...]:
    """Each shown value of a trait, and each arm of a finished experiment, to be checked against the outcome lock."""
    kind, _, name = question.group.partition(":")
    if kind not in (TRAIT, EXPERIMENT):
        return ()
    shown = {group["name"] for group in groups if group["key"] not in (OTHERS, UNKNOWN)}

    def pairs() -> Iterator[tuple[str, str]]:
        if kind == TRAIT:
            yield from values_of_trait(name)
        else:
            names = _finished(name).names
            yield from ((unit, names[int(arm)]) for unit, arm in _arms(name))

    def having(value: str) -> Callable[[], Iterator[str]]:
        return lambda: (unit for unit, text in pairs() if text == value)

    rest = Among(f"{name} ≠ {', '.join(sorted(shown))}", lambda: (unit for unit, text in pairs() if text not in shown))
    return (*(Among(f"{name} = {value}", having(value)) for value in sorted(shown)), rest)


def grouped(session: Prepared, question: Question, people: ir.Table) -> tuple[ir.Table, list[Group]]:
    """The people with ``segment``, the part that each belongs to, and the groups that consist of these parts.

    Args:
        session: the open snapshot.
        question: what is asked.
        people: those who signed up on the dates.
    """
    import ibis

    if question.compare:
        return _two(session, question, people)
    chosen = members(session, question.segment) if question.segment else None
    kind, _, name = question.group.partition(":")
    if not kind:
        if chosen is None:
            return people.mutate(segment=ibis.literal("")), [Group("", "", ("",))]
        said = [(row.key, *_said(row)) for row in named(question.segment)[1]]
        return people.join(chosen, "user_id"), [Group(key, name, (key,), what) for key, name, what in said]
    if chosen is not None:
        people = people.semi_join(chosen, "user_id")
    if kind == EXPERIMENT:
        experiment = _finished(name)
        table = session.kept(f"arms {name} {experiment.version}", lambda: _numbered(session, iter(_arms(name))))
        arms = [Group(str(place), arm, (str(place),)) for place, arm in enumerate(experiment.names)]
        return people.join(table, "user_id"), arms
    if kind == SEGMENTS:
        return _largest(session, people, members(session, name), {row.key: _said(row) for row in named(name)[1]})
    kept = f"trait {name} {_state_of_traits()}"
    return _largest(session, people, session.kept(kept, lambda: _numbered(session, values_of_trait(name))), {})


def _two(session: Prepared, question: Question, people: ir.Table) -> tuple[ir.Table, list[Group]]:
    first, second = (members(session, key) for key in (question.segment, question.compare))
    people = people.left_join(first.select("user_id", one="segment"), "user_id").drop("user_id_right")
    people = people.left_join(second.select("user_id", two="segment"), "user_id").drop("user_id_right")
    people = people.filter(people.one.notnull() | people.two.notnull())
    import ibis

    part = ibis.cases((people.one.notnull() & people.two.notnull(), BOTH), (people.one.notnull(), "one"), else_="two")
    names = [_segment_name(key) for key in (question.segment, question.compare)]
    groups = [Group(key, name, (key, BOTH), what) for key, (name, what) in zip(("one", "two"), names, strict=True)]
    return people.mutate(segment=part).drop("one", "two"), groups


def _segment_name(key: str) -> tuple[str, Any]:
    version, segments = named(key)
    return _said(segments[0]) if len(segments) == 1 else (str(version.model), None)


def _said(segment: Segment) -> tuple[str, Any]:
    """A segment's name; its key with what stands out in it where it has none."""
    return (segment.name, None) if segment.name else (segment.key, segment.pattern)


def _largest(
    session: Prepared, people: ir.Table, values: ir.Table, names: dict[str, tuple[str, Any]]
) -> tuple[ir.Table, list[Group]]:
    """The groups with the most users; further values are joined, and users without a value are one group."""
    import ibis

    table = people.left_join(values, "user_id").drop("user_id_right")
    counts = table.group_by("segment").aggregate(users=table.count())
    known = counts.filter(counts.segment.notnull())
    most = session.rows(known.order_by(ibis.desc("users"), "segment").limit(MOST_GROUPS))
    number = session.rows(known.aggregate(values=known.count()))[0]["values"]
    shown = [row["segment"] for row in most]
    parts = [(table.segment.isnull(), UNKNOWN), *((table.segment == text, str(k)) for k, text in enumerate(shown))]
    said = [names.get(text, (text, None)) for text in shown]
    groups = [Group(str(k), name, (str(k),), what) for k, (name, what) in enumerate(said)]
    groups += [Group(OTHERS, "", (OTHERS,), values=number - len(shown)), Group(UNKNOWN, "", (UNKNOWN,))]
    return table.mutate(segment=ibis.cases(*parts, else_=OTHERS)), groups
