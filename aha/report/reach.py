"""The weekly share of new users who reach a moment: its sentence and table. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aha.moments.claims import ReachWeek, WeeklyReach
from aha.report.axes import FEW as FEW
from reporting.charts import date_ticks, mondays
from reporting.date_marks import DateAxis
from reporting.numbers import count, day_text, percent, share
from reporting.table import Row, Table
from reporting.words import gettext
from stats.results import computable

# The weekly reach as a picture of plain lines: geometry for a template, on a time axis. Pure.
#
# The line has a gap at weeks without signups and at weeks with fewer than `FEW` users, which are marked: their share
# varies by chance. The server draws it without the chart library, which loads too slowly for a page.

WIDTH, HEIGHT = 900, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 30, 34
WEEK, ONE_DAY = timedelta(days=7), timedelta(days=1)


@dataclass(frozen=True)
class ExperimentDays:
    """An experiment on the moment: its name, address and days; `last` is None while it runs."""

    name: str
    url: str
    first: date
    last: date | None


@dataclass(frozen=True)
class WeekDot:
    """A week: its place, its interval's ends, and how it is drawn: ``full``, ``open`` (not complete), ``few``."""

    x: float
    y: float
    low: float
    high: float
    kind: str
    text: str


@dataclass(frozen=True)
class Label:
    """A text at a position of an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Band:
    """The days of an experiment."""

    x: float
    width: float
    name: str


@dataclass(frozen=True)
class ReachPicture:
    """Everything that the template draws.

    Attributes:
        lines: runs of neighbouring weeks as points of a polyline.
        dots, days, shares, bands: weeks, ticks of both axes, experiments.
        dates: days of each week, by the text of its dot.
        own: addresses of the experiments that are drawn as bands.
    """

    width: int
    height: int
    floor: float
    left: float
    right: float
    lines: tuple[str, ...]
    dots: tuple[WeekDot, ...]
    days: tuple[Label, ...]
    shares: tuple[Label, ...]
    bands: tuple[Band, ...]
    dates: DateAxis
    own: tuple[str, ...]


def picture(
    reach: WeeklyReach, tests: Sequence[ExperimentDays] = (), *, width: int = WIDTH, height: int = HEIGHT
) -> ReachPicture | None:
    """Coordinates of the chart of weekly reach; None while no week has eligible users."""
    weeks = [row for row in reach.weeks if computable(row.share)]
    if not weeks:
        return None
    first, last = weeks[0].week, weeks[-1].week + WEEK
    known = [row.share for row in weeks if computable(row.share) and row.eligible >= FEW]
    top = _ceiling(max((share.high for share in known), default=1.0))

    def x(day: date) -> float:
        return round(LEFT + (width - LEFT - RIGHT) * (day - first).days / (last - first).days, 1)

    def y(share: float) -> float:
        return round(TOP + (height - TOP - BOTTOM) * (1 - min(share, top) / top), 1)

    dots = tuple(_dot(row, x(row.week), y) for row in weeks)
    return ReachPicture(
        width,
        height,
        y(0.0),
        LEFT,
        width - RIGHT,
        _lines(weeks, dots),
        dots,
        tuple(Label(x(first + place * WEEK), text) for place, text in date_ticks(mondays([first, last]))),
        tuple(Label(y(top * n / 4), percent(top * n / 4, 0)) for n in range(5)),
        _bands(tests, first, last, x),
        DateAxis(
            {dot.text: (row.week, row.week + WEEK - ONE_DAY) for row, dot in zip(weeks, dots, strict=True)},
            straight=True,
        ),
        tuple(test.url for test in tests),
    )


@dataclass(frozen=True)
class Trend:
    """The latest complete week with enough users, and the line of such weeks."""

    now: str
    lines: tuple[str, ...]


def trend(reach: WeeklyReach | None) -> Trend | None:
    """The trend for lists; None while there is no complete week with enough users."""
    weeks = () if reach is None else [row for row in reach.weeks if row.complete and row.eligible >= FEW]
    share = weeks[-1].share if weeks else None
    if reach is None or share is None or not computable(share):
        return None
    return Trend(percent(share.estimate, 0), sparkline(reach))


def sparkline(reach: WeeklyReach, *, width: int = 120, height: int = 28) -> tuple[str, ...]:
    """Lines of complete weeks with enough users, for a list."""
    weeks = [row for row in reach.weeks if computable(row.share) and row.eligible >= FEW and row.complete]
    if len(weeks) < 2:
        return ()
    first, span = weeks[0].week, (weeks[-1].week - weeks[0].week).days
    top = max(row.share.estimate for row in weeks if computable(row.share)) or 1.0
    places = [((row.week - first).days / span, 1 - row.share.estimate / top) for row in weeks if computable(row.share)]
    return (" ".join(f"{2 + (width - 4) * x:.1f},{2 + (height - 4) * y:.1f}" for x, y in places),)


def _dot(row: ReachWeek, x: float, y: Callable[[float], float]) -> WeekDot:
    share = row.share
    if not computable(share):
        raise ValueError("only weeks with a share are drawn")
    kind = "few" if row.eligible < FEW else "full" if row.complete else "open"
    text = f"{day_text(row.week)}: {percent(share.estimate)} (n = {row.eligible:,})"
    return WeekDot(x, y(share.estimate), y(share.low), y(share.high), kind, text)


def _lines(weeks: Sequence[ReachWeek], dots: Sequence[WeekDot]) -> tuple[str, ...]:
    """Neighbouring complete weeks with enough users, as one line each."""
    runs: list[list[str]] = [[]]
    before: date | None = None
    for row, dot in zip(weeks, dots, strict=True):
        if dot.kind != "full" or (before is not None and row.week - before != WEEK):
            runs.append([])
        if dot.kind == "full":
            runs[-1].append(f"{dot.x},{dot.y}")
            before = row.week
        else:
            before = None
    return tuple(" ".join(run) for run in runs if len(run) > 1)


def _bands(tests: Sequence[ExperimentDays], first: date, last: date, x: Callable[[date], float]) -> tuple[Band, ...]:
    bands = []
    for test in tests:
        begin, end = max(test.first, first), min(test.last or last, last)
        if begin < end:
            bands.append(Band(x(begin), round(x(end) - x(begin), 1), test.name))
    return tuple(bands)


def _ceiling(share: float) -> float:
    """The smallest of a few round shares that is not below the largest one."""
    return next((top for top in (0.04, 0.08, 0.2, 0.4, 0.6, 0.8) if share <= top), 1.0)


# Timeline of a moment: found, promoted, tested, decided. Pure.


@dataclass(frozen=True)
class TimelineStep:
    """One step of the timeline.

    Attributes:
        name: what it is called.
        state: ``done``, ``here``, ``bad``, ``warn``, or "" for one that hasn't come.
        day: when; None where there is none.
        link, words: the page behind it.
    """

    name: str
    state: str
    day: date | None = None
    link: str = ""
    words: str = ""


def steps(
    *,
    status: str,
    found: TimelineStep | None,
    promoted: date,
    by: str,
    tests: Sequence[ExperimentDays],
    decided: date | None,
) -> tuple[TimelineStep, ...]:
    """The four steps of a moment, the experiments among them with their links."""
    began = found or TimelineStep(gettext("Written by hand"), "done", promoted)
    tested = [
        TimelineStep(gettext("Tested"), "done" if test.last else "here", test.first, test.url, test.name)
        for test in tests
    ] or [TimelineStep(gettext("Not tested yet"), "here" if status == "candidate" else "")]
    ends = {
        "confirmed": (gettext("Confirmed"), "done"),
        "refuted": (gettext("Refuted"), "bad"),
        "inconclusive": (gettext("Inconclusive"), "warn"),
    }
    name, state = ends.get(status, (gettext("Verdict"), ""))
    return (
        began,
        TimelineStep(gettext("Promoted"), "done", promoted, words=by),
        *tested,
        TimelineStep(name, state, decided),
    )


def finding(reach: WeeklyReach) -> str:
    """The last complete week against the one before."""
    done = [row for row in reach.weeks if row.complete and computable(row.share) and row.eligible >= FEW]
    shares = [row.share.estimate for row in done if computable(row.share)]
    if not shares:
        return gettext("No week with {n} users or more is complete yet.").format(n=FEW)
    if len(shares) == 1:
        text = gettext("In the last complete week {now} of the new users did it.")
        return text.format(now=percent(shares[-1]))
    text = gettext("In the last complete week {now} of the new users did it, in the week before {before}.")
    return text.format(now=percent(shares[-1]), before=percent(shares[-2]))


def table(found: WeeklyReach) -> Table:
    """The weeks, newest first."""
    rows: tuple[Row, ...] = tuple(
        (
            day_text(row.week),
            count(row.signups),
            count(row.eligible),
            count(row.reached),
            share(row.share),
            gettext("yes") if row.complete else gettext("not yet"),
        )
        for row in reversed(found.weeks)
    )
    columns = (
        gettext("week of signup (Monday)"),
        gettext("signed up"),
        gettext("days complete"),
        gettext("did it"),
        gettext("share (95% CI)"),
        gettext("week complete"),
    )
    note = gettext("Only users whose days are complete can have done it. Weeks that are not complete may still change.")
    return Table(gettext("Share who did it, by signup week"), columns, rows, note)
