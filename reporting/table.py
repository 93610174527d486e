"""Structure of a report page: sections of parts, each with a finding, a table and a chart. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reporting.charts import Drawing, Drawn, titled

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
