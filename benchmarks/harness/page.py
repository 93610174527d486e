"""docs/performance.md, written from the records alone: no figure stands there that no command made."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

from benchmarks.frame import ROOT, filled, keep, kept, line, table
from benchmarks.harness.job import Aim, Job
from benchmarks.harness.rounds import judged, middle, number, pair_spread, ratio, spread
from reporting.charts import BLUE, GREY, ORANGE
from reporting.plain_svg import Sheet

PAGE = ROOT / "docs" / "performance.md"
SIZES = {
    "full": "## At full size\n\nThe aims are held to these.\n",
    "quick": "## Quick look\n\n`make bench-quick`: small sizes, to notice a change; no aim is held to them.\n",
}


def page(jobs: Sequence[Job], record: Mapping[str, Any], more: Mapping[str, str] | None = None) -> str:
    """The whole page; `more` are further sections by heading, written by other commands from their own records."""
    parts = [filled("performance") + "\n"]
    for size, head in SIZES.items():
        rows = [(job, record[f"{job.name}/{size}"]) for job in jobs if f"{job.name}/{size}" in record]
        if rows:
            parts += [head, summary(rows), *(section(job, one) for job, one in rows)]
    parts += [f"## {heading}\n\n{text.strip()}\n" for heading, text in (more or {}).items()]
    return "\n".join(parts)


def summary(rows: Sequence[tuple[Job, Mapping[str, Any]]]) -> str:
    cells = [
        [job.title, job.alternative or "–", *_cells(record, aim)] for job, record in rows for aim in job.aims or (None,)
    ]
    lines = ["| job | alternative | ours | alternative | ratio | aim | |", line(*["---"] * 7)]
    return "\n".join([*lines, *(line(*row) for row in cells), ""])


def _cells(record: Mapping[str, Any], aim: Aim | None) -> list[str]:
    """Ours, the alternative's, their ratio, the aim, and whether it is met: the aim only where it is held to."""
    sides = record["sides"]
    figure = aim.figure if aim else next(iter(sides[0]["rounds"][0]))
    cells = [_median(side, figure) for side in sides[:2]]
    value = ratio(sides, figure)
    cells += ["–"] * (2 - len(cells)) + ["–" if value is None else number(value)]
    if aim is None or record["size"] != "full":
        return [*cells, aim.words() if aim else "", ""]
    word = {True: "met", False: "**missed**", None: "not measured"}[judged(aim, sides)[1]]
    return [*cells, aim.words(), word]


def section(job: Job, record: Mapping[str, Any]) -> str:
    sides = record["sides"]
    names = list(dict.fromkeys(name for side in sides for name in side["rounds"][0] if name != "load"))
    shown = _by_side(sides, names) if len(sides) > 2 else _by_figure(sides, names)
    lines = [f"### {job.title}", "", " ".join(job.text.split()), "", *shown]
    loads = [figures["load"] for side in sides for figures in side["rounds"]]
    options = ", ".join(f"{name} {_option(value)}" for name, value in record["options"].items())
    lines += ["", f"{options}. {record['date']}, commit {record['commit']}, {record['machine']}, {record['system']}; "]
    lines[-1] += f"{record['versions']}. Load {min(loads):.1f} to {max(loads):.1f}; {record['minutes']} minutes.\n"
    return "\n".join(lines)


def _by_figure(sides: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    rows = [
        ["", *(side["name"] for side in sides)],
        *([name, *(_with_spread(s, name) for s in sides)] for name in names),
    ]
    if len(sides) > 1:
        rows = [[*row, _ratio(sides, row[0]) if row[0] else "ratio"] for row in rows]
    return _table(rows)


def _by_side(sides: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    return _table([["", *names], *([side["name"], *(_with_spread(side, name) for name in names)] for side in sides)])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *rest = (line(*row) for row in rows)
    return [head, line(*["---"] * len(rows[0])), *rest]


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


PICTURES = ROOT / "docs" / "performance"
KNEE_RECORD = PICTURES / "knee.json"
KNEE_HEADING = "Calls that arrive by themselves"
KNEE_TITLES = {"assignments": "four of five units are known", "events": "batches of 20"}


def step_line(one: Mapping[str, Any]) -> str:
    wrong = ", ".join(f"{n} {what}" for what, n in one["wrong"].items() if n) or "all right"
    recovery = "never" if one["recovery_s"] is None else f"{one['recovery_s']:.1f} s"
    return (
        f"offered {one['offered']:7,.0f}/s  answered {one['answered']:7,.0f}/s  p50 {_ms(one['p50_ms'])}  "
        f"p99 {_ms(one['p99_ms'])}  given up {one['given_up']}, refused {one['refused']}, failed {one['failed']}; "
        f"recovery {recovery}; {wrong}"
    )


def keep_knee(record: Mapping[str, Any]) -> None:
    """Keep the record and draw a picture of each kind."""
    keep(KNEE_RECORD, record, 5)
    for kind, found in record["kinds"].items():
        (PICTURES / f"knee-{kind}.svg").write_text(knee_picture(kind, found) + "\n", encoding="utf-8")


def knee_section() -> dict[str, str]:
    """The part of docs/performance.md; nothing before the first record."""
    record, lines = kept(KNEE_RECORD), [filled("knee").replace("\n", " "), ""]
    if not record:
        return {}
    for kind, found in record["kinds"].items():
        lines += [
            f"### {kind.capitalize()}: {KNEE_TITLES[kind]}",
            "",
            f"![p99 by offered load](performance/knee-{kind}.svg)",
            "",
            f"A closed load of eight connections reaches {found['reached']:,.0f} calls/s. Knee: "
            f"{found['knee']:,.0f} calls/s offered.",
            "",
            *knee_table(found["steps"]),
            "",
        ]
    where = f"{record['date']}, commit {record['commit']}, {record['machine']}, {record['system']}"
    lines.append(f"{record['seconds']:g} s a step. {where}; {record['versions']}. Load before {record['load']:.1f}.")
    return {KNEE_HEADING: "\n".join(lines)}


def knee_table(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    lost = ("lost", "doubled", "wrong")
    rows = []
    for one in steps:
        recovery = "more than it was watched" if one["recovery_s"] is None else f"{one['recovery_s']:.1f} s"
        cells = [f"{one['offered']:,.0f}", f"{one['answered']:,.0f}", _ms(one["p50_ms"]), _ms(one["p99_ms"])]
        cells += [str(one[name]) for name in ("given_up", "refused", "failed")] + [recovery]
        cells += [str(sum(n for what, n in one["wrong"].items() if what.startswith(word))) for word in lost]
        rows.append(cells)
    return table(("offered/s", "answered/s", "p50", "p99", "given up", "refused", "failed", "recovery", *lost), rows)


def knee_picture(kind: str, found: Mapping[str, Any]) -> str:
    """p50 and p99 by offered load, milliseconds on a logarithmic axis."""
    steps = [one for one in found["steps"] if one["p99_ms"] is not None]
    top = max([1_000.0, *(one["p99_ms"] for one in steps)])
    most = max(one["offered"] for one in found["steps"])
    sheet = Sheet(
        f"knee-{kind}", f"Latency by offered load, {kind}", (0.0, most * 1.05), (0.0, log10(top) + 0.1), 640, 280
    )
    sheet._y_axis("ms", [(float(power), f"{10**power:,}") for power in range(int(log10(top)) + 1)])
    sheet.x_axis("offered calls/s", [(one["offered"], f"{one['offered']:,.0f}") for one in found["steps"]])
    for place, (name, colour) in enumerate((("p50", BLUE), ("p99", ORANGE))):
        points = [(one["offered"], log10(max(1.0, one[f"{name}_ms"]))) for one in steps]
        sheet.line(list(points), colour, place)
        for (at, value), one in zip(points, steps, strict=True):
            sheet.dot(at, value, colour, f"{one['offered']:,.0f}/s: {name} {_ms(one[f'{name}_ms'])}", place=place)
    sheet.line([(found["knee"], 0.0), (found["knee"], log10(top))], GREY, 2)
    sheet.note(found["knee"], log10(top), "knee", rise=-2)
    sheet.legend([("p50", BLUE), ("p99", ORANGE)])
    return sheet.markup(alone=True)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"
