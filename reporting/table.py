"""A page of a report: sections of parts, each with its sentence, its table and its picture. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reporting.charts import Drawn

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
        draw: makes the picture, in the worker alone; None where another module draws it, or there is none.
    """

    slug: str
    heading: str
    finding: str
    table: Table | None
    picture: bool = True
    note: str = ""
    draw: Callable[[], Drawn] | None = field(default=None, compare=False, repr=False)


def part(
    slug: str,
    heading: str,
    finding: str,
    table: Table | None,
    *,
    note: str = "",
    draw: Callable[[], Drawn] | None = None,
) -> Part:
    """A part that draws its picture itself: without `draw` it has none."""
    return Part(slug, heading, finding, table, draw is not None, note, draw)


@dataclass(frozen=True)
class Section:
    """A section of the page: anchor, title, what is read first, and its parts; `closed` ones open on a click."""

    slug: str
    title: str
    lead: str
    parts: tuple[Part, ...]
    closed: bool = False
