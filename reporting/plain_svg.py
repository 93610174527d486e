"""Small charts as SVG without a library: drawn while the page is rendered, with tooltips and hatched bars. Pure.

Altair's charts (`reporting.charts`) belong to stored runs and are drawn by the worker. These charts answer a query that
has just been entered: one takes a third of a millisecond, whereas Altair and Vega take a second to load, a tenth to
draw, and more than 200 MB of memory. Colours, dashes, font and letter widths are those of `reporting.charts`, so that
both look alike, and the style sheet adapts them to a dark page.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from html import escape
from math import ceil, floor, log10

from reporting.charts import DASHES, FONT, GREY, GRID, INK, LIGHT, READING, letters
from reporting.date_marks import DateAxis
from reporting.numbers import percent, short_count

LETTER, LINE = 6.4, 18.0  # pixels
MOST_TICKS = 12


@dataclass
class Sheet:
    """One chart: a plot area with two axes.

    Attributes:
        slug: unique on the page.
        label: what it shows, in the reader's language.
        x_range, y_range: the range of values on each axis.
        width, height: of the whole picture in pixels.
        left, right, top, bottom: margins around the plot area.
        dates: which days each place that can be read holds; without any on an axis of something else.
    """

    slug: str
    label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 760.0
    height: float = 300.0
    left: float = 58.0
    right: float = 14.0
    top: float = 34.0
    bottom: float = 48.0
    dates: DateAxis = field(default_factory=lambda: DateAxis({}))
    _below: list[str] = field(default_factory=list)
    _above: list[str] = field(default_factory=list)

    # ── Coordinates ───────────────────────────────────────────────────────────
    def x(self, value: float) -> float:
        """Pixels from the left of a value."""
        low, high = self.x_range
        room = self.width - self.left - self.right
        return round(self.left + room * (value - low) / ((high - low) or 1.0), 2)

    def y(self, value: float) -> float:
        """Pixels from the top of a value."""
        low, high = self.y_range
        room = self.height - self.top - self.bottom
        return round(self.height - self.bottom - room * (value - low) / ((high - low) or 1.0), 2)

    # ── Axes ──────────────────────────────────────────────────────────────────
    def share_axis(self, title: str) -> None:
        """Grid lines and labels of shares, from 0 up."""
        self._y_axis(title, [(tick, percent(tick, 0 if tick * 100 % 1 < 1e-9 else 1)) for tick in ticks(*self.y_range)])

    def count_axis(self, title: str) -> None:
        """Grid lines and labels of whole numbers; negative ones without their sign."""
        whole = [tick for tick in ticks(*self.y_range) if tick == int(tick)]
        self._y_axis(title, [(tick, short_count(abs(int(tick)))) for tick in whole])

    def _y_axis(self, title: str, marks: Sequence[tuple[float, str]]) -> None:
        right = self.width - self.right
        for value, text in marks:
            colour = LIGHT if value == 0 else GRID
            self._below.append(_tag("line", x1=self.left, x2=right, y1=self.y(value), y2=self.y(value), stroke=colour))
            self._below.append(_text(self.left - 8, self.y(value) + 4, text, anchor="end"))
        self._below.append(_text(8, 16, title))

    def x_axis(self, title: str, labels: Sequence[tuple[float, str]]) -> None:
        """Labels of the x axis; so few that none overlap."""
        widest = max((text_width(text) for _, text in labels), default=1.0) + 14
        most = max(2, int((self.width - self.left - self.right) / widest))
        step = max(1, ceil(len(labels) / min(most, MOST_TICKS)))
        shown = [*labels[::step]]
        if labels and (over := (len(labels) - 1) % step):  # the last label shows where the axis ends
            shown = [*(shown if 2 * over > step else shown[:-1]), labels[-1]]
        for value, text in shown:
            self._below.append(_text(self.x(value), self.height - self.bottom + 18, text, anchor="middle"))
        middle = (self.left + self.width - self.right) / 2
        self._below.append(_text(middle, self.height - 8, title, anchor="middle"))

    # ── Marks ─────────────────────────────────────────────────────────────────
    def line(self, points: Sequence[tuple[float, float] | None], colour: str, place: int = 0) -> None:
        """A line through the points, interrupted at None."""
        run: list[str] = []
        for point in [*points, None]:
            if point is not None:
                run.append(f"{self.x(point[0])},{self.y(point[1])}")
                continue
            if len(run) > 1:
                shape = {"points": " ".join(run), "fill": "none", "stroke": colour, "stroke-width": 2}
                dash = " ".join(map(str, DASHES[place % len(DASHES)]))
                self._below.append(_tag("polyline", **shape, **({"stroke-dasharray": dash} if place else {})))
            run = []

    def interval(self, at: float, low: float, high: float, colour: str) -> None:
        """A thin line from the lower to the upper limit."""
        here = self.x(at)
        shape = {"x1": here, "x2": here, "y1": self.y(low), "y2": self.y(high)}
        self._below.append(_tag("line", **shape, stroke=colour, **{"stroke-width": 1.5, "stroke-opacity": 0.55}))

    def dot(self, at: float, value: float, colour: str, title: str, *, hollow: bool = False, place: int = 0) -> None:
        """A point with its value as a tooltip; hollow if marked."""
        x, y = self.x(at), self.y(value)
        paint = {"fill": "#ffffff" if hollow else colour, "stroke": colour, "stroke-width": 1.5}
        paint |= {"class": "hollow"} if hollow else {}
        if place % 2:
            shape = _tag("rect", _title(title), x=x - 3.5, y=y - 3.5, width=7, height=7, **paint)
        else:
            shape = _tag("circle", _title(title), cx=x, cy=y, r=3.8, **paint)
        self._above.append(shape)

    def bar(
        self, span: tuple[float, float], values: tuple[float, float], colour: str, title: str, *, hatched: bool = False
    ) -> None:
        """A bar between two numbers of each axis, with its value as a tooltip; hatched if incomplete."""
        left, right = self.x(span[0]), self.x(span[1])
        top, bottom = sorted((self.y(values[0]), self.y(values[1])))
        shape = {"x": left, "y": top, "width": round(right - left, 2), "height": round(max(bottom - top, 0.0), 2)}
        faint = {"fill-opacity": 0.35} if hatched else {}
        self._below.append(_tag("rect", "" if hatched else _title(title), **shape, fill=colour, **faint))
        if hatched:
            self._below.append(_tag("rect", _title(title), **shape, fill=f"url(#{self.slug}-hatch)"))

    def note(self, at: float, value: float, text: str, *, anchor: str = "middle", rise: float = 6) -> None:
        """A small text above a point."""
        self._above.append(_text(self.x(at), self.y(value) - rise, text, anchor=anchor, colour=INK))

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Names of the series with their colours, at the top on the right; classed as Vega's, for the script."""
        right, made = self.width - self.right, ""
        for place, (name, colour) in reversed(list(enumerate(entries))):
            right -= text_width(name)
            text = _tag("g", _text(right, 16, name, colour=INK), **{"class": "role-legend-label"})
            right -= 16
            paint = {"fill": colour, "stroke": colour}
            if place % 2:
                sign = _tag("rect", x=right, y=8, width=8, height=8, **paint)
            else:
                sign = _tag("circle", cx=right + 4, cy=12, r=4, **paint)
            made = _tag("g", _tag("g", sign, **{"class": "role-legend-symbol"}) + text) + made
            right -= 16
        entry = _tag("g", _tag("g", made, **{"class": "role-scope"}), **{"class": "role-legend-entry"})
        self._above.append(entry)

    def readings(
        self, texts: Sequence[tuple[float, str]], links: Sequence[str] = (), periods: Sequence[tuple[date, date]] = ()
    ) -> None:
        """What is said at places of the x axis, as `reporting.charts.readings` does it for Altair's charts.

        Args:
            texts: place and text of each.
            links: for each place the rest of the address that shows the users there; none if empty.
            periods: on an axis of dates the first and last day of each place, for the marks of what happened.
        """
        self.dates = DateAxis({text: days for (_place, text), days in zip(texts, periods, strict=False)})
        ends = {"y1": self.top, "y2": round(self.height - self.bottom, 2)}
        made = "".join(
            _tag(
                "line",
                **{"x1": (at := self.x(place)), "x2": at, "stroke": GREY, "opacity": 0, "aria-label": text},
                **ends,
                **({"data-link": link} if link else {}),
            )
            for (place, text), link in zip(texts, links or [""] * len(texts), strict=True)
        )
        self._above.append(_tag("g", made, **{"class": f"{READING}_marks"}))

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Marks drawn inside belong to the series of this name: its legend entry hides and shows them."""
        lists = (self._below, self._above)
        starts = [len(marks) for marks in lists]
        yield
        for marks, start in zip(lists, starts, strict=True):
            marks[start:] = [_tag("g", "".join(marks[start:]), **{"aria-label": name})] if marks[start:] else []

    # ── The picture ───────────────────────────────────────────────────────────
    def markup(self, *, alone: bool = False) -> str:
        """The `<svg>` element; with `alone` a file of its own with its background."""
        lines = _tag("path", d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", stroke=GREY, **{"stroke-width": 1.2})
        pattern = {"id": f"{self.slug}-hatch", "width": 8, "height": 8, "patternUnits": "userSpaceOnUse"}
        paper = _tag("rect", width=self.width, height=self.height, fill="#ffffff") if alone else ""
        inside = f"<defs>{_tag('pattern', lines, **pattern)}</defs>{paper}{''.join(self._below)}{''.join(self._above)}"
        head = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {self.width:g} {self.height:g}"}
        size = {"width": f"{self.width:g}", "height": f"{self.height:g}", "font-family": FONT, "font-size": 12}
        return _tag("svg", (_title(self.label) if alone else "") + inside, **head, **size)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most `most`."""
    if high <= low:
        return [low]
    rough = (high - low) / most
    size = 10 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999999)
    return [round(step * place, 12) for place in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def text_width(text: str) -> float:
    """Approximate width of a text at 12 pixels."""
    return letters(text) * LETTER


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = GREY) -> str:
    return _tag("text", escape(text), x=x, y=y, fill=colour, **{"text-anchor": anchor})


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _tag(name: str, inside: str = "", /, **attributes: object) -> str:
    written = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{written}>{inside}</{name}>"
