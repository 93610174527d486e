"""What `benchmarks/knee.py` measured: a line in the terminal, the record, the section with its pictures."""

import json
from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

from benchmarks.frame import ROOT
from reporting.charts import BLUE, GREY, ORANGE
from reporting.plain_svg import Sheet

FOLDER = ROOT / "docs" / "performance"
RECORD = FOLDER / "knee.json"
HEADING = "Calls that arrive by themselves"
TEXT = """`python -m benchmarks.knee --write`: calls arrive by a Poisson process on PostgreSQL, whether earlier ones
are answered or not; latency counts from the arrival. Callers open at most 256 connections and give up a call that
can't be sent within 2 s. The knee is the highest offered rate at which 99 of 100 calls are answered within 250 ms
and all of them at last; the last row is twice the knee. Recovery: seconds from the end of the load until each of 20
slow calls a second is answered within 250 ms again. At every step the answered variant was compared with the draw,
and rows, exposures and events with the answers."""
TITLES = {"assignments": "four of five units are known", "events": "batches of 20"}


def line(one: Mapping[str, Any]) -> str:
    """A step for the terminal."""
    wrong = ", ".join(f"{n} {what}" for what, n in one["wrong"].items() if n) or "all right"
    recovery = "never" if one["recovery_s"] is None else f"{one['recovery_s']:.1f} s"
    return (
        f"offered {one['offered']:7,.0f}/s  answered {one['answered']:7,.0f}/s  p50 {_ms(one['p50_ms'])}  "
        f"p99 {_ms(one['p99_ms'])}  given up {one['given_up']}, refused {one['refused']}, failed {one['failed']}; "
        f"recovery {recovery}; {wrong}"
    )


def keep(record: Mapping[str, Any]) -> None:
    """Keep the record and draw a picture of each kind."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rounded = json.loads(json.dumps(record), parse_float=lambda text: float(f"{float(text):.5g}"))
    RECORD.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    for kind, found in record["kinds"].items():
        (FOLDER / f"knee-{kind}.svg").write_text(picture(kind, found) + "\n", encoding="utf-8")


def section() -> dict[str, str]:
    """The part of docs/performance.md; nothing before the first record."""
    if not RECORD.exists():
        return {}
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    lines = [" ".join(TEXT.split()), ""]
    for kind, found in record["kinds"].items():
        lines += [
            f"### {kind.capitalize()}: {TITLES[kind]}",
            "",
            f"![p99 by offered load](performance/knee-{kind}.svg)",
            "",
        ]
        lines += [f"A closed load of eight connections reaches {found['reached']:,.0f} calls/s. Knee: "]
        lines[-1] += f"{found['knee']:,.0f} calls/s offered."
        lines += ["", *table(found["steps"]), ""]
    lines.append(f"{record['seconds']:g} s a step. {record['date']}, commit {record['commit']}, {record['machine']}, ")
    lines[-1] += f"{record['system']}; {record['versions']}. Load before {record['load']:.1f}."
    return {HEADING: "\n".join(lines)}


def table(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row for each offered rate."""
    lost = ("lost", "doubled", "wrong")
    lines = ["| offered/s | answered/s | p50 | p99 | given up | refused | failed | recovery | lost | doubled | wrong |"]
    lines.append("| --- " * 11 + "|")
    for one in steps:
        recovery = "more than it was watched" if one["recovery_s"] is None else f"{one['recovery_s']:.1f} s"
        cells = [f"{one['offered']:,.0f}", f"{one['answered']:,.0f}", _ms(one["p50_ms"]), _ms(one["p99_ms"])]
        cells += [str(one[name]) for name in ("given_up", "refused", "failed")] + [recovery]
        cells += [str(sum(n for what, n in one["wrong"].items() if what.startswith(word))) for word in lost]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def picture(kind: str, found: Mapping[str, Any]) -> str:
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
