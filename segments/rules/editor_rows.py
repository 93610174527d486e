"""The rows of a rule's form: as typed, as posted, and their changes. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reporting.words import Message, say
from segments.rules.records import (
    ACTIVE_DAYS,
    FEATURES,
    MAX_CONDITIONS,
    MAX_DEPTH,
    SUBJECTS,
    BehaviourCount,
    Condition,
    Feature,
    Operator,
    Quantifier,
    RecentCount,
    Rule,
    Scalar,
    Subject,
    Trait,
)

# The rows of a rule's form as typed, complete or not, and conversion of a rule to rows. Pure.
#
# A row is addressed by its path, the indices from the outermost group inward: ``()`` is that group, ``(0, 2)`` the
# third row of its first.

Path = tuple[int, ...]
TEXT, NUMBER, TRUTH = "text", "number", "truth"
# The days on which a row counts: the first of a user's life, all of them, the last of the data, those before these.
FIRST, EVER, LAST, EARLIER = "first", "ever", "last", "earlier"
DEFAULT_DAYS, DEFAULT_LAST = "7", "28"


@dataclass(frozen=True)
class TypedCondition:
    """One condition as it was typed.

    Attributes:
        subject: ``trait``, ``behaviour`` or ``feature``.
        name: of the trait, event or feature; "" while none is picked.
        operator: one of `Operator`.
        typed: the value, or the number of times.
        kind: type of the value: ``text``, ``number`` or ``truth`` (``true`` and ``false``).
        values: those of ``in``, as JSON.
        when: one of `FIRST`, `EVER`, `LAST` and `EARLIER`: which days are counted.
        days: how many.
        later: how many of the last days are left out, of `EARLIER`.
        property: that the event must carry; "" for none.
        property_value: its value.
        distinct: property whose different values are counted instead of events; "" for none.
        free: the value is typed, although known values can be picked.
    """

    subject: str = "trait"
    name: str = ""
    operator: str = Operator.IS.value
    typed: str = ""
    kind: str = TEXT
    values: tuple[str, ...] = ()
    when: str = FIRST
    days: str = DEFAULT_DAYS
    later: str = DEFAULT_LAST
    property: str = ""
    property_value: str = ""
    distinct: str = ""
    free: bool = False


@dataclass(frozen=True)
class TypedGroup:
    """Rows, all, any or none of which must hold; it may still be empty."""

    quantifier: str = "all"
    parts: tuple["TypedCondition | TypedGroup", ...] = ()


Row = TypedCondition | TypedGroup


class NotShown(Exception):  # noqa: N818 - an answer, not an error of the program
    """A part of a rule that rows can't represent: which condition, counted in reading order from 1, and why."""

    def __init__(self, number: int, why: Message) -> None:
        super().__init__(why.text)
        self.number, self.why = number, why

    @property
    def message(self) -> Message:
        """The reason as a sentence."""
        return say("Condition {number}: {what}", number=self.number, what=self.why)


def rows_of(rule: Rule) -> TypedGroup:
    """The rows of a rule.

    Raises:
        NotShown: a name or value that an HTML field can't hold: the empty text, or one with a line break.
    """
    seen = [0]

    def group(part: Rule) -> TypedGroup:
        return TypedGroup(part.quantifier.value, tuple(row(each) for each in part.parts))

    def row(part: Rule | Condition) -> Row:
        if isinstance(part, Rule):
            return group(part)
        seen[0] += 1
        return _typed_condition(part, seen[0])

    return group(rule)


def _typed_condition(condition: Condition, number: int) -> TypedCondition:
    subject, operator = condition.subject, condition.operator.value
    value = condition.value
    for text in (*_names(subject), *(value if isinstance(value, tuple) else (value,))):
        _check_text(text, number)
    if isinstance(subject, BehaviourCount | RecentCount):
        return _typed_count(subject, operator, json.dumps(value))
    kind = "feature" if isinstance(subject, Feature) else "trait"
    if isinstance(value, tuple):
        return TypedCondition(kind, subject.name, operator, values=tuple(dict.fromkeys(map(as_json, value))))
    typed, of_kind = typed_value(value)
    when = EVER if kind == "feature" else FIRST
    return TypedCondition(kind, subject.name, operator, typed, of_kind, when=when)


def _typed_count(subject: BehaviourCount | RecentCount, operator: str, typed: str) -> TypedCondition:
    row = TypedCondition("feature", ACTIVE_DAYS, operator, typed, NUMBER)
    what = subject.behaviour
    if what is not None:
        where = what.where or ("", "")
        row = replace(row, subject="behaviour", name=what.event, distinct=what.distinct or "")
        row = replace(row, property=where[0], property_value=where[1])
    if isinstance(subject, BehaviourCount):
        return replace(row, days=str(subject.days))
    row = replace(row, when=LAST, days=str(subject.days.days))
    return replace(row, when=EARLIER, later=str(subject.days.before)) if subject.days.before else row


def _names(subject: Subject) -> tuple[str, ...]:
    if isinstance(subject, Trait | Feature):
        return (subject.name,)
    what = subject.behaviour
    if what is None:
        return ()
    return (what.event, *(what.where or ()), *((what.distinct,) if what.distinct else ()))


def _check_text(value: Scalar, number: int) -> None:
    if not isinstance(value, str):
        return
    if not value:
        raise NotShown(number, say("it compares with an empty text, which can only be written as text."))
    if not value.isprintable():
        what = say("{name!r} holds a line break or another invisible character; edit it as text.", name=value)
        raise NotShown(number, what)


def typed_value(value: Scalar) -> tuple[str, str]:
    """A value as text for a field, and its kind."""
    if isinstance(value, bool):
        return json.dumps(value), TRUTH
    return (value, TEXT) if isinstance(value, str) else (json.dumps(value), NUMBER)


def as_json(value: Scalar) -> str:
    """A value as JSON, so that the text "1", the number 1 and true stay three values."""
    return json.dumps(value, ensure_ascii=False)


# Add, remove, move and set rows. Every change returns new rows; an impossible one returns them unchanged. Pure.
#
# Rows move in reading order: the first row of a group moves up out of it, and a row below a group moves up to its
# end. So a move up and a move down undo each other.


def walk(row: Row, path: Path = ()) -> Iterator[tuple[Path, Row]]:
    """Every row with its path, in reading order."""
    yield path, row
    if isinstance(row, TypedGroup):
        for place, part in enumerate(row.parts):
            yield from walk(part, (*path, place))


def find(root: TypedGroup, path: Path) -> Row | None:
    """The row at a path."""
    row: Row = root
    for place in path:
        if not isinstance(row, TypedGroup) or not 0 <= place < len(row.parts):
            return None
        row = row.parts[place]
    return row


def put(root: TypedGroup, path: Path, row: Row) -> TypedGroup:
    """The rows with the one at a path replaced."""
    if not path:
        return row if isinstance(row, TypedGroup) else root
    inner = root.parts[path[0]]
    new = row if len(path) == 1 else put(inner, path[1:], row) if isinstance(inner, TypedGroup) else inner
    return replace(root, parts=(*root.parts[: path[0]], new, *root.parts[path[0] + 1 :]))


def add(root: TypedGroup, path: Path, row: Row) -> tuple[TypedGroup, Path]:
    """The rows with a new one at the end of a group, and its path; unchanged if the rule would become too large."""
    group = find(root, path)
    too_deep = isinstance(row, TypedGroup) and len(path) + 2 > MAX_DEPTH
    if not isinstance(group, TypedGroup) or too_deep or count(root) + count(row) > MAX_CONDITIONS:
        return root, path
    return put(root, path, replace(group, parts=(*group.parts, row))), (*path, len(group.parts))


def count(row: Row) -> int:
    """Number of conditions."""
    return sum(isinstance(each, TypedCondition) for _, each in walk(row))


def depth(row: Row) -> int:
    """Nesting depth of groups, including this one; 0 for a condition."""
    return 0 if isinstance(row, TypedCondition) else 1 + max((depth(part) for part in row.parts), default=0)


def remove(root: TypedGroup, path: Path) -> tuple[TypedGroup, Path]:
    """The rows without one, and the path of the nearest remaining one."""
    group = find(root, path[:-1])
    if not path or not isinstance(group, TypedGroup) or find(root, path) is None:
        return root, path
    at = path[-1]
    left = replace(group, parts=(*group.parts[:at], *group.parts[at + 1 :]))
    near = (*path[:-1], min(at, len(left.parts) - 1)) if left.parts else path[:-1]
    return put(root, path[:-1], left), near


def move(root: TypedGroup, path: Path, step: int) -> tuple[TypedGroup, Path]:
    """The rows with one moved up (-1) or down (1) in reading order, and its new path."""
    row, group = find(root, path), find(root, path[:-1])
    if not path or row is None or not isinstance(group, TypedGroup):
        return root, path
    outer, at = path[:-1], path[-1]
    beside = at + step
    if not 0 <= beside < len(group.parts):  # out of its group
        if not outer:
            return root, path
        without, _ = remove(root, path)
        target = (*outer[:-1], outer[-1] + (step > 0))
        return _insert(without, target, row), target
    neighbour = group.parts[beside]
    if isinstance(neighbour, TypedGroup) and len(outer) + 2 + depth(row) <= MAX_DEPTH:  # into the group beside it
        without, _ = remove(root, path)
        into = (*outer, beside if step < 0 else at)
        target = (*into, len(neighbour.parts) if step < 0 else 0)
        return _insert(without, target, row), target
    parts = list(group.parts)
    parts[at], parts[beside] = parts[beside], parts[at]
    return put(root, outer, replace(group, parts=tuple(parts))), (*outer, beside)


def _insert(root: TypedGroup, path: Path, row: Row) -> TypedGroup:
    group = find(root, path[:-1])
    if not isinstance(group, TypedGroup):
        return root
    at = path[-1]
    return put(root, path[:-1], replace(group, parts=(*group.parts[:at], row, *group.parts[at:])))


def set_field(root: TypedGroup, path: Path, field: str, value: str) -> TypedGroup:
    """The rows with one field of a row changed."""
    row = find(root, path)
    if row is None or field not in row.__dataclass_fields__ or field in ("parts", "values", "free"):
        return root
    changed: dict[str, Any] = {field: value}
    return put(root, path, replace(row, **changed))


def add_value(root: TypedGroup, path: Path, value: str) -> TypedGroup:
    """The rows with a value (as JSON) added to a list of values."""
    row = find(root, path)
    if not isinstance(row, TypedCondition):
        return root
    return put(root, path, replace(row, values=tuple(dict.fromkeys((*row.values, value)))))


def settled(row: TypedCondition) -> TypedCondition:
    """The condition with operator, name and kind reset where its newly picked subject doesn't have them."""
    numeric = (Operator.AT_LEAST.value, Operator.AT_MOST.value)
    if row.subject == "trait":
        operator = row.operator if row.operator in list(Operator) else Operator.IS.value
        return replace(row, operator=operator, kind=NUMBER if operator in numeric else row.kind)
    operator = row.operator if row.operator in numeric else numeric[0]
    row = replace(row, operator=operator, kind=NUMBER, values=())
    if row.subject == "feature":
        row = replace(row, name=row.name if row.name in FEATURES else FEATURES[0])
    if row.when not in choices_of_days(row):
        row = replace(row, when=choices_of_days(row)[0])
    days = DEFAULT_DAYS if row.when == FIRST else DEFAULT_LAST
    return replace(row, days=row.days or days, later=row.later or DEFAULT_LAST)


def choices_of_days(row: TypedCondition) -> tuple[str, ...]:
    """The days on which a row can count, the usual ones first."""
    if row.subject == "behaviour":
        return FIRST, LAST, EARLIER
    return (EVER, LAST, EARLIER) if row.name == ACTIVE_DAYS else (EVER,)


def new_condition(subject: str = "trait") -> TypedCondition:
    """An empty condition on a subject."""
    return settled(TypedCondition(subject, kind=TEXT))


# Rows from the fields of a posted form, and the names of those fields. Pure.
#
# Every row has a hidden field ``node`` with its place and kind, ``r-0-2 c`` for a condition and ``r-0 g`` for a
# group, in reading order; its fields are named after it, ``r-0-2.name``.

ROOT = "r"
MAX_NODES = 3 * MAX_CONDITIONS  # more than any form of ours holds
NOT_KNOWN = "missing"  # the choice "is not known", which the rule writes as exists: false
OTHER = "other"  # the choice "another value" in a list of known values; it isn't JSON, so it can't equal a value

Posted = Mapping[str, Sequence[str]]


def place_of(path: Path) -> str:
    """The prefix of a row's fields."""
    return "-".join((ROOT, *map(str, path)))


def path_of(place: str) -> Path | None:
    """The path of a prefix; None if it is invalid."""
    first, *rest = place.split("-")
    if first != ROOT or len(rest) > MAX_DEPTH or not all(part.isdecimal() and len(part) < 4 for part in rest):
        return None
    return tuple(map(int, rest))


def read_rows(posted: Posted) -> TypedGroup:
    """The rows of a posted form. Fields without a row are ignored; an unknown choice becomes the first one."""
    nodes: dict[str, str] = {}
    for node in posted.get("node", ())[:MAX_NODES]:
        place, _, kind = node.partition(" ")
        if path_of(place) is not None:
            nodes[place] = kind
    children: dict[str, list[str]] = {}
    for place in nodes:
        children.setdefault(place.rpartition("-")[0], []).append(place)

    def row(place: str, level: int) -> Row:
        if nodes[place] == "c" or level > MAX_DEPTH:
            return _posted_rows_condition(posted, place)
        join = _one(posted, place, "join")
        quantifier = join if join in list(Quantifier) else Quantifier.ALL.value
        return TypedGroup(quantifier, tuple(row(child, level + 1) for child in children.get(place, ())))

    root = row(ROOT, 1) if nodes.get(ROOT) == "g" else TypedGroup()
    return root if isinstance(root, TypedGroup) else TypedGroup()


def _one(posted: Posted, place: str, field: str) -> str:
    values = posted.get(f"{place}.{field}") or ("",)
    return values[-1]


def _posted_rows_condition(posted: Posted, place: str) -> TypedCondition:
    subject = _one(posted, place, "subject")
    subject = subject if subject in SUBJECTS else SUBJECTS[0]
    before = _one(posted, place, "before")
    if subject != before:  # another subject was picked: the fields still belong to the previous one
        return settled(TypedCondition(subject))
    names = (*("name", "operator", "typed", "kind", "when", "days", "later", "property", "property_value", "distinct"),)
    fields: dict[str, Any] = {name: _one(posted, place, name) for name in names}
    missing = fields["operator"] == NOT_KNOWN
    fields["operator"] = Operator.EXISTS.value if missing else fields["operator"]
    fields["kind"] = fields["kind"] if fields["kind"] in (TEXT, NUMBER, TRUTH) else TEXT
    row = settled(TypedCondition(subject, **fields))
    if row.operator == Operator.IN:
        return replace(row, values=_values(posted.get(f"{place}.values", ())))
    if row.operator == Operator.EXISTS:
        return replace(row, typed="false" if missing else "true", kind=TRUTH)
    if f"{place}.pick" not in posted or subject != "trait":
        return row
    pick = _one(posted, place, "pick")
    picked = _json(pick)
    if picked is not None:
        typed, kind = typed_value(picked)
        return settled(replace(row, typed=typed, kind=kind))
    return replace(row, free=True) if pick == OTHER else replace(row, typed="")


def _values(given: Sequence[str]) -> tuple[str, ...]:
    read = (_json(text) for text in given)
    return tuple(dict.fromkeys(as_json(value) for value in read if value is not None))


def _json(text: str) -> str | bool | int | float | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str | bool | int | float) else None
