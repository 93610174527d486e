"""The page docs/aha_worlds.md from the kept rows: a table per question, worlds as rows, entries as columns."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from string import Template
from typing import Any

from benchmarks.aha_worlds.entries import ENTRIES
from benchmarks.aha_worlds.kept_rows import Row
from events.simulation import WORLDS

type Answers = list[dict[str, Any]]
PAGE = Path(__file__).parent / "page.md"
NAMES = [entry.name for entry in ENTRIES]
FINDERS = [entry.name for entry in ENTRIES if entry.finds_moment]
NOTHING = "–"
WANTED = 20  # seeds of the whole benchmark


def document(rows: Sequence[Row]) -> str:
    """The whole page as Markdown: the prose of page.md with the tables in it."""
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
    yield from _header(
        "method", "right moment", "exactly", "false claim of cause", "true cause found", "median error", "covers"
    )
    for entry in ENTRIES:
        mine = _of(rows, entry.name)
        true = [a["cause"] and not a["false_cause"] for row in rows if row["causes"] for a in _of([row], entry.name)]
        yield _line(
            entry.name,
            _share([a["alike"] for a in mine]),
            _share([a["exact"] for a in mine]),
            _share([a["false_cause"] for a in mine]),
            _share(true),
            _error(mine),
            _share([a["covers"] for a in mine]),
        )


def _rules() -> Iterable[str]:
    yield from _header("method", "what it does", "source")
    for entry in ENTRIES:
        yield _line(entry.name, entry.rule, entry.source)


def _table(
    rows: Sequence[Row], worlds: Sequence[str], names: Sequence[str], cell: Callable[[Answers], str], fact: str
) -> Iterable[str]:
    yield from _header("world", "there is one" if fact == "moment" else "it causes", *names)
    for world in worlds:
        mine = [row for row in rows if row["world"] == world]
        cells = (cell(answers) if (answers := _of(mine, name)) else NOTHING for name in names)
        yield _line(f"`{world}`", "yes" if mine[0][fact] else "no", *cells)


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


def _header(*names: str) -> tuple[str, str]:
    return _line(*names), _line(*("---" for _ in names))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
