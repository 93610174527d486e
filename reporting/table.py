"""A report page: sections of parts, each with a finding, a table and a chart; and its tables as CSV. Pure."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from reporting.charts import Drawing, Drawn, titled
from reporting.numbers import Day
from reporting.words import gettext

# Tables as CSV that spreadsheets open correctly. Pure.

# Parse a cell of a page's table into numbers that a spreadsheet can calculate with. Pure.
#
# Tables hold formatted text; a CSV file must hold the numbers. What is no number stays text. Numbers have the precision
# of the page: a report's JSON has the full one.

NUMBER = r"[+\u2212-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
BETWEEN = r"(?:\u2026|\u22ef|~|to)"
WHOLE_OF_N = r"(?:(?P<n>\d[\d,]*), )?"


@dataclass(frozen=True)
class Cell:
    """A cell: a value with its limits, unit and sample size; or a text, where it is no number.

    Attributes:
        value: None if the cell has only limits, or a text.
        low, high: limits; None without.
        unit: "%", "points" or "".
        n: number of units behind the figure, if the cell gives it.
        text: the text of a cell that is no number, else "".
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    n: float | None = None
    text: str = ""


def read_cell(text: str) -> Cell:
    """Parse a table cell written in the active language."""
    if isinstance(text, Day):
        return Cell(text=text.iso)
    plain = " ".join(str(text).replace("\u00a0", " ").split())
    units = _units()
    unit = "|".join(re.escape(word) for word in units)
    estimate = rf"{WHOLE_OF_N}(?P<value>{NUMBER}) ?(?P<unit>{unit})?"
    limits = rf"(?P<low>{NUMBER}) ?(?:{unit})? ?{BETWEEN} ?(?P<high>{NUMBER}) ?(?P<limits_unit>{unit})?"
    for pattern in (estimate, rf"{estimate} \({limits}\)", limits):
        matched = re.fullmatch(pattern, plain)
        if matched is not None:
            return _cell(matched.groupdict(), units)
    return Cell(text=plain)


def _units() -> dict[str, str]:
    """Map the units as pages write them, in the active language and in English, to the units in the file."""
    points = (gettext("%(value)s points") % {"value": ""}).strip()
    return {points: "points", "%p": "points", "points": "points", "%": "%"}


def _cell(groups: dict[str, str | None], units: dict[str, str]) -> Cell:
    unit = groups.get("unit") or groups.get("limits_unit") or ""
    return Cell(
        _number(groups.get("value")),
        _number(groups.get("low")),
        _number(groups.get("high")),
        units.get(unit, ""),
        _number(groups.get("n")),
    )


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    value = float(text.replace(",", "").replace("\u2212", "-"))
    return int(value) if value.is_integer() and "." not in text else value


# Our own cells may begin with a sign: "+24.1 (+21.3 … +26.9)". So may a formula: "-1+cmd|' /C calc'!A0".
SIGNED = re.compile(r"[+-]\d")
FORMULA = re.compile(r"[=|!@&\"'*^]|[^\W\d_]\(|[+\-/][^\W\d_]")


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file line by line, so that a long one can be streamed."""
    yield "\ufeff"  # without it Excel reads Hangul in the machine's legacy code page
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([harmless(cell) for cell in row])


def harmless(text: Any) -> Any:
    """Escape a cell that a spreadsheet would run as a formula: event names come from outside (OWASP, CSV injection)."""
    if not isinstance(text, str) or text[:1] not in ("=", "@", "+", "-", "\t", "\r", "\n"):
        return text
    return text if SIGNED.match(text) and not FORMULA.search(text) else f"'{text}"


class _Echo:
    """File-like object for `csv.writer`: `write` returns the line."""

    def write(self, value: str) -> str:
        return value


# A page that fills in while its numbers are computed. Pure.
#
# Every row and cell has its place from the beginning, so that nothing on the page moves when a number arrives.

type Waiting = None  # a cell whose value isn't known yet


@dataclass(frozen=True)
class GrowingTable:
    """A table some of whose cells are still missing.

    Attributes:
        title: what the rows are.
        columns: headings, with units.
        rows: one text per column; None where it isn't known yet.
        note: what the reader must know to read it.
        ends: positions of the columns that hold only numbers (aligned right).
        wide: positions of the columns that need more room than a number does.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Waiting, ...], ...]
    note: str = ""
    ends: frozenset[int] = frozenset()
    wide: frozenset[int] = frozenset()

    @property
    def heads(self) -> list[tuple[str, str]]:
        """The headings, each with its CSS classes."""
        kinds = (("end", self.ends), ("wide", self.wide))
        return [
            (name, " ".join(word for word, places in kinds if place in places))
            for place, name in enumerate(self.columns)
        ]

    @property
    def cells(self) -> list[list[tuple[str | Waiting, bool]]]:
        """The rows; each cell with True if its column holds numbers."""
        return [[(cell, place in self.ends) for place, cell in enumerate(row)] for row in self.rows]


@dataclass(frozen=True)
class Growing:
    """The partial results of a running computation, as its page shows them.

    Attributes:
        title: a heading.
        counted: the data that the numbers are based on.
        news: what is known by now, read out by screen readers when it changes.
        caution: warns that these are partial results.
        tables: the same tables with the same rows from the first update to the last.
    """

    title: str
    counted: str
    news: str
    caution: str
    tables: tuple[GrowingTable, ...]


type Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of formatted text.

    Attributes:
        title: what the rows are.
        columns: headings, with units.
        rows: one text per column.
        note: what the reader must know to read it, or "".
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Part:
    """One part of the page.

    Attributes:
        slug: its anchor, and its chart's name.
        heading: the question it answers.
        finding: the answer, also the chart's title.
        table: the rows behind the chart, or None.
        note: how to read it, or "".
        draw: makes the chart, or None if there is nothing to draw. Only the worker calls it: it loads Altair.
    """

    slug: str
    heading: str
    finding: str
    table: Table | None
    note: str = ""
    draw: Callable[[], Drawn] | None = field(default=None, compare=False, repr=False)

    @property
    def picture(self) -> bool:
        """Whether there is a chart; for templates."""
        return self.draw is not None


@dataclass(frozen=True)
class Section:
    """A section of the page: anchor, title, introduction, and its parts; `closed` ones open on a click."""

    slug: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    closed: bool = False


def drawings(parts: Iterable[Part], slug: str = "") -> tuple[Drawing, ...]:
    """The charts of these parts in their order, each with the part's finding as its title.

    Args:
        parts: those of a page.
        slug: of the one part to draw, since each takes a tenth of a second. "" draws all.
    """
    wanted = [part for part in parts if slug in ("", part.slug)]
    return tuple(titled(part.slug, part.finding, part.draw()) for part in wanted if part.draw is not None)
