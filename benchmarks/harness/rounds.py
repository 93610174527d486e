"""Runs jobs in alternating rounds: other work on the machine hits both sides, and a slow minute changes no ratio of one
side alone. What they gave is kept as JSON."""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, keep, kept, where_and_when
from benchmarks.harness.job import Aim, Job, Room, Side

ROUNDS = 5


def alternate(sides: Sequence[Side], rounds: int, tell: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """The figures of each side by round. Odd rounds begin with the other side, so that nobody always comes second.

    Returns:
        For each side its name and `rounds`, a list of its figures with the machine's load as `load` after each.
    """
    found: list[list[dict[str, float]]] = [[] for _ in sides]
    for turn in range(rounds):
        order = list(range(len(sides)))
        for number in reversed(order) if turn % 2 else order:
            sides[number].prepare(turn)
            figures = {**sides[number].run(turn), "load": os.getloadavg()[0]}
            found[number].append(figures)
            tell(f"  round {turn + 1}  {sides[number].name:40} {in_words(figures)}")
    return [{"name": side.name, "rounds": figures} for side, figures in zip(sides, found, strict=True)]


def middle(side: dict[str, Any], figure: str) -> float | None:
    """The median over the rounds, None where a side doesn't have the figure."""
    values = [figures[figure] for figures in side["rounds"] if figure in figures]
    return statistics.median(values) if values else None


def spread(side: dict[str, Any], figure: str) -> tuple[float, float]:
    values = [figures[figure] for figures in side["rounds"] if figure in figures]
    return min(values), max(values)


def ratio(sides: Sequence[dict[str, Any]], figure: str) -> float | None:
    """Median of ours divided by the median of the alternative; None without one of them, or by nothing."""
    ours, other = middle(sides[0], figure), middle(sides[1], figure) if len(sides) > 1 else None
    return ours / other if ours is not None and other else None


def pair_spread(sides: Sequence[dict[str, Any]], figure: str) -> tuple[float, float]:
    """Smallest and largest ratio of two neighbouring rounds: how sure the ratio of the medians is."""
    pairs = zip(sides[0]["rounds"], sides[1]["rounds"], strict=True)
    found = [ours[figure] / other[figure] for ours, other in pairs if other.get(figure) and figure in ours]
    return min(found), max(found)


def judged(aim: Aim, sides: Sequence[dict[str, Any]]) -> tuple[float | None, bool | None]:
    """What an aim looks at and whether it is met; None where it wasn't measured."""
    value = ratio(sides, aim.figure) if aim.ratio else middle(sides[0], aim.figure)
    return value, None if value is None else aim.met(value)


def in_words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in figures.items())


def number(value: float) -> str:
    """Three digits that count, and no more: the rest is noise."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


RECORD = ROOT / "docs" / "performance" / "figures.json"


def run_job(
    job: Job, size: str, changes: Mapping[str, Any], room: Room, tell: Callable[[str], None] = print
) -> dict[str, Any]:
    """Both sides of a job in turns: title, where and when, options, and the figures of each round of each side.

    Options in `changes` replace those of the size; unknown ones are left to the jobs that know them.
    """
    options = {"rounds": ROUNDS, **job.sizes[size]}
    options |= {name: value for name, value in changes.items() if name in options}
    tell(f"{job.name} ({size}): {job.title}")
    begun, where = time.perf_counter(), where_and_when()
    with job.open(room, options) as sides:
        measured = alternate(sides, options["rounds"], tell)
    minutes = round((time.perf_counter() - begun) / 60, 1)
    return {"title": job.title, "size": size, **where, "minutes": minutes, "options": options, "sides": measured}


def run_jobs(jobs: Sequence[Job], size: str, changes: Mapping[str, Any], record: Path | None) -> dict[str, Any]:
    """The records of all these jobs that have the size; each enters the record as soon as it is done."""
    done: dict[str, Any] = {}
    with Room() as room:
        for job in jobs:
            if size in job.sizes:
                done[job.name] = run_job(job, size, changes, room)
                if record is not None:
                    add_to_record(record, {f"{job.name}/{size}": done[job.name]})
    return done


def add_to_record(path: Path, new: Mapping[str, Any]) -> None:
    """Put records in, in place of older ones of the same job and size."""
    keep(path, dict(sorted({**kept(path), **new}.items())), 5)
