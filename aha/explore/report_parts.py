"""Result record of every Explore view, and helpers that the views share. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from aha.explore.question import BY_CALENDAR, Question
from events.metrics import Behaviour, display_name, sentences
from reporting.charts import BLUE, GREEN, ORANGE, PURPLE, SERIES, mondays
from reporting.numbers import between, count, day_text, limits, minute_text, month_day_text, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Table
from reporting.words import gettext, reason_words
from segments.names import title_of
from stats.results import NotComputable, Reason
from stats.score import newcombe_limits, wilson_limits

TINY = 30  # users: shares with a smaller denominator are marked
type Payload = dict[str, Any]
type Cell = str | int | float | None


@dataclass(frozen=True)
class HeatCell:
    """One cell of the triangle: its text, tooltip, CSS class of the shade, and the address's rest for its users."""

    text: str
    title: str
    classes: str
    link: str = ""


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
    """The groups that have users; without groups one series of all users."""
    segments = [row for row in payload["segments"] if row["users"]]
    names = [group_name(row) for row in segments]
    return tuple(
        Series(row["key"], name, SERIES[place % len(SERIES)], place)
        for place, (row, name) in enumerate(zip(segments, names, strict=True))
    )


def group_name(row: Payload) -> str:
    """Name of one of the groups side by side."""
    if row["key"] == "others":
        return gettext("others ({n})").format(n=count(row["values"]))
    if row.get("pattern"):
        return title_of("", row["name"], row["pattern"])
    return str(row["name"]) or {"unknown": gettext("not known")}.get(row["key"], gettext("all users"))


def compared(what: str, lines: Sequence[Series], ratios: Sequence[Ratio]) -> str:
    """Two groups and their difference in a sentence that begins with what they did; "" for any other number."""
    if len(lines) != 2:
        return ""
    interval = difference(ratios[1], ratios[0], 1)
    if interval is None:
        return ""
    estimate, low, high = interval
    text = gettext("{what}: {first} {one}, {second} {two}; difference {points} points (95%: {limits}).")
    return text.format(
        what=what,
        first=lines[0].name,
        one=percent(ratios[0].share),
        second=lines[1].name,
        two=percent(ratios[1].share),
        points=points(estimate),
        limits=between(points(low), points(high)),
    )


def difference(first: Ratio, second: Ratio, comparisons: int) -> tuple[float, float, float] | None:
    """First minus second with Newcombe's interval, for so many comparisons at once; None where one has no users."""
    if not (first.is_known and second.is_known):
        return None
    low, high = newcombe_limits(
        (first.part, first.whole), (second.part, second.whole), alpha=0.05 / max(comparisons, 1)
    )
    return first.share - second.share, float(low), float(high)


def share_of_users(ratio: Ratio) -> str:
    """A share for a tooltip, with the users behind it; of few users without an interval, which would say nothing."""
    if ratio.is_tiny:
        text = gettext("{share} of {users} users: too few")
        return text.format(share=percent(ratio.share), users=count(ratio.whole))
    return gettext("{share} of {users} users").format(share=ratio, users=count(ratio.whole))


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
        gettext("days are calendar days of the site's time zone")
        if question.day_mode == "calendar"
        else gettext("days are 24 hours from signup")
    )
    sentence = gettext("{users} users. Signup is {start}; {days}. The data end at {end}.").format(
        users=count(payload["users"]), start=start, days=days, end=minute(payload["end"])
    )
    lines = [sentence, _dates(question, payload), _zone(question, payload), *_grouped(question)]
    lines += [
        gettext("{name}: no users here.").format(name=group_name(row))
        for row in payload["segments"]
        if not row["users"]
    ]
    return tuple(lines)


def _grouped(question: Question) -> tuple[str, ...]:
    """What the groups are, where it doesn't go without saying."""
    if question.compare:
        return (gettext("A user who is in both segments counts in both."),)
    kind, _, name = question.group.partition(":")
    return {
        "trait": (gettext("{trait}: as it was last sent for each user.").format(trait=name),),
        "experiment": (
            gettext(
                "Each user counts in the first group met; users outside the experiment don't count. Days count from "
                "signup here, so what the experiment found stands in its own report."
            ),
        ),
    }.get(kind, ())


def _dates(question: Question, payload: Payload) -> str:
    """Which dates of signup are counted, or which dates are shown; "" for all."""
    dates = {name: day_text(payload[name]) if payload[name] else "…" for name in ("first", "last")}
    if dates["first"] == dates["last"] == "…":
        return ""
    if question.view in BY_CALENDAR:
        text = gettext("Shown: {first} to {last}. Users count whenever they signed up.")
    else:
        text = gettext("Signed up from {first} to {last}.")
    return text.format(**dates)


def _zone(question: Question, payload: Payload) -> str:
    """Whose dates are shown: of users whose days are rolling, those of UTC; "" where that is the site's zone anyway."""
    zone = payload.get("zone", "UTC")
    by_dates = question.view in BY_CALENDAR or question.day_mode == "calendar"
    if by_dates:
        return gettext("Dates are those of {zone}.").format(zone=zone)
    return (
        "" if zone == "UTC" else gettext("Dates of signup are those of UTC, since days of 24 hours have no time zone.")
    )


def left_out(payload: Payload, shown: int) -> str:
    """That not all dates, weeks or months fit, or "" when they do."""
    if payload["all_places"] <= shown:
        return ""
    return gettext("The last {shown} of {all} are shown.").format(shown=shown, all=payload["all_places"])


def ninety_five(ratio: Ratio) -> str:
    """The limits of a share, as a sentence holds them."""
    return gettext("95%: {limits}").format(limits=between(*(percent(limit) for limit in ratio.limits)))


def minute(moment: str) -> str:
    """A moment in UTC up to the minute."""
    return f"{minute_text(datetime.fromisoformat(moment))} UTC"


def definition(question: Question) -> str:
    """The retention in words."""
    retention = question.definition
    return "" if retention is None else sentences.sentence(retention)


def day(text: str) -> date:
    """A date of the payload."""
    return date.fromisoformat(text)


def month_day(text: str) -> str:
    """Short form of an ISO date."""
    return month_day_text(date.fromisoformat(text))


def week_places(weeks: Iterable[str]) -> dict[str, int]:
    """Weeks since the first one: where each stands on an axis, which keeps the room of a week without anybody."""
    return {f"{monday}": place for place, monday in enumerate(mondays(map(day, weeks)))}


PALETTE = {"new": BLUE, "current": GREEN, "returning": PURPLE, "dormant": ORANGE}
type Draw = Callable[[Question, Payload], Shown]


def top_of(values: Sequence[float], *, least: float = 0.0) -> float:
    """The upper border of an axis for these values."""
    return max([*values, least]) * 1.06 or 1.0
