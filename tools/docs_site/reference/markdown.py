"""Markdown from rows: a table whose cells can't break it. Pure."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """What stands in a cell: one line, without a bar that would end it."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """A name or value as code; nothing for nothing."""
    inside = cell(text)
    return f"`{inside}`" if inside else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a line of headings; an empty text without rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines]) + "\n"


def made_of(what: str) -> str:
    """The line that says where a page comes from."""
    return f"*This page is made of {what} each time the documentation is built.*\n"
