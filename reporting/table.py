"""A page of a report: sections of parts, each with its sentence, its table and the drawing of its picture. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reporting.charts import Drawing, Drawn, titled

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
        picture: there is a picture.
        note: how to read it, or "".
        draw: makes the picture. Only the worker calls it: it loads Altair.
    """

    slug: str
    heading: str
    finding: str
    table: Table | None
    picture: bool = True
    note: str = ""
    draw: Callable[[], Drawing] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Section:
    """A section of the page: anchor, title, what is read first, and its parts; `closed` ones open on a click."""

    slug: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    closed: bool = False


def drawn_part(
    slug: str,
    heading: str,
    finding: str,
    table: Table | None,
    chart: Callable[[], Drawn],
    *,
    picture: bool = True,
    note: str = "",
) -> Part:
    """A part with its chart, whose title is the part's finding.

    Args:
        slug, heading, finding, table, note: as in `Part`.
        chart: draws it.
        picture: False when there is nothing to draw.
    """
    draw = (lambda: titled(slug, finding, chart())) if picture else None
    return Part(slug, heading, finding, table, picture, note, draw)


def drawings(sections: Iterable[Section]) -> tuple[Drawing, ...]:
    """Every picture of these sections, in the order of the page."""
    return tuple(part.draw() for section in sections for part in section.parts if part.draw is not None)
