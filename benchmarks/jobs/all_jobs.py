"""The jobs in the order of docs/performance.md."""

from benchmarks import servers
from benchmarks.harness import knee_page
from benchmarks.jobs import (
    analysis,
    commands,
    draws,
    explore_views,
    first_answer,
    flush,
    grid,
    importing,
    ingest,
    known_unit,
    lists,
    new_unit,
    report_pages,
    web_worker,
)

JOBS = (
    *known_unit.JOBS,
    *new_unit.JOBS,
    *ingest.JOBS,
    *grid.JOBS,
    *commands.JOBS,
    *first_answer.JOBS,
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
