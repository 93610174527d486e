"""Result record of every Explore view, and helpers that the views share. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from aha.explore.question import Question
from events import metric_sentences
from events.metrics import Behaviour, display_name
from reporting.charts import BLUE, GREEN, ORANGE, PURPLE, SERIES
from reporting.numbers import count, limits
from reporting.plain_svg import Sheet
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, Reason
from stats.score import newcombe_limits, wilson_limits

TINY = 30  # users: shares with a smaller denominator are marked
type Payload = dict[str, Any]
type Cell = str | int | float | None


@dataclass(frozen=True)
class HeatCell:
    """One cell of the triangle: its text, tooltip, and CSS class of the shade."""

    text: str
    title: str
    classes: str


@dataclass(frozen=True)
class Heat:
    """The triangle: headings, and rows of a name and cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    note: str


@dataclass(frozen=True)
class Shown:
    """One result as the page shows it.

    Attributes:
        finding: the answer in a sentence, shown with the first chart.
        notes: what the reader must know.
        sheets: the pictures.
        tables: the numbers behind them.
        names, rows: column names and rows of the same numbers, for the CSV file.
        heat: the triangle of the view that has one.
        outcome: the SPEC that an experiment may be judged by; "" for none.
        warnings: what makes the answer doubtful.
        opened: how many of the tables are open at first; the others open on a click.
    """

    finding: str
    notes: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    tables: tuple[Table, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    heat: Heat | None = None
    outcome: str = ""
    warnings: tuple[str, ...] = ()
    opened: int = 0


@dataclass(frozen=True)
class Ratio:
    """A part of a whole with Wilson's interval; undefined when the whole is 0."""

    part: int
    whole: int

    @property
    def share(self) -> float:
        """0 to 1; check `is_known` first."""
        return self.part / self.whole

    @property
    def is_known(self) -> bool:
        """Whether the whole is above 0."""
        return self.whole > 0

    @property
    def is_tiny(self) -> bool:
        """Whether the whole is too small for a meaningful share."""
        return self.whole < TINY

    @property
    def limits(self) -> tuple[float, float]:
        """Wilson's limits."""
        low, high = wilson_limits(self.part, self.whole)
        return float(low), float(high)

    def __str__(self) -> str:
        if not self.is_known:
            return reason_words(NotComputable(Reason.NO_DATA))
        return limits(self.share, *self.limits)

    def cells(self) -> tuple[Cell, ...]:
        """Part, whole, share, lower and upper limit, for a file."""
        if not self.is_known:
            return (self.part, self.whole, None, None, None)
        return (self.part, self.whole, round(self.share, 6), *(round(limit, 6) for limit in self.limits))


RATIO_NAMES = ("share", "low", "high")


@dataclass(frozen=True)
class Series:
    """One of the compared segments: key, name, colour, place."""

    key: str
    name: str
    colour: str
    place: int


def series_of(payload: Payload) -> tuple[Series, ...]:
    """The segments that have users; without segments one unnamed series of all users."""
    found = [row for row in payload["segments"] if row["users"]]
    names = [row["name"] or gettext("all users") for row in found]
    return tuple(
        Series(row["key"], name, SERIES[place % len(SERIES)], place)
        for place, (row, name) in enumerate(zip(found, names, strict=True))
    )


def difference(first: Ratio, second: Ratio, comparisons: int) -> tuple[float, float, float] | None:
    """First minus second with Newcombe's interval, for so many comparisons at once; None where one has no users."""
    if not (first.is_known and second.is_known):
        return None
    low, high = newcombe_limits(
        (first.part, first.whole), (second.part, second.whole), alpha=0.05 / max(comparisons, 1)
    )
    return first.share - second.share, float(low), float(high)


def behaviour_name(behaviour: Behaviour) -> str:
    """Display name of a behaviour."""
    return display_name(str(behaviour))


def who(question: Question, payload: Payload) -> tuple[str, ...]:
    """Which users are counted and how, shown below every result."""
    start = (
        gettext("the first event of any kind")
        if question.signup == "*"
        else gettext("the first {event}").format(event=question.signup)
    )
    days = (
        gettext("days are calendar days of the project's time zone")
        if question.day_mode == "calendar"
        else gettext("days are 24 hours from signup")
    )
    first = question.first.isoformat() if question.first else ""
    last = question.last.isoformat() if question.last else ""
    sentence = gettext("{users} users. Signup is {start}; {days}. The data end at {end}.").format(
        users=count(payload["users"]), start=start, days=days, end=minute(payload["end"])
    )
    found = [sentence]
    if first or last:
        found.append(gettext("Signed up from {first} to {last}.").format(first=first or "…", last=last or "…"))
    found += [
        gettext("Segment {name} has no users here.").format(name=row["name"])
        for row in payload["segments"]
        if not row["users"]
    ]
    return tuple(found)


def minute(moment: str) -> str:
    """A moment in UTC up to the minute."""
    return f"{moment[:10]} {moment[11:16]} UTC"


def definition(question: Question) -> str:
    """The retention in words."""
    found = question.definition
    return "" if found is None else metric_sentences.sentence(found)


def day(text: str) -> date:
    """A date of the payload."""
    return date.fromisoformat(text)


def month_day(text: str) -> str:
    """Short form of a date."""
    return text[5:]


PALETTE = {"new": BLUE, "current": GREEN, "returning": PURPLE, "dormant": ORANGE}
type Draw = Callable[[Question, Payload], Shown]


def top_of(values: Sequence[float], *, least: float = 0.0) -> float:
    """The upper border of an axis for these values."""
    return max([*values, least]) * 1.06 or 1.0
