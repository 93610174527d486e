"""Markdown tables from rows, with escaped cells. Pure."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A cell's content: one line, with bars escaped, which would end the cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """A name or value as code; "" for nothing."""
    inside = cell(text)
    return f"`{inside}`" if inside else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a header row; "" without rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines]) + "\n"


def made_of(what: str) -> str:
    """The line that names a page's source."""
    return f"*This page is made of {what} each time the documentation is built.*\n"
