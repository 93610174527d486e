"""Rows for the list of events and the properties of one event: numbers as text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events.report.sparkline import Sparkline, sparkline
from reporting.numbers import count, percent, significant
from reporting.words import gettext


@dataclass(frozen=True)
class EventRow:
    """One event of the list: the entry, and its numbers as text."""

    entry: Any
    events: str
    users: str
    reach: str
    reach_of: str
    reach_share: float | None
    line: Sparkline | None
    line_words: str


def event_row(entry: Any, *, one_in: int) -> EventRow:
    """The entry of the catalogue as a row; counts based on a sample of users are marked as approximate."""
    about = "≈ " if one_in > 1 else ""
    reach = entry.reach
    return EventRow(
        entry=entry,
        events=count(entry.events),
        users=about + count(entry.users),
        reach="" if reach is None else about + percent(reach),
        reach_of="" if reach is None else _of(entry.reached, entry.reached_of),
        reach_share=reach,
        line=sparkline(entry.weeks),
        line_words=_line_words(entry.weeks),
    )


def kind_words(kind: str) -> str:
    """The type of a property's values."""
    return {
        "number": gettext("number"),
        "boolean": gettext("yes or no"),
        "text": gettext("text"),
        "nested": gettext("list or object"),
        "mixed": gettext("mixed"),
        "unknown": gettext("not known"),
    }[kind]


@dataclass(frozen=True)
class PropertyRow:
    """One property or trait: how many carry it, and its frequent values."""

    entry: Any
    kind: str
    share: str
    carriers: str
    span: str
    different: str
    values: tuple[tuple[str, str, float], ...]


def property_row(entry: Any) -> PropertyRow:
    """The entry as a row. Shares of values are of the sampled events with the property."""
    span = ""
    if entry.least is not None and entry.greatest is not None:
        span = gettext("{least} to {greatest}").format(
            least=significant(entry.least), greatest=significant(entry.greatest)
        )
    return PropertyRow(
        entry=entry,
        kind=kind_words(entry.kind),
        share=percent(entry.share, 0),
        carriers=_of(entry.events, entry.of_events),
        span=span,
        different=count(entry.different),
        values=tuple((text, percent(number / entry.events), number / entry.events) for text, number in entry.values),
    )


def _of(part: int, whole: int) -> str:
    return gettext("{part} of {whole}").format(part=count(part), whole=count(whole))


def _line_words(weeks: Sequence[int]) -> str:
    if not weeks:
        return ""
    text = gettext("By week, the oldest first: {numbers}")
    return text.format(numbers=", ".join(count(number) for number in weeks))
