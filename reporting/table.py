"""A page of a report: sections of parts, each with its sentence, its table and the drawing of its picture. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reporting.charts import Drawing, Drawn, titled

# A page that fills in while its numbers are computed: sentences and tables whose places stay where they are. Pure.
#
# Everything has its place from the beginning, so that nothing on the page moves when a number comes.

type Waiting = None  # the place of what isn't known yet


@dataclass(frozen=True)
class GrowingTable:
    """A table some of whose cells are still to come.

    Attributes:
        title: what the rows are.
        columns: headings, with units.
        rows: one text per column; None where it isn't known yet.
        note: what the reader must know to read it.
        ends: places of the columns that hold numbers alone.
        wide: places of the columns that need more room than a number does.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Waiting, ...], ...]
    note: str = ""
    ends: frozenset[int] = frozenset()
    wide: frozenset[int] = frozenset()

    @property
    def heads(self) -> list[tuple[str, str]]:
        """The headings, each with its classes."""
        kinds = (("end", self.ends), ("wide", self.wide))
        return [
            (name, " ".join(word for word, places in kinds if place in places))
            for place, name in enumerate(self.columns)
        ]

    @property
    def cells(self) -> list[list[tuple[str | Waiting, bool]]]:
        """The rows, each cell with True where its column holds numbers."""
        return [[(cell, place in self.ends) for place, cell in enumerate(row)] for row in self.rows]


@dataclass(frozen=True)
class Growing:
    """What a running computation shows so far.

    Attributes:
        title: what this is, for a heading.
        counted: on what the numbers rest.
        news: what has come by now, read out when it changes.
        caution: what these numbers are not.
        tables: the same ones with the same rows from the first part to the last.
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
        slug: its anchor, and its picture's name.
        heading: the question it answers.
        finding: the answer; the title of its picture says the same.
        table: the rows behind the picture, or None.
        note: how to read it, or "".
        draw: makes the picture, or None where there is nothing to draw. Only the worker calls it: it loads Altair.
    """

    slug: str
    heading: str
    finding: str
    table: Table | None
    note: str = ""
    draw: Callable[[], Drawn] | None = field(default=None, compare=False, repr=False)

    @property
    def picture(self) -> bool:
        """Whether there is a picture; templates ask."""
        return self.draw is not None


@dataclass(frozen=True)
class Section:
    """A section of the page: anchor, title, what is read first, and its parts; `closed` ones open on a click."""

    slug: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    closed: bool = False


def drawings(parts: Iterable[Part], slug: str = "") -> tuple[Drawing, ...]:
    """The pictures of these parts in their order, each with the part's finding as its title.

    Args:
        parts: those of a page.
        slug: of the one part that is asked for: the others, a tenth of a second each, aren't drawn. "" for all.
    """
    wanted = [part for part in parts if slug in ("", part.slug)]
    return tuple(titled(part.slug, part.finding, part.draw()) for part in wanted if part.draw is not None)
