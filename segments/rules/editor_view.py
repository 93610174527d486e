"""View model of a rule form: names in the data as choices of every field, numbers of conditions, errors. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from anyascii import anyascii

from reporting.words import gettext
from reporting.words import shown as shown_name
from segments.rules import editor_rows
from segments.rules.editor_check import Mistake
from segments.rules.editor_rows import (
    EARLIER,
    EVER,
    FIRST,
    LAST,
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
    choices_of_days,
    place_of,
    typed_value,
)
from segments.rules.records import FEATURES, MAX_CONDITIONS, MAX_DEPTH, Operator, Scalar, feature_name

# Names and values in the data, offered as choices, and the nearest one for an unknown name. Pure.

ALIKE = 0.55  # similarity from which a name counts as a typo of another
CONSONANTS = str.maketrans({"r": "l", "v": "b", "f": "p", "z": "s"} | dict.fromkeys("aeiouyw "))
MOST_CHOICES = 60  # longer lists are searched by typing


@dataclass(frozen=True)
class KnownTrait:
    """A trait of the users read: its values, the most frequent first; `whole` when these are all values."""

    values: tuple[Scalar, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class KnownEvent:
    """An event of the log: its properties with their most frequent values as text."""

    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """Choices of a rule editor.

    Attributes:
        traits: by name, the most frequent first.
        events: by name, the one with the most users first.
        users_read: number of users whose traits were read; None when all were.
        signup: the likely signup event, or None.
    """

    traits: Mapping[str, KnownTrait] = field(default_factory=dict)
    events: Mapping[str, KnownEvent] = field(default_factory=dict)
    users_read: int | None = None
    signup: str | None = None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, ignoring case and script; None when none is similar."""
    rated = [(_likeness(name, other), other) for other in names if other != name]
    best, closest = max(rated, default=(0.0, None), key=lambda pair: pair[0])
    return closest if best >= ALIKE else None


def _likeness(name: str, other: str) -> float:
    """Similarity, 0 to 1. Names in different scripts are compared by consonants: 플랫폼 is romanised as peullaespom."""
    one, two = (anyascii(text).casefold().replace("_", " ").replace("-", " ") for text in (name, other))
    ratio = SequenceMatcher(None, one, two).ratio()
    if name.isascii() and other.isascii():
        return ratio
    return max(ratio, SequenceMatcher(None, one.translate(CONSONANTS), two.translate(CONSONANTS)).ratio())


# View model of a rule form: choices of every field, number of every condition, errors by field. Pure.


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
    whens: tuple[Choice, ...]
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
    page = _Page(known, tuple(mistakes), focus, editor_rows.count(root) >= MAX_CONDITIONS)
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
        whens=_whens(row),
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


def _whens(row: TypedCondition) -> tuple[Choice, ...]:
    """The days on which it may count; none where there is no choice."""
    words = {
        FIRST: gettext("in the first … days"),
        EVER: gettext("on all days so far"),
        LAST: gettext("in the last … days"),
        EARLIER: gettext("in the … days before the last … days"),
    }
    names = choices_of_days(row) if row.subject != "trait" else ()
    return _choices(((name, words[name]) for name in names), row.when) if len(names) > 1 else ()


def _choices(pairs: Iterable[tuple[str, str]], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, text, value == chosen) for value, text in pairs)


def _wrong(path: Path, page: _Page) -> dict[str, tuple[Wrong, ...]]:
    by_field: dict[str, tuple[Wrong, ...]] = {}
    for mistake in page.mistakes:
        if mistake.path == path:
            mend = mistake.mend
            wrong = Wrong(str(mistake.why), str(mend.label) if mend else "", mend.do if mend else "", mistake.blocks)
            by_field[mistake.field] = (*by_field.get(mistake.field, ()), wrong)
    return by_field
