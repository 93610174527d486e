"""View model of a rule form: choices of every field, number of every condition, errors by field. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from reporting.words import gettext
from reporting.words import shown as shown_name
from segments.rules.builder import rows
from segments.rules.builder.checked import Mistake
from segments.rules.builder.known_values import MOST_CHOICES, Known, KnownEvent, KnownTrait
from segments.rules.builder.rows import (
    NOT_KNOWN,
    NUMBER,
    OTHER,
    TEXT,
    TRUTH,
    Path,
    Row,
    TypedCondition,
    TypedGroup,
    as_json,
    place_of,
    typed_value,
)
from segments.rules.parsing import MAX_CONDITIONS, MAX_DEPTH
from segments.rules.records import FEATURES, Operator
from segments.rules.wording import feature_name


@dataclass(frozen=True)
class Choice:
    """One option of a list."""

    value: str
    text: str
    chosen: bool = False


@dataclass(frozen=True)
class Wrong:
    """Error of a field, in words, and the button that corrects it; `do` is "" where there is none."""

    why: str
    label: str
    do: str
    blocks: bool


@dataclass(frozen=True)
class ConditionShown:
    """One condition with its choices by field. Without choices in `names` the field is typed."""

    place: str
    number: int
    row: TypedCondition
    subjects: tuple[Choice, ...]
    names: tuple[Choice, ...]
    operators: tuple[Choice, ...]
    picks: tuple[Choice, ...]
    boxes: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    properties: tuple[Choice, ...]
    property_values: tuple[Choice, ...]
    counted: tuple[Choice, ...]
    wrong: dict[str, tuple[Wrong, ...]]
    first: bool
    last: bool
    focus: bool
    group: bool = False

    @property
    def searched(self) -> bool:
        """Whether there are too many names for a list, so that they are searched by typing."""
        return len(self.names) > MOST_CHOICES

    @property
    def free(self) -> bool:
        """Whether the value is typed instead of picked."""
        return not self.picks or any(choice.chosen for choice in self.picks if choice.value == OTHER)


@dataclass(frozen=True)
class GroupShown:
    """One group with its parts."""

    place: str
    number: int
    joins: tuple[Choice, ...]
    parts: tuple["ConditionShown | GroupShown", ...]
    wrong: dict[str, tuple[Wrong, ...]]
    nested: bool
    may_nest: bool
    may_add: bool
    first: bool
    last: bool
    focus: bool
    group: bool = True


@dataclass
class _Page:
    known: Known
    mistakes: tuple[Mistake, ...]
    focus: Path | None
    full: bool
    seen: dict[str, int] = field(default_factory=lambda: {"group": 0, "condition": 0})


def shown(root: TypedGroup, known: Known, mistakes: Iterable[Mistake] = (), focus: Path | None = None) -> GroupShown:
    """The rows as the form shows them."""
    page = _Page(known, tuple(mistakes), focus, rows.count(root) >= MAX_CONDITIONS)
    return _group(root, (), page, first=True, last=True)


def _group(group: TypedGroup, path: Path, page: _Page, *, first: bool, last: bool) -> GroupShown:
    number = page.seen["group"] = page.seen["group"] + bool(path)
    joins = {"all": gettext("all of these hold"), "any": gettext("any of these holds"),
             "none": gettext("none of these holds")}  # fmt: skip
    ends = (0, len(group.parts) - 1)
    return GroupShown(
        place=place_of(path),
        number=number,
        joins=_choices(joins.items(), group.quantifier),
        parts=tuple(_row(part, (*path, at), page, at == ends[0], at == ends[1]) for at, part in enumerate(group.parts)),
        wrong=_wrong(path, page),
        nested=bool(path),
        may_nest=len(path) + 2 <= MAX_DEPTH and not page.full,
        may_add=not page.full,
        first=first,
        last=last,
        focus=page.focus == path,
    )


def _row(row: Row, path: Path, page: _Page, first: bool, last: bool) -> ConditionShown | GroupShown:
    outermost = len(path) == 1  # there is no way out of the outermost group
    first, last = first and outermost, last and outermost
    if isinstance(row, TypedGroup):
        return _group(row, path, page, first=first, last=last)
    number = page.seen["condition"] = page.seen["condition"] + 1
    trait = page.known.traits.get(row.name, KnownTrait()) if row.subject == "trait" else KnownTrait()
    event = page.known.events.get(row.name, KnownEvent()) if row.subject == "behaviour" else KnownEvent()
    subjects = {"trait": gettext("Trait"), "behaviour": gettext("Event"), "feature": gettext("Activity")}
    kinds = {TEXT: gettext("text"), NUMBER: gettext("number"), TRUTH: gettext("yes or no")}
    return ConditionShown(
        place=place_of(path),
        number=number,
        row=row,
        subjects=_choices(subjects.items(), row.subject),
        names=_names(row, page.known),
        operators=_operators(row),
        picks=_picks(row, trait),
        boxes=_boxes(row, trait),
        kinds=_choices(kinds.items(), row.kind),
        properties=_properties(row.property, event, gettext("any")),
        property_values=_known_or(row.property_value, event.properties.get(row.property, ())),
        counted=_counted(row, event),
        wrong=_wrong(path, page),
        first=first,
        last=last,
        focus=page.focus == path,
    )


def _names(row: TypedCondition, known: Known) -> tuple[Choice, ...]:
    if row.subject == "feature":
        return _choices(((name, feature_name(name)) for name in FEATURES), row.name)
    if row.subject == "trait":
        names = {name: name for name in known.traits}
    else:
        names = {name: _titled(name) for name in known.events}
    if not names:
        return ()
    if row.name and row.name not in names:
        names = {row.name: row.name, **names}
    return (Choice("", gettext("Pick …"), not row.name), *_choices(names.items(), row.name))


def _titled(event: str) -> str:
    title = shown_name(event)
    return event if title == event else f"{title} ({event})"


def _operators(row: TypedCondition) -> tuple[Choice, ...]:
    least = {Operator.AT_LEAST.value: gettext("at least"), Operator.AT_MOST.value: gettext("at most")}
    if row.subject != "trait":
        return _choices(least.items(), row.operator)
    words = {
        Operator.IS.value: gettext("is"),
        Operator.IS_NOT.value: gettext("is known and not"),
        Operator.IN.value: gettext("is one of"),
        **least,
        Operator.EXISTS.value: gettext("is known"),
        NOT_KNOWN: gettext("is not known"),
    }
    missing = row.operator == Operator.EXISTS and row.typed == "false"
    return _choices(words.items(), NOT_KNOWN if missing else row.operator)


def _picks(row: TypedCondition, trait: KnownTrait) -> tuple[Choice, ...]:
    if row.operator not in (Operator.IS, Operator.IS_NOT) or not trait.values:
        return ()
    mine = next((value for value in trait.values if typed_value(value) == (row.typed, row.kind)), None)
    free = mine is None and (row.free or bool(row.typed))
    return (
        Choice("", gettext("Pick …"), mine is None and not free),
        *(Choice(as_json(each), truth_or_text(each), each is mine) for each in trait.values),
        Choice(OTHER, gettext("another value …"), free),
    )


def truth_or_text(value: str | bool | int | float) -> str:
    """A value as shown to users."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(value)


def _boxes(row: TypedCondition, trait: KnownTrait) -> tuple[Choice, ...]:
    if row.operator != Operator.IN:
        return ()
    known = {as_json(value): truth_or_text(value) for value in trait.values}
    others = {text: text.strip('"') for text in row.values if text not in known}
    return tuple(Choice(value, text, value in row.values) for value, text in {**known, **others}.items())


def _properties(name: str, event: KnownEvent, none: str) -> tuple[Choice, ...]:
    names = dict.fromkeys(event.properties)
    if not names:
        return ()
    if name and name not in names:
        names = {name: None, **names}
    return (Choice("", none, not name), *(Choice(each, each, each == name) for each in names))


def _known_or(value: str, values: tuple[str, ...]) -> tuple[Choice, ...]:
    if not values:
        return ()
    every = values if value in ("", *values) else (value, *values)
    return (Choice("", gettext("Pick …"), not value), *(Choice(each, each, each == value) for each in every))


def _counted(row: TypedCondition, event: KnownEvent) -> tuple[Choice, ...]:
    names = dict.fromkeys((*event.properties, *((row.distinct,) if row.distinct else ())))
    if row.subject != "behaviour" or not names:
        return ()
    words = ((name, gettext("different values of %(name)s") % {"name": name}) for name in names)
    return (Choice("", gettext("every time"), not row.distinct), *_choices(words, row.distinct))


def _choices(pairs: Iterable[tuple[str, str]], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, text, value == chosen) for value, text in pairs)


def _wrong(path: Path, page: _Page) -> dict[str, tuple[Wrong, ...]]:
    found: dict[str, tuple[Wrong, ...]] = {}
    for mistake in page.mistakes:
        if mistake.path == path:
            mend = mistake.mend
            wrong = Wrong(str(mistake.why), str(mend.label) if mend else "", mend.do if mend else "", mistake.blocks)
            found[mistake.field] = (*found.get(mistake.field, ()), wrong)
    return found
