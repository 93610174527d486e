"""Parts of the data pages: rows of the list of events, one event day by day, the state of a source. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reporting.charts import BLUE, date_ticks, reading
from reporting.numbers import count, day_text, percent, significant
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import gettext, week_words

# A weekly line as the points of an SVG polyline. Pure.

WIDTH, HEIGHT, EDGE = 96, 24, 2


@dataclass(frozen=True)
class Sparkline:
    """Points for ``<polyline points>`` and the position of the last one."""

    points: str
    last_x: float
    last_y: float
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[int]) -> Sparkline | None:
    """The line from 0 to the largest value; None with fewer than two values."""
    if len(values) < 2:
        return None
    top = max(values) or 1
    step = (WIDTH - 2 * EDGE) / (len(values) - 1)
    places = [
        (round(EDGE + place * step, 1), round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top, 1))
        for place, value in enumerate(values)
    ]
    return Sparkline(" ".join(f"{x},{y}" for x, y in places), *places[-1])


# Rows for the list of events and the properties of one event: numbers as text. Pure.


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


# How often an event occurs, day by day or week by week: chart and table. Pure.

SHOWN = 120  # days or weeks in the chart; earlier ones are only in the table
LISTED = 400


def sheet(label: str, rows: Sequence[tuple[date, int]], *, weekly: bool, zone: str) -> Sheet | None:
    """Occurrences as bars with tooltips, days those of a zone; None without any."""
    shown = rows[-SHOWN:]
    if not shown:
        return None
    top = max(events for _day, events in shown) * 1.06 or 1.0
    made = Sheet("event-trend", heading(label, weekly=weekly), (-0.6, len(shown) - 0.4), (0.0, top), height=240.0)
    made.x_axis(_days_of(zone, weekly=weekly), date_ticks([day for day, _events in shown]))
    made.count_axis(gettext("occurrences"))
    for place, (day, events) in enumerate(shown):
        made.bar((place - 0.4, place + 0.4), (0.0, events), BLUE, f"{day_text(day)}: {count(events)}")
    word = gettext("occurrences")
    made.readings(
        [
            (place, reading(week_words(day_text(day)) if weekly else day_text(day), [(word, count(events))]))
            for place, (day, events) in enumerate(shown)
        ],
        periods=[(day, day + timedelta(days=6 if weekly else 0)) for day, _events in shown],
    )
    return made


def heading(label: str, *, weekly: bool) -> str:
    """The chart's heading."""
    text = gettext("{event}: occurrences a week") if weekly else gettext("{event}: occurrences a day")
    return text.format(event=label)


def table(label: str, rows: Sequence[tuple[date, int, int | None]], *, weekly: bool, zone: str) -> Table:
    """The same rows as a table, newest first; users for days only."""
    head = (_days_of(zone, weekly=weekly), gettext("occurrences"))
    columns = head if weekly else (*head, gettext("users"))
    cells: tuple[Row, ...] = tuple(
        (str(day), count(events)) if users is None else (str(day), count(events), count(users))
        for day, events, users in reversed(rows[-LISTED:])
    )
    note = ""
    if len(rows) > LISTED:
        note = gettext("The newest {shown} of {all} rows.").format(shown=LISTED, all=count(len(rows)))
    return Table(heading(label, weekly=weekly), columns, cells, note)


def _days_of(zone: str, *, weekly: bool) -> str:
    text = gettext("week (Monday, {zone})") if weekly else gettext("day ({zone})")
    return text.format(zone=zone)


# Labels for the status of a source. Pure.

LIGHTS = {"never": "", "silent": "warn", "refused": "bad", "live": "good"}


def state_words(state: str) -> str:
    """The status as a tag."""
    return {
        "never": gettext("no event this week"),
        "silent": gettext("silent"),
        "refused": gettext("many refused"),
        "live": gettext("receiving"),
    }[state]
