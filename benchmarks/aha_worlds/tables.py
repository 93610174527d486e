"""The page docs/aha_worlds.md from the kept rows: a table per question, worlds as rows, entries as columns.

One line of JSON a world and seed is kept in rows.jsonl, so that a run can stop and go on.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from string import Template
from typing import Any

from benchmarks.aha_worlds import which
from benchmarks.aha_worlds.entries import ENTRIES
from benchmarks.aha_worlds.generator import world_hash
from benchmarks.frame import header, line
from events.simulation import WORLDS

type Row = dict[str, Any]
ROWS = Path(__file__).parent / "rows.jsonl"


def read_rows(path: Path) -> dict[tuple[str, int, int], Row]:
    """The rows by world, seed and users; later lines win. Rows of other parameters of a world are left out."""
    if not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {key_of(row): row for row in rows if row["parameters"] == world_hash(row["world"])}


def key_of(row: Row) -> tuple[str, int, int]:
    return row["world"], row["seed"], row["units"]


def append_row(path: Path, row: Row) -> None:
    """Add a line; a run that is killed loses the rounds that it was at and no other."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_line_of(row) + "\n")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("\n".join(map(_line_of, rows)) + "\n", encoding="utf-8")


def _line_of(row: Row) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


type Answers = list[dict[str, Any]]
PAGE = Path(__file__).parent / "page.md"
NAMES = [entry.name for entry in ENTRIES]
FINDERS = [entry.name for entry in ENTRIES if entry.finds_moment]
NOTHING = "–"
WANTED = 20  # seeds of the whole benchmark


def document(rows: Sequence[Row]) -> str:
    seeds = sorted({row["seed"] for row in rows})
    worlds = [name for name in WORLDS if any(row["world"] == name for row in rows)]
    causing = [name for name in worlds if any(row["causes"] for row in rows if row["world"] == name)]
    fewest = min(sum(row["world"] == name for row in rows) for name in worlds)
    tables = {
        "overall": _overall(rows),
        "rules": _rules(),
        "moments": _table(
            rows, worlds, FINDERS, lambda m: f"{_percent(m, 'alike')} / {_percent(m, 'exact')}", "moment"
        ),
        "false_causes": _table(rows, worlds, NAMES, lambda mine: _percent(mine, "false_cause"), "causes"),
        "true_causes": _table(rows, causing, NAMES, _true_found, "causes"),
        "which": which.lines(which.read_rows()),
        "errors": _table(rows, worlds, NAMES, _bias, "causes"),
    }
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        worlds=len(worlds),
        methods=len(NAMES),
        seeds=_seeds(seeds, fewest),
        rounds=len(rows),
        **{name: "\n".join(lines) for name, lines in tables.items()},
    )


def _seeds(seeds: Sequence[int], fewest: int) -> str:
    """Which seeds, and a warning where they are too few to say a share by world."""
    if len(seeds) == 1:
        return f"**seed {seeds[0]} only** (of {WANTED}; a share by world is one draw, 0 % or 100 %)"
    short = "" if fewest >= WANTED else f" (of {WANTED}; at least {fewest} in each world)"
    return f"seeds {seeds[0]} to {seeds[-1]}{short}"


def _overall(rows: Sequence[Row]) -> Iterable[str]:
    yield from header(
        "method", "right moment", "exactly", "false claim of cause", "true cause found", "median error", "covers"
    )
    for entry in ENTRIES:
        mine = _of(rows, entry.name)
        true = [a["cause"] and not a["false_cause"] for row in rows if row["causes"] for a in _of([row], entry.name)]
        yield line(
            entry.name,
            _share([a["alike"] for a in mine]),
            _share([a["exact"] for a in mine]),
            _share([a["false_cause"] for a in mine]),
            _share(true),
            _error(mine),
            _share([a["covers"] for a in mine]),
        )


def _rules() -> Iterable[str]:
    yield from header("method", "what it does", "source")
    for entry in ENTRIES:
        yield line(entry.name, entry.rule, entry.source)


def _table(
    rows: Sequence[Row], worlds: Sequence[str], names: Sequence[str], cell: Callable[[Answers], str], fact: str
) -> Iterable[str]:
    yield from header("world", "there is one" if fact == "moment" else "it causes", *names)
    for world in worlds:
        mine = [row for row in rows if row["world"] == world]
        cells = (cell(answers) if (answers := _of(mine, name)) else NOTHING for name in names)
        yield line(f"`{world}`", "yes" if mine[0][fact] else "no", *cells)


def _of(rows: Sequence[Row], name: str) -> Answers:
    return [row["answers"][name] for row in rows if name in row["answers"]]


def _percent(mine: Answers, score: str) -> str:
    known = [answer[score] for answer in mine if answer[score] is not None]
    return f"{fmean(known):.0%}" if known else NOTHING


def _share(values: Sequence[bool | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    return f"{fmean(known):.1%} ({len(known)})"


def _true_found(mine: Answers) -> str:
    return f"{fmean(answer['cause'] and not answer['false_cause'] for answer in mine):.0%}"


def _error(mine: Answers) -> str:
    """Medians: a ratio over a weak first stage has no mean (Nelson, Startz 1990, Econometrica 58)."""
    errors = [abs(answer["error"]) for answer in mine if answer["error"] is not None]
    return f"{100 * median(errors):.1f} ({len(errors)})" if errors else NOTHING


def _bias(mine: Answers) -> str:
    errors = [answer["error"] for answer in mine if answer["error"] is not None]
    return f"{100 * median(errors):+.1f} / {_percent(mine, 'covers')}" if errors else NOTHING
