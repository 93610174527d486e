"""Marks of what happened, on curves over dates: a thin line where something begins, and words in the tooltip. Pure.

Stored pictures hold no marks: a page puts them into the markup that it shows. So a mark is there as soon as somebody
writes it down, one picture serves readers who may see the calendar and readers who may not, and files that leave the
site tell nothing of it. The renderer has put an invisible line at each place that can be read
(`reporting.charts.readings`); positions of marks come from those lines, so there is no second copy of its scale.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape, unescape
from typing import Any

from reporting.charts import READING
from reporting.numbers import between, count, day_text
from reporting.words import gettext

MOST = 24  # marks of one curve: more would be a fence before the data
MOST_TOLD = 4  # at one place, in its tooltip
BEYOND = 14.0  # pixels: a mark after the last place stays inside the plot
DAYS = {"day": 1, "week": 7}  # of one place, by the column of a time axis
SIGN = "▼"


@dataclass(frozen=True)
class DateMark:
    """One thing that happened.

    Attributes:
        first, last: dates, both inclusive; `last` None where it isn't over.
        title: what it was.
        kind: in the reader's language.
        link: address of a page about it; "" for none.
    """

    first: date
    last: date | None
    title: str
    kind: str
    link: str = ""

    @property
    def dates(self) -> str:
        """Its dates in words."""
        return days_said(self.first, self.last)

    def touches(self, first: date, last: date) -> bool:
        """Whether it begins or goes on between two dates, both inclusive.

        What began before them and isn't over bends no curve between them, so it doesn't count.
        """
        return self.first <= last and (self.first if self.last is None else self.last) >= first


def days_said(first: date, last: date | None) -> str:
    """First and last day in words; `last` None where it isn't over."""
    if last is None:
        return gettext("since {day}").format(day=day_text(first))
    return day_text(first) if last == first else between(day_text(first), day_text(last))


@dataclass(frozen=True)
class DateAxis:
    """The places of a curve's x axis that can be read.

    Attributes:
        places: first and last day of each, by what its tooltip says.
        straight: a day stands where a time axis puts it; False where a place is a bar, which holds its whole period.
    """

    places: Mapping[str, tuple[date, date]]
    straight: bool = False

    @property
    def ends(self) -> tuple[date, date] | None:
        """The first and the last day; None without places."""
        days = self.places.values()
        return (min(first for first, _last in days), max(last for _first, last in days)) if days else None


@dataclass(frozen=True)
class Stop:
    """A place as it was drawn: its days, and its line from `top` to `floor` in the picture's own pixels."""

    first: date
    last: date
    x: float
    top: float
    floor: float


def axis_of(spec: Mapping[str, Any]) -> DateAxis:
    """The dates that a stored chart can be read at; without places where its x axis has none."""
    places: dict[str, tuple[date, date]] = {}
    for layer in _readings(spec):
        x, found = layer["encoding"]["x"], layer["data"]
        if x.get("type") != "temporal" or x["field"] not in DAYS:
            continue
        for row in found.get("values") or spec.get("datasets", {}).get(found.get("name", ""), []):
            first = date.fromisoformat(row[x["field"]])
            places[row[READING]] = first, first + timedelta(days=DAYS[x["field"]] - 1)
    return DateAxis(places, straight=True)


def _readings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, Mapping):
        if node.get("name") == READING:
            yield dict(node)
        for name in ("layer", "vconcat", "hconcat"):
            for child in node.get(name, ()):
                yield from _readings(child)


GROUP = re.compile(rf'<g class="[^"]*\b{READING}_[^"]*"[^>]*>(?P<lines>.*?)</g>', re.DOTALL)
LINE = re.compile(r'<line(?P<attributes>(?:\s+[\w:-]+="[^"]*")*)\s*/?>')
ATTRIBUTE = re.compile(r'([\w:-]+)="([^"]*)"')
MOVED = re.compile(r"translate\(([-\d.e]+),\s*([-\d.e]+)\)")


def marked(markup: str, axis: DateAxis, marks: Sequence[DateMark]) -> str:
    """The SVG with its marks, drawn below the lines that are read, and told in the tooltips of their places.

    Args:
        markup: holds `<svg>` elements made by `reporting.charts` or `reporting.plain_svg`, or in their way.
        axis: of the curve.
        marks: those that touch its dates, at most `MOST`.
    """
    return GROUP.sub(lambda group: _group(group, axis, marks), markup) if marks else markup


def _group(group: re.Match[str], axis: DateAxis, marks: Sequence[DateMark]) -> str:
    """One panel's lines with their further words, behind the marks."""
    lines = [(line, dict(ATTRIBUTE.findall(line["attributes"]))) for line in LINE.finditer(group["lines"])]
    read = [(line[0], attributes.get("aria-label", ""), attributes) for line, attributes in lines]
    known = [(text, label, attributes) for text, label, attributes in read if unescape(label) in axis.places]
    if not known:
        return group[0]
    stops = [_stop(axis.places[unescape(label)], attributes) for _text, label, attributes in known]
    rising, whole = sorted(stops, key=lambda stop: stop.first), group[0]
    for (text, label, _attributes), stop in zip(known, stops, strict=True):
        if words := told(stop, rising, marks, straight=axis.straight):
            more = "".join("&#10;" + escape(row).replace("\t", "&#9;") for row in words)
            whole = whole.replace(text, text.replace(f'aria-label="{label}"', f'aria-label="{label}{more}"'), 1)
    return _drawn(rising, axis, marks) + whole


def _stop(days: tuple[date, date], attributes: Mapping[str, str]) -> Stop:
    if found := MOVED.match(attributes.get("transform", "")):
        x, top = float(found[1]), float(found[2])
        return Stop(*days, x, top, top + float(attributes["y2"]))
    return Stop(*days, *(float(attributes[name]) for name in ("x1", "y1", "y2")))


def told(stop: Stop, stops: Sequence[Stop], marks: Sequence[DateMark], *, straight: bool) -> list[str]:
    """What the tooltip of a place says of its marks, a line each: first what begins there, then what goes on.

    On a straight axis a mark late in a week stands nearer to the next week, whose tooltip a pointer on it gets: that
    says it, too.

    Args:
        stop: the place.
        stops: all places, rising.
        marks: all that are drawn.
        straight: as in `DateAxis`.
    """
    later = [other.first for other in stops if other.first > stop.first]
    last = max(stop.last, min(later) - timedelta(days=1)) if later else stop.last  # days that nobody can read follow it

    def is_nearest(day: date) -> bool:
        at = place_of(day, stops, straight=straight)
        return stops[0].first <= day and min(stops, key=lambda other: abs(other.x - at)) is stop

    here = sorted(
        (mark for mark in marks if mark.touches(stop.first, last) or is_nearest(mark.first)),
        key=lambda mark: (mark.first < stop.first, mark.first, mark.title),
    )
    rows = [f"{SIGN} {_plain(mark.title)}\t{_plain(mark.kind)}, {_plain(mark.dates)}" for mark in here[:MOST_TOLD]]
    if len(here) > MOST_TOLD:
        rows.append(f"{SIGN}\t" + gettext("{n} more").format(n=count(len(here) - MOST_TOLD)))
    return rows


def place_of(day: date, stops: Sequence[Stop], *, straight: bool) -> float:
    """Where a date stands in the picture, in pixels.

    Args:
        day: on the axis.
        stops: the places, rising.
        straight: as in `DateAxis`.
    """
    after = bisect_right(stops, day, key=lambda stop: stop.first)
    before = stops[max(after - 1, 0)]
    if day <= before.first or (day <= before.last and not straight) or len(stops) == 1:
        return before.x
    left, right = (before, stops[after]) if after < len(stops) else stops[-2:]
    x = left.x + (right.x - left.x) * (day - left.first).days / (right.first - left.first).days
    return min(x, stops[-1].x + BEYOND)


def _drawn(stops: Sequence[Stop], axis: DateAxis, marks: Sequence[DateMark]) -> str:
    """A strip for what took several days and one line for all that begin at the same place.

    Strips and the lines' heads stand above the plot, where they hide no point.
    """
    first, last, top, floor = stops[0].first, stops[-1].last, stops[0].top, stops[0].floor

    def x(day: date) -> float:
        return round(place_of(min(max(day, first), last), stops, straight=axis.straight), 1)

    strips = [(x(mark.first), x(mark.last)) for mark in marks if mark.last is not None and mark.last > mark.first]
    begin = sorted({x(mark.first) for mark in marks if first <= mark.first <= last})
    made = [
        f'<rect x="{left:g}" y="{top - 3:g}" width="{right - left:.4g}" height="3"/>'
        for left, right in sorted(set(strips))
        if right > left
    ]
    for at in begin:
        made.append(f'<line x1="{at:g}" x2="{at:g}" y1="{top:g}" y2="{floor:g}"/>')
        made.append(f'<path d="M{at - 4:g},{top - 7:g}h8l-4,7z"/>')
    return f'<g class="happened" aria-hidden="true">{"".join(made)}</g>'


def _plain(text: str) -> str:
    return " ".join(text.split())
