"""docs/performance.md, written from the record alone: no figure stands there that no command made."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.job import Aim, Job
from benchmarks.harness.rounds import judged, middle, number, pair_spread, ratio, spread

PAGE = ROOT / "docs" / "performance.md"
HEAD = """# How fast

Written by `make bench` and `make bench-quick`; don't edit it. Each job runs beside what a user would pick instead, both
in the same run in alternating rounds; shown are medians of the rounds, in brackets the smallest and the largest.
`python -m benchmarks.jobs --only NAME --size full --write` measures one again; `benchmarks/README.md` says more.
"""
SIZES = {
    "full": "## At full size\n\nThe aims are held to these.\n",
    "quick": "## Quick look\n\n`make bench-quick`: small sizes, to notice a change; no aim is held to them.\n",
}


def page(jobs: Sequence[Job], record: Mapping[str, Any], more: Mapping[str, str] | None = None) -> str:
    """The whole page.

    Args:
        jobs: in the order of the page.
        record: as `runner.read_record` gives it.
        more: further sections by heading, written by other commands from their own records.
    """
    parts = [HEAD]
    for size, head in SIZES.items():
        rows = [(job, record[f"{job.name}/{size}"]) for job in jobs if f"{job.name}/{size}" in record]
        if rows:
            parts += [head, summary(rows), *(section(job, kept) for job, kept in rows)]
    parts += [f"## {heading}\n\n{text.strip()}\n" for heading, text in (more or {}).items()]
    return "\n".join(parts)


def summary(rows: Sequence[tuple[Job, Mapping[str, Any]]]) -> str:
    """A row for each aim, or for each job without one."""
    lines = [
        "| job | alternative | ours | alternative | ratio | aim | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for job, kept in rows:
        start = f"| {job.title} | {job.alternative or '–'} | "
        lines += [f"{start}{' | '.join(_cells(kept, aim))} |" for aim in job.aims or (None,)]
    return "\n".join([*lines, ""])


def _cells(kept: Mapping[str, Any], aim: Aim | None) -> list[str]:
    """Ours, the alternative's, their ratio, the aim, and whether it is met: the aim only where it is held to."""
    sides = kept["sides"]
    figure = aim.figure if aim else next(iter(sides[0]["rounds"][0]))
    cells = [_median(side, figure) for side in sides[:2]]
    value = ratio(sides, figure)
    cells += ["–"] * (2 - len(cells)) + ["–" if value is None else number(value)]
    if aim is None or kept["size"] != "full":
        return [*cells, aim.words() if aim else "", ""]
    word = {True: "met", False: "**missed**", None: "not measured"}[judged(aim, sides)[1]]
    return [*cells, aim.words(), word]


def section(job: Job, kept: Mapping[str, Any]) -> str:
    """One job: text, figures of both sides, where and when."""
    sides = kept["sides"]
    names = list(dict.fromkeys(name for side in sides for name in side["rounds"][0] if name != "load"))
    table = _by_side(sides, names) if len(sides) > 2 else _by_figure(sides, names)
    lines = [f"### {job.title}", "", " ".join(job.text.split()), "", *table]
    loads = [figures["load"] for side in sides for figures in side["rounds"]]
    options = ", ".join(f"{name} {_option(value)}" for name, value in kept["options"].items())
    lines += ["", f"{options}. {kept['date']}, commit {kept['commit']}, {kept['machine']}, {kept['system']}; "]
    lines[-1] += f"{kept['versions']}. Load {min(loads):.1f} to {max(loads):.1f}; {kept['minutes']} minutes.\n"
    return "\n".join(lines)


def _by_figure(sides: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """A row for each figure, a column for each side, and the ratio."""
    rows = [
        ["", *(side["name"] for side in sides)],
        *([name, *(_with_spread(s, name) for s in sides)] for name in names),
    ]
    if len(sides) > 1:
        rows = [[*row, _ratio(sides, row[0]) if row[0] else "ratio"] for row in rows]
    return _table(rows)


def _by_side(sides: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """A row for each of many sides."""
    return _table([["", *names], *([side["name"], *(_with_spread(side, name) for name in names)] for side in sides)])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "| --- " * len(rows[0]) + "|", *rest]


def _option(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _median(side: Mapping[str, Any], figure: str) -> str:
    value = middle(dict(side), figure)
    return "–" if value is None else f"{number(value)} {figure.rpartition(' ')[2]}"


def _with_spread(side: Mapping[str, Any], figure: str) -> str:
    value = middle(dict(side), figure)
    if value is None:
        return "–"
    low, high = spread(dict(side), figure)
    return f"{number(value)} ({number(low)} to {number(high)})"


def _ratio(sides: Sequence[dict[str, Any]], figure: str) -> str:
    value = ratio(sides, figure)
    if value is None:
        return "–"
    low, high = pair_spread(sides, figure)
    return f"{number(value)} ({number(low)} to {number(high)})"
