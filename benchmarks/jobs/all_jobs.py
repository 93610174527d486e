"""The jobs of `jobs.toml`, each with the function that sets up both sides."""

import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness.job import Aim, Job
from benchmarks.jobs import doors, events, explore, pages, questions
from benchmarks.jobs.made_logs import even_store, grouped_store

OPENED: dict[str, Any] = {
    "known_unit": partial(doors.known, busy=False),
    "known_unit_busy": partial(doors.known, busy=True),
    "new_unit": doors.new,
    "ingest": events.ingest,
    "grid": questions.beside_duckdb,
    "grid_pandas": questions.beside_pandas,
    "study": partial(questions.commands, command=questions.study, store=even_store),
    "segmentation": partial(questions.commands, command=questions.segmentation, store=grouped_store),
    "demo": partial(questions.commands, command=questions.demo, store=None),
    "first_answer": pages.first_counts,
    "first_answer_million": pages.first_counts,
    "analysis": questions.analysis,
    "import": events.imported,
    "flush": events.flush,
    "report_pages": pages.report_pages,
    "lists": pages.lists,
    "explore": explore.views,
    "web_worker": doors.web_worker,
    "draws": doors.draws,
    "servers": doors.servers,
}


def _job(name: str, aims: list[dict[str, Any]] | None = None, **said: Any) -> Job:
    return Job(name, open=OPENED[name], aims=tuple(Aim(**aim) for aim in aims or ()), **said)


JOBS = tuple(
    _job(name, **said) for name, said in tomllib.loads(Path(__file__).with_name("jobs.toml").read_text("utf-8")).items()
)
