"""Reports to take away: HTML, CSV, JSON and PDF; and links that show one without an account."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from insight_site import __version__
from insight_site.access import audit
from insight_site.models import ShareLink
from reporting.table import Table, csv_lines, read_cell
from reporting.words import as_sent
from runs.kinds import find_kind, kind_of
from runs.models import Run
from runs.site_zone import shown_in

# Report downloads: one self-contained HTML file, every table as CSV, the numbers as JSON.
#
# The HTML is the page's own body, rendered with ``standalone``: pictures are embedded, and parts that need the site
# are left out.

STYLES = tuple(
    Path(__file__).parent.parent / "static" / "insight_site" / f"{name}.css" for name in ("tokens", "site", "summary")
)
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


def as_html(run: Run, *, shared: bool = False, whole: bool = True) -> str:
    """The report as one file in the active language, without script and without any request.

    Args:
        run: a finished run, see `find_run`.
        shared: whether it is read through a share link; the page then says so.
        whole: with all parts; else only the summary of a report that has one, and a link to the rest.
    """
    kind = kind_of(run)
    body = kind.context(run)
    context = {
        **body,
        "brief": not whole and "summary" in body,
        "has_summary": "summary" in body,
        "run": run,
        "standalone": True,
        "shared": shared,
        "body": kind.template,
        "style": mark_safe("".join(path.read_text(encoding="utf-8") for path in STYLES)),  # noqa: S308 - our own file
        "version": __version__,
        "made": timezone.now(),
    }
    with shown_in():  # a file is read by others than the person who saves it
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


LIGHT = re.compile(r"light-dark\(((?:[^(),]|\([^)]*\))+),(?:[^(),]|\([^)]*\))+\)")


def offers_pdf() -> bool:
    """True where the extra `requirements-pdf.txt` is installed."""
    return find_spec("weasyprint") is not None


def as_pdf(run: Run) -> bytes:
    """The summary of a report, or the whole report where it has none, as PDF in the active language and light colours.

    WeasyPrint lays out the same page as the share link, and may open no file and no address.
    """
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    page = LIGHT.sub(r"\1", as_html(run, whole=False))  # WeasyPrint doesn't know light-dark()
    return bytes(HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf())


FORMATS = {
    "html": ("text/html; charset=utf-8", as_html),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
    "pdf": ("application/pdf", as_pdf),
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


# Share links, by which people without an account read one report until they expire or are revoked.
#
# A token has 256 random bits, so its digest needs no slow hash, and the timing of an index lookup reveals nothing.

DAYS = (7, 30, 90)
NOTED_EVERY = timedelta(minutes=1)
log = structlog.get_logger()


def create_link(*, run: Model, days: int, by: User | None) -> tuple[ShareLink, str]:
    """Create a link to a finished report.

    Args:
        run: the report's run, or a digest.
        days: its lifetime, one of DAYS.
        by: who made it.

    Returns:
        The row, and the token: show it once, since it isn't stored.

    Raises:
        ValueError: for another number of days.
    """
    if days not in DAYS:
        raise ValueError(f"days must be one of {DAYS}")
    token = secrets.token_urlsafe(32)
    row = ShareLink.objects.create(
        digest=digest(token),
        run_label=run._meta.label,
        run_pk=run.pk,
        created_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )
    log.info("share.created", link=row.pk, run=row.run_label, pk=row.run_pk)
    return row, token


def revoke_link(*, link: ShareLink) -> None:
    """Revoke a link now; a second call changes nothing."""
    with transaction.atomic():
        if ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(audit.Action.REVOKED, link)
            log.info("share.revoked", link=link.pk)


def find_link(token: str) -> ShareLink | None:
    """The link of a token, live or not; None for an unknown token."""
    return ShareLink.objects.select_related("created_by").filter(digest=digest(token)).first()


def note_use(link: ShareLink) -> None:
    """Record that it was used, at most once a minute."""
    now = timezone.now()
    if link.last_used_at is None or now - link.last_used_at > NOTED_EVERY:
        ShareLink.objects.filter(pk=link.pk).update(last_used_at=now)
        audit.record(audit.Action.READ, link)


def live_links(run: Run) -> QuerySet[ShareLink]:
    """Live links to this report, newest first."""
    return ShareLink.objects.filter(
        run_label=run._meta.label, run_pk=run.pk, revoked_at=None, expires_at__gt=timezone.now()
    ).select_related("created_by")


def digest(token: str) -> str:
    """The digest that is stored instead of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
