"""The calendar of tests: when each experiment enrols and waits for its outcome, and where two need the same users.

Read from stored plans and counts of assignments alone; no question goes to the event store.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan.fields import Enrolment
from experiments.plan.lifecycle import LIVE, Status
from experiments.plan.record import WHOLE
from experiments.status.overview import Progress, standings
from reporting.numbers import count, percent

BEFORE, AFTER = 8, 26  # weeks that the calendar shows before and after this one
MOST = 100  # the newest experiments
SHOWN = (Status.DRAFT, *LIVE, Status.STOPPED)
EVERYBODY = ""  # in `Bar.segments`: whoever is in no row above


@dataclass(frozen=True)
class Bar:
    """One experiment on the calendar.

    Attributes:
        experiment: its row.
        starts: first day of enrolment; of a draft today, as if it started now.
        ends: last day of enrolment, planned or passed; today where a planned end has passed without a stop; None
            without a planned end.
        result: the day from which every outcome is known; None while unknown.
        enrolled: users exposed so far.
        needed: planned users; None where not planned.
        open: True while users are enrolled, or would be.
        layer: key of its layer; "" without one.
        slice: share of the layer's users that it takes, 0 to 1; 1 without a layer.
        population: which users enter: the signup event of new users, or `*` for all users.
        segments: share of the users of each segment that it enrols, 0 to 1, by the segment's key.
    """

    experiment: Experiment
    starts: date
    ends: date | None
    result: date | None
    enrolled: int
    needed: int | None
    open: bool
    layer: str
    slice: float
    population: str
    segments: Mapping[str, float]

    @property
    def missing(self) -> int:
        """Users that are still needed."""
        return max((self.needed or 0) - self.enrolled, 0)


@dataclass(frozen=True)
class Collision:
    """Experiments that need the same users at the same time, in one sentence."""

    bars: tuple[Bar, ...]
    sentence: str


def bars(today: date) -> list[Bar]:
    """Planned, running and ended experiments that aren't closed with a note, those that end first on top."""
    rows = Experiment.objects.filter(status__in=[status.value for status in SHOWN]).select_related("moment", "layer")
    rows = rows.defer("moment__evidence").prefetch_related("variants", "audience").order_by("-pk")[:MOST]
    made = [_bar(at, today) for at in standings(rows)]
    return sorted(made, key=lambda bar: (bar.ends or date.max, bar.experiment.pk))


def _bar(at: Progress, today: date) -> Bar:
    row, ending = at.experiment, at.until
    new = row.enrolment == Enrolment.NEW_UNITS
    signup = row.signup_event or (row.moment.signup_event if row.moment is not None else "")
    audience = list(row.audience.all())
    return Bar(
        experiment=row,
        starts=today if row.started_at is None else timezone.localdate(row.started_at),
        ends=today if ending.overdue else ending.enrolment,
        result=ending.result,
        enrolled=at.exposed,
        needed=at.planned,
        open=not ending.ended and row.status != Status.STOPPED,
        layer="" if row.layer is None else row.layer.key,
        slice=1.0 if row.layer is None else max(row.layer_high - row.layer_low, 0) / WHOLE,
        population=(signup or "signup") if new else "*",
        segments={part.segment_key or EVERYBODY: part.coverage / WHOLE for part in audience} or {EVERYBODY: 1.0},
    )


# Where experiments collide.


def collisions(
    shown: Sequence[Bar], today: date, daily: Mapping[str, float], names: Mapping[str, str]
) -> list[Collision]:
    """Experiments that enrol the same users, and layers without enough users for all of theirs.

    Args:
        shown: from `bars`.
        today: enrolment before it decides nothing any more.
        daily: users a day by population, where known.
        names: of segments, by their key.
    """
    enrolling = [bar for bar in shown if bar.open and bar.ends is not None and bar.ends >= today]
    pairs = [found for pair in combinations(enrolling, 2) if (found := _shared(*pair, today, names)) is not None]
    layers = sorted({bar.layer for bar in enrolling if bar.layer})
    within = [found for layer in layers for found in _crowded(layer, enrolling, today, daily)]
    return [*within, *pairs]


def _shared(one: Bar, other: Bar, today: date, names: Mapping[str, str]) -> Collision | None:
    """Two experiments outside a common layer that enrol the same users in the same days; two drafts may still move."""
    if one.layer and one.layer == other.layer:
        return None  # they exclude each other
    if Status.DRAFT == one.experiment.status == other.experiment.status:
        return None
    period = _together(one, other, today)
    alike = one.population == other.population or "*" in (one.population, other.population)
    where = _common_segments(one, other)
    if period is None or not alike or not where:
        return None
    share = max(other.segments.get(name, other.segments.get(EVERYBODY, 0.0)) for name in where) * other.slice
    text = _(
        "“{one}” and “{other}” enrol the same users from {first} to {last} ({where}): {share} of the first one's users "
        "meet the other, too."
    )
    said = [names.get(name, name) or _("everybody") for name in where]
    sentence = text.format(
        one=one.experiment.title,
        other=other.experiment.title,
        first=date_format(period[0]),
        last=date_format(period[1]),
        where=", ".join(said),
        share=percent(share, 0),
    )
    return Collision((one, other), sentence)


def _common_segments(one: Bar, other: Bar) -> list[str]:
    """Segments whose users both enrol: a row for everybody has the users of each segment."""
    both = [name for name in one.segments if name in other.segments]
    if both:
        return sorted(both)
    some = [*one.segments] if EVERYBODY in other.segments else []
    return sorted(some + ([*other.segments] if EVERYBODY in one.segments else []))


def _together(one: Bar, other: Bar, today: date) -> tuple[date, date] | None:
    """First and last day on which both enrol, from today on."""
    if one.ends is None or other.ends is None:
        return None
    first, last = max(one.starts, other.starts, today), min(one.ends, other.ends)
    return (first, last) if first <= last else None


def _crowded(layer: str, enrolling: Sequence[Bar], today: date, daily: Mapping[str, float]) -> Iterator[Collision]:
    """A layer whose slices overlap, and one whose users don't suffice for what its experiments need."""
    inside = tuple(bar for bar in enrolling if bar.layer == layer)
    for one, other in combinations(inside, 2):
        low = max(one.experiment.layer_low, other.experiment.layer_low)
        high = min(one.experiment.layer_high, other.experiment.layer_high)
        if low < high and _together(one, other, today) is not None:
            text = _("In layer “{layer}” “{one}” and “{other}” take the same {share} of users: only one can have them.")
            share = percent((high - low) / WHOLE, 0)
            sentence = text.format(layer=layer, one=one.experiment.title, other=other.experiment.title, share=share)
            yield Collision((one, other), sentence)
    for bar in inside:
        if (short := _short(bar, today, daily)) is not None:
            come, ends = short
            text = _(
                "In layer “{layer}” “{name}” needs {missing} more users until {ends}. About {come} will come to its "
                "{share} of the layer."
            )
            sentence = text.format(
                layer=layer,
                name=bar.experiment.title,
                missing=count(bar.missing),
                ends=date_format(ends),
                come=count(come),
                share=percent(bar.slice, 0),
            )
            yield Collision((bar,), sentence)


def _short(bar: Bar, today: date, daily: Mapping[str, float]) -> tuple[int, date] | None:
    """How many users come to a slice until its planned end, where fewer than it needs; None where enough or unknown."""
    per_day = daily.get(bar.population)
    if per_day is None or bar.ends is None or not bar.missing:
        return None
    days = (bar.ends - max(bar.starts, today)).days + 1
    come = int(days * per_day * bar.slice * min(sum(bar.segments.values()), 1.0))
    return (come, bar.ends) if come < bar.missing else None


# The weeks of the calendar as a drawing.

UNIT = 16  # the width of a week


@dataclass(frozen=True)
class Stripe:
    """A part of a bar: where it begins, and how long it is."""

    x: float
    width: float


@dataclass(frozen=True)
class Month:
    """The name of a month and where it begins."""

    x: float
    name: str


def first_day(today: date) -> date:
    """The Monday on which the calendar begins."""
    return today - timedelta(days=today.weekday(), weeks=BEFORE)


def width() -> int:
    """The width of the drawing."""
    return (BEFORE + AFTER + 1) * UNIT


def place(day: date, first: date) -> float:
    """Where a day begins, inside the drawing."""
    return round(min(max((day - first).days / 7 * UNIT, 0.0), float(width())), 2)


def stripe(begin: date | None, end: date | None, first: date) -> Stripe | None:
    """The days from one to another, both included; None where none of them is shown."""
    if begin is None or end is None or end < begin:
        return None
    left, right = place(begin, first), place(end + timedelta(days=1), first)
    return Stripe(left, round(right - left, 2)) if right > left else None


def months(first: date) -> list[Month]:
    """The first days of months that are shown."""
    last = first + timedelta(weeks=BEFORE + AFTER)
    days = [date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 1) for n in range(1, 10)]
    return [Month(place(day, first), date_format(day, "M")) for day in days if first <= day <= last]
