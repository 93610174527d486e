"""Runs jobs at a size, keeps what they gave as JSON."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.job import Job
from benchmarks.harness.machine import where_and_when
from benchmarks.harness.room import Room
from benchmarks.harness.rounds import ROUNDS, alternate

RECORD = ROOT / "docs" / "performance" / "figures.json"


def run_job(
    job: Job, size: str, changes: Mapping[str, Any], room: Room, tell: Callable[[str], None] = print
) -> dict[str, Any]:
    """Both sides of a job in turns.

    Args:
        job: what to run.
        size: "tiny", "quick" or "full".
        changes: options that replace those of the size; unknown ones are left to the jobs that know them.
        room: what jobs share.
        tell: gets a line for each round.

    Returns:
        The job's record: title, where and when, options, and the figures of each round of each side.
    """
    options = {"rounds": ROUNDS, **job.sizes[size]}
    options |= {name: value for name, value in changes.items() if name in options}
    tell(f"{job.name} ({size}): {job.title}")
    begun, where = time.perf_counter(), where_and_when()
    with job.open(room, options) as sides:
        measured = alternate(sides, options["rounds"], tell)
    minutes = round((time.perf_counter() - begun) / 60, 1)
    return {"title": job.title, "size": size, **where, "minutes": minutes, "options": options, "sides": measured}


def run_jobs(jobs: Sequence[Job], size: str, changes: Mapping[str, Any], keep: Path | None) -> dict[str, Any]:
    """All these jobs, one after the other; each is kept as soon as it is done.

    Args:
        jobs: what to run; those without the size are left out.
        size: as of `run_job`.
        changes: as of `run_job`.
        keep: the record that they enter, by job and size; None keeps nothing.

    Returns:
        The records by name.
    """
    done: dict[str, Any] = {}
    with Room() as room:
        for job in jobs:
            if size in job.sizes:
                done[job.name] = run_job(job, size, changes, room)
                if keep is not None:
                    add_to_record(keep, {f"{job.name}/{size}": done[job.name]})
    return done


def read_record(path: Path = RECORD) -> dict[str, Any]:
    """What is kept, by "job/size"."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def add_to_record(path: Path, new: Mapping[str, Any]) -> None:
    """Put records in, in place of older ones of the same job and size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = dict(sorted({**read_record(path), **new}.items()))
    rounded = json.loads(json.dumps(kept), parse_float=lambda text: float(f"{float(text):.5g}"))
    path.write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
