"""A page that fills in while its numbers are computed: sentences and tables whose places stay where they are. Pure.

Everything has its place from the beginning, so that nothing on the page moves when a number comes.
"""

from dataclasses import dataclass

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
