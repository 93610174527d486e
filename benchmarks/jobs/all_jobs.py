"""The jobs in the order of docs/performance.md."""

from importlib import import_module
from importlib.util import find_spec

from benchmarks import servers
from benchmarks.harness import knee_page
from benchmarks.harness.job import Job
from benchmarks.jobs import (
    analysis,
    commands,
    draws,
    explore_views,
    flush,
    grid,
    importing,
    known_unit,
    lists,
    new_unit,
    report_pages,
    web_worker,
)


def _ingest() -> tuple[Job, ...]:
    """`benchmarks/ingest.py` has `JOBS` of its own."""
    found: tuple[Job, ...] = getattr(import_module("benchmarks.ingest"), "JOBS", ())
    return found


JOBS = (
    *known_unit.JOBS,
    *new_unit.JOBS,
    *(_ingest() if find_spec("benchmarks.ingest") else ()),
    *grid.JOBS,
    *commands.JOBS,
    *analysis.JOBS,
    *importing.JOBS,
    *flush.JOBS,
    *report_pages.JOBS,
    *lists.JOBS,
    *explore_views.JOBS,
    *web_worker.JOBS,
    *draws.JOBS,
    *servers.JOBS,
)


def further_sections() -> dict[str, str]:
    """Sections of docs/performance.md that other commands keep records for, by heading."""
    return knee_page.section()
