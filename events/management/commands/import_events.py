"""`import_events`: files of events into the event store."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext, ngettext

from events.importing.import_file import TooManyBadRows, import_files
from events.importing.import_report import BadRow, ImportReport, reason_words, step_words
from events.importing.options import ImportOptions
from runs.refusals import Refused
from runs.site_zone import site_zone
from runs.terminal import Bar, refuse, write_json


class Command(BaseCommand):
    help = "Import events from CSV, TSV, whitespace-separated, JSON Lines or Parquet files (text may be gzipped)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("files", nargs="+", type=Path, metavar="FILE")
        add("--user", required=True, metavar="COL", help="column of the user id")
        add("--event", metavar="COL", help="column of the event's name")
        add("--event-name", metavar="NAME", help="name of all events of a file that holds one kind only")
        add("--time", required=True, metavar="COL", help="column of the time")
        add(
            "--time-format",
            default="iso",
            metavar="F",
            help="iso (default), unix_s, unix_ms, unix_us or e.g. %%Y%%m%%d",
        )
        add("--time-zone", default="", metavar="TZ", help="zone of times that carry none; default the site's")
        add("--properties", nargs="+", default=[], metavar="COL", help="columns that become properties")
        add("--message-id", metavar="COL", help="column of a unique id; by default ids are made from the content")
        add("--separator", metavar="S", help="one character, \\t or whitespace; by default by the file's ending")
        add("--no-header", action="store_true", help="the first line is an event; name the columns by --columns")
        add("--columns", nargs="+", metavar="COL", help="names of the columns, with --no-header")
        add("--max-bad", type=int, default=0, metavar="N", help="leave out up to N bad rows (default 0)")
        add("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wanted = _options(options)
            with Bar() as bar:
                report = import_files(options["files"], wanted, _listener(bar))
        except TooManyBadRows as refusal:
            raise CommandError(_too_many(refusal.report), returncode=2) from refusal
        except Refused as refusal:
            refuse(refusal)
        except OSError as error:
            place = settings.EVENTS_URL if error.filename is None else error.filename
            raise CommandError(f"{place}: {error.strerror or error}", returncode=2) from error
        for row in report.examples:
            self.stderr.write(f"{_where(row)}: {reason_words(row.reason, row.value)}")
        if options["json"]:
            write_json(self.stdout, _document(report))
        else:
            self.stdout.write(_summary(report))


def _listener(bar: Bar) -> Callable[[str, float, float], None]:
    def listen(step: str, percent: float, rows_per_second: float) -> None:
        speed = f" ({rows_per_second:,.0f} rows/s)" if rows_per_second else ""
        bar.show(step_words(step) + speed, percent / 100)

    return listen


def _options(options: dict[str, Any]) -> ImportOptions:
    if options["no_header"] != bool(options["columns"]):
        raise Refused("--no-header and --columns go together: a file without a header line needs names.")
    columns = tuple(options["columns"]) if options["columns"] else None
    keys = ("user", "time", "event", "event_name", "message_id", "time_format", "time_zone", "separator", "max_bad")
    options = {**options, "time_zone": options["time_zone"] or site_zone()}
    return ImportOptions(
        **{key: options[key] for key in keys}, properties=tuple(options["properties"]), columns=columns
    )


def _where(row: BadRow) -> str:
    kind = gettext("row") if row.file.endswith(".parquet") else gettext("line")
    return f"{row.file}, {kind} {row.line}"


def _too_many(report: ImportReport) -> str:
    n = sum(report.bad.values())
    text = ngettext("{n} bad row; nothing was written.", "{n} bad rows; nothing was written.", n).format(n=n)
    shown = "; ".join(f"{_where(row)}: {reason_words(row.reason, row.value)}" for row in report.examples)
    return f"{text} {shown}. " + gettext("--max-bad {n} imports the rest.").format(n=n)


def _document(report: ImportReport) -> dict[str, Any]:
    return {
        "files": report.files,
        "rows": report.rows,
        "imported": report.imported,
        "already_there": report.already_there,
        "bad": report.bad,
        "examples": [vars(row) for row in report.examples],
        "seconds": round(report.seconds, 3),
    }


def _summary(report: ImportReport) -> str:
    text = gettext(
        "{rows} rows read, {imported} imported, {already} already there, {bad} bad; {seconds} s ({speed} rows/s)."
    )
    speed = f"{report.rows / max(report.seconds, 1e-9):,.0f}"
    return text.format(
        rows=f"{report.rows:,}",
        imported=f"{report.imported:,}",
        already=f"{report.already_there:,}",
        bad=f"{sum(report.bad.values()):,}",
        seconds=f"{report.seconds:.1f}",
        speed=speed,
    )
