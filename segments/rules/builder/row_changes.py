"""Add, remove, move and set rows. Every change gives new rows; one that can't be made gives the same again. Pure.

Moving goes through the rows in reading order: up from the first row of a group leads out of it, up past a group leads
into its end. So a move up and a move down undo each other.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from segments.rules.builder.typed import DEFAULT_DAYS, NUMBER, TEXT, Path, Row, TypedCondition, TypedGroup
from segments.rules.parsing import MAX_CONDITIONS, MAX_DEPTH
from segments.rules.records import FEATURES, Operator


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
    """The rows with another one at a path."""
    if not path:
        return row if isinstance(row, TypedGroup) else root
    inner = root.parts[path[0]]
    new = row if len(path) == 1 else put(inner, path[1:], row) if isinstance(inner, TypedGroup) else inner
    return replace(root, parts=(*root.parts[: path[0]], new, *root.parts[path[0] + 1 :]))


def add(root: TypedGroup, path: Path, row: Row) -> tuple[TypedGroup, Path]:
    """The rows with a new one at the end of a group, and where it is; unchanged where the rule would be too large."""
    group = find(root, path)
    too_deep = isinstance(row, TypedGroup) and len(path) + 2 > MAX_DEPTH
    if not isinstance(group, TypedGroup) or too_deep or count(root) + count(row) > MAX_CONDITIONS:
        return root, path
    return put(root, path, replace(group, parts=(*group.parts, row))), (*path, len(group.parts))


def count(row: Row) -> int:
    """Number of conditions."""
    return sum(isinstance(each, TypedCondition) for _, each in walk(row))


def depth(row: Row) -> int:
    """How many groups lie inside one another, this one included; 0 for a condition."""
    return 0 if isinstance(row, TypedCondition) else 1 + max((depth(part) for part in row.parts), default=0)


def remove(root: TypedGroup, path: Path) -> tuple[TypedGroup, Path]:
    """The rows without one, and the path of what stands nearest then."""
    group = find(root, path[:-1])
    if not path or not isinstance(group, TypedGroup) or find(root, path) is None:
        return root, path
    at = path[-1]
    left = replace(group, parts=(*group.parts[:at], *group.parts[at + 1 :]))
    near = (*path[:-1], min(at, len(left.parts) - 1)) if left.parts else path[:-1]
    return put(root, path[:-1], left), near


def move(root: TypedGroup, path: Path, step: int) -> tuple[TypedGroup, Path]:
    """The rows with one a place up (-1) or down (1) in reading order, and where it is then."""
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
    """The rows with another value in one field of a row."""
    row = find(root, path)
    if row is None or field not in row.__dataclass_fields__ or field in ("parts", "values", "free"):
        return root
    changed: dict[str, Any] = {field: value}
    return put(root, path, replace(row, **changed))


def add_value(root: TypedGroup, path: Path, value: str) -> TypedGroup:
    """The rows with one more value (as JSON) in a list of values."""
    row = find(root, path)
    if not isinstance(row, TypedCondition):
        return root
    return put(root, path, replace(row, values=tuple(dict.fromkeys((*row.values, value)))))


def settled(row: TypedCondition) -> TypedCondition:
    """The same condition with only such an operator, name and kind as its subject has, after another was picked."""
    numeric = (Operator.AT_LEAST.value, Operator.AT_MOST.value)
    if row.subject == "trait":
        operator = row.operator if row.operator in list(Operator) else Operator.IS.value
        return replace(row, operator=operator, kind=NUMBER if operator in numeric else row.kind)
    operator = row.operator if row.operator in numeric else numeric[0]
    row = replace(row, operator=operator, kind=NUMBER, values=())
    if row.subject == "feature":
        return replace(row, name=row.name if row.name in FEATURES else FEATURES[0])
    return replace(row, days=row.days or DEFAULT_DAYS)


def new_condition(subject: str = "trait") -> TypedCondition:
    """An empty condition of a kind."""
    return settled(TypedCondition(subject, kind=TEXT))
