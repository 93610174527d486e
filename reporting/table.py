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
