"""Report downloads: one self-contained HTML file, every table as CSV, the numbers as JSON.

The HTML is the page's own body, rendered with ``standalone``: pictures are embedded, and parts that need the site are
left out.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from insight_site import __version__
from reporting.csv import csv_lines, read_cell
from reporting.table import Table
from reporting.words import as_sent
from runs.kinds import find_kind, kind_of
from runs.models import Run

STYLES = tuple(Path(__file__).parent.parent / "static" / "insight_site" / f"{name}.css" for name in ("tokens", "site"))
# The file embeds its style and pictures, so its own policy allows these and nothing else.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def find_run(label: str, pk: int) -> Run | None:
    """The finished run of a report that can be downloaded; None when there is none."""
    kind = find_kind(label)
    if kind is None or not kind.body:
        return None
    run = kind.run_class._default_manager.filter(pk=pk, status=Run.Status.DONE).first()
    return run if run is not None and run.payload is not None else None


def as_html(run: Run, *, shared: bool = False) -> str:
    """The report as one file in the active language, without script and without any request.

    Args:
        run: a finished run, see `find_run`.
        shared: whether it is read through a share link; the page then says so.
    """
    kind = kind_of(run)
    context = {
        **kind.context(run),
        "run": run,
        "standalone": True,
        "shared": shared,
        "body": kind.template,
        "style": mark_safe("".join(path.read_text(encoding="utf-8") for path in STYLES)),  # noqa: S308 - our own file
        "version": __version__,
        "made": timezone.now(),
    }
    return render_to_string("insight_site/takeaway.html", context)


def as_csv(run: Run) -> str:
    """Every table of the report, one line per cell: value, limits, unit, n; a cell without a number is text.

    Tables of a report differ in their columns, so one cell is one line; the first cell of a row is its name.
    """
    names = ("table", "row", "column", "value", "low", "high", "unit", "n", "text")
    rows: list[Sequence[Any]] = [names]  # fixed column names for programs, the same in every language
    body = kind_of(run).context(run)
    if "unreadable" in body:
        rows.append([body["unreadable"]])
    for table in tables(body):
        rows += _cells(table)
    return "".join(csv_lines(rows))


def _cells(table: Table) -> Iterator[Sequence[Any]]:
    """Each cell of a table with its row's number of units, if a column has it."""
    counted = table.columns.index(gettext("n")) if gettext("n") in table.columns else None
    for row in table.rows:
        units = read_cell(row[counted]).value if counted is not None and counted < len(row) else None
        for column, text in zip(table.columns[1:], row[1:], strict=False):
            cell = read_cell(text)
            n = cell.n if cell.n is not None else units
            yield table.title, row[0], column, cell.value, cell.low, cell.high, cell.unit, n, cell.text


def as_json(run: Run) -> str:
    """The numbers as the command line prints them with ``--json``, always in English."""
    with translation.override("en"), as_sent():
        document = kind_of(run).numbers(run)
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


FORMATS = {
    "html": ("text/html; charset=utf-8", as_html),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
}


def tables(node: Any) -> Iterator[Table]:
    """All tables in a page's context, in the page's order."""
    if isinstance(node, Table):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from tables(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from tables(value)
    elif hasattr(node, "table"):
        yield from tables(node.table)
    elif hasattr(node, "parts"):
        yield from tables(node.parts)
