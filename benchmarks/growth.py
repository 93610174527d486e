"""How time and memory grow with the data: whole jobs at 1, 3 and 10 times a base size, for docs/scale.md.

    python -m benchmarks.growth                                # prints; up to an hour
    python -m benchmarks.growth --only study import --write    # these anew, the others stay; writes docs/scale.md
    python -m benchmarks.growth --base 0.1                     # a tenth of the sizes

Each size is measured once, so a figure is as sure as one round is. The slope is that of a power law through the
smallest and the largest size: 1 means ten times the data takes ten times as long.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, keep, kept, options_of, table, where_and_when, write_between
from benchmarks.harness.job import Room
from benchmarks.harness.rounds import run_job
from benchmarks.jobs.all_jobs import JOBS
from reporting.charts import BLUE, GREEN, GREY, ORANGE, PURPLE
from reporting.plain_svg import Sheet

FOLDER = ROOT / "docs" / "performance"
RECORD, PICTURE = FOLDER / "growth.json", FOLDER / "growth.svg"
PAGE = ROOT / "docs" / "scale.md"
FIRST, LAST = "<!-- growth: written by benchmarks/growth.py -->", "<!-- end of growth -->"
FACTORS = (1, 3, 10)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)


@dataclass(frozen=True)
class Growing:
    """A job, the option of it that grows, its value at 1 ×, and what that counts."""

    job: str
    option: str
    base: int
    unit: str


GROWING = (
    Growing("study", "users", 100_000, "users, 50 events each"),
    Growing("segmentation", "users", 100_000, "users, 50 events each"),
    Growing("grid", "users", 100_000, "users, 50 events each"),
    Growing("import", "events", 500_000, "rows of CSV"),
    Growing("flush", "rows", 50_000, "events in the outbox"),
)


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False)
    parser.add_argument("--only", nargs="+", choices=[one.job for one in GROWING], default=None)
    parser.add_argument("--base", type=float, default=1.0, help="times the base sizes")
    parser.add_argument("--write", action="store_true", help="docs/scale.md and its picture")
    options = parser.parse_args()
    record = kept(RECORD)
    with Room() as room:
        for one in GROWING:
            if options.only is None or one.job in options.only:
                record[one.job] = measure(one, options.base, room)
                print("\n".join(rows({one.job: record[one.job]})), flush=True)
                if options.write:
                    write(record)


def measure(one: Growing, base: float, room: Room) -> dict[str, Any]:
    """The job at each size, one round each, without its alternative where it can do without."""
    job, points = next(job for job in JOBS if job.name == one.job), []
    for factor in FACTORS:
        size = int(one.base * base * factor)
        options = {one.option: size, "rounds": 1, "old": 0}
        figures = run_job(job, "full", options, room)["sides"][0]["rounds"][0]
        points.append({"size": size, **{name: figures[name] for name in ("s", "peak GiB") if name in figures}})
    return {"title": job.title, "unit": one.unit, "points": points, **where_and_when()}


def slope(points: Sequence[Mapping[str, float]]) -> float:
    """The power of the size by which seconds grow between the first and the last point."""
    first, last = points[0], points[-1]
    return math.log(last["s"] / first["s"]) / math.log(last["size"] / first["size"])


def write(record: Mapping[str, Any]) -> None:
    """Keep the record, draw the picture and write the part of docs/scale.md between its two marks."""
    rounded = keep(RECORD, record, 4)
    PICTURE.write_text(picture(rounded) + "\n", encoding="utf-8")
    write_part(PAGE, rounded)


def write_part(page: Path, record: Mapping[str, Any]) -> None:
    """Put the table and where it was measured between the marks of the page."""
    measured = sorted({f"{job['date']}, commit {job['commit']}" for job in record.values()})
    one = next(iter(record.values()))
    where = f"{'; '.join(measured)}; {one['machine']}, {one['system']}. One round at each size."
    write_between(page, FIRST, LAST, ["", *rows(record), "", "![time by size](performance/growth.svg)", "", where, ""])


def rows(record: Mapping[str, Any]) -> list[str]:
    """A row for each job: seconds and memory at each size."""
    lines = []
    for job in (record[one.job] for one in GROWING if one.job in record):
        cells = [
            f"{point['size']:,}: {point['s']:,.1f} s"
            + (f", {point['peak GiB']:.1f} GiB" if "peak GiB" in point else "")
            for point in job["points"]
        ]
        lines.append([job["title"], job["unit"], *cells, f"{slope(job['points']):.2f}"])
    return table(("job", "what grows", "1 ×", "3 ×", "10 ×", "slope"), lines)


def picture(record: Mapping[str, Any]) -> str:
    """Seconds by times the base size, both logarithmic."""
    shown = [one for one in GROWING if one.job in record]
    seconds = [point["s"] for one in shown for point in record[one.job]["points"]]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    sheet = Sheet("growth", "Seconds by size", (-0.05, 1.05), (float(low), float(high)), 640, 280)
    sheet._y_axis("s", [(float(power), f"{10.0**power:,g}") for power in range(low, high + 1)])
    sheet.x_axis("times the base size", [(math.log10(factor), f"{factor} ×") for factor in FACTORS])
    for place, (one, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        points = [
            (math.log10(factor), math.log10(point["s"]))
            for factor, point in zip(FACTORS, record[one.job]["points"], strict=True)
        ]
        sheet.line(list(points), colour, place)
        for (at, value), point in zip(points, record[one.job]["points"], strict=True):
            sheet.dot(at, value, colour, f"{one.job}, {point['size']:,}: {point['s']:,.1f} s", place=place)
    sheet.legend([(one.job, colour) for one, colour in zip(shown, COLOURS, strict=False)])
    return sheet.markup(alone=True)


if __name__ == "__main__":
    main()
