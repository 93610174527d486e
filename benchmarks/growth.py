"""How time and memory grow with the data: whole jobs at 1, 3 and 10 times a base size, for docs/scale.md.

    python -m benchmarks.growth                                # prints; up to two hours
    python -m benchmarks.growth --only study import --write    # these anew, the others stay; writes docs/scale.md
    python -m benchmarks.growth --base 0.1                     # a tenth of the sizes

Each size has three rounds; shown is the middle one, in brackets the smallest and the largest. The slope is that of a
power law through the smallest and the largest size: 1 means ten times the data takes ten times as long. What larger
sites take is arithmetic: a straight line through the two largest sizes (`beyond`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, keep, kept, options_of, paragraph, table, where_and_when, write_between
from benchmarks.harness.job import Room
from benchmarks.harness.rounds import middle, run_job, spread
from benchmarks.jobs.all_jobs import JOBS
from reporting.charts import BLUE, GREEN, GREY, ORANGE, PURPLE
from reporting.plain_svg import Sheet

FOLDER = ROOT / "docs" / "performance"
RECORD, PICTURE = FOLDER / "growth.json", FOLDER / "growth.svg"
PAGE = ROOT / "docs" / "scale.md"
FIRST, LAST = "<!-- growth: written by benchmarks/growth.py -->", "<!-- end of growth -->"
FACTORS = (1, 3, 10)
ROUNDS = 3
MILLIONS = (1, 10, 100, 1_000)  # users of the sites of docs/scale.md; nothing was run beyond the first
CORE_HOUR, TB_READ = 0.05, 5.0  # US dollars; what clouds and warehouses ask without a contract, to be replaced by yours
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
    """The job at each size, without its alternative where it can do without."""
    job, points = next(job for job in JOBS if job.name == one.job), []
    for factor in FACTORS:
        size = int(one.base * base * factor)
        side = run_job(job, "full", {one.option: size, "rounds": ROUNDS, "old": 0}, room)["sides"][0]
        points.append({"size": size, **point(side)})
    return {"title": job.title, "unit": one.unit, "points": points, **where_and_when()}


def point(side: Mapping[str, Any]) -> dict[str, float]:
    """The middle of the rounds of each figure, and the smallest and largest seconds."""
    found = {name: middle(dict(side), name) for name in ("s", "processor s", "peak GiB", "read GB")}
    least, most = spread(dict(side), "s")
    return {name: value for name, value in found.items() if value is not None} | {"least s": least, "most s": most}


def beyond(points: Sequence[Mapping[str, float]], figure: str, size: float) -> float | None:
    """A figure at another size, on the straight line through the two largest that were measured; it never falls."""
    (*_, before, last) = points
    if figure not in before or figure not in last:
        return None
    each = (last[figure] - before[figure]) / (last["size"] - before["size"])
    return max(last[figure] + each * (size - last["size"]), last[figure] if size >= last["size"] else 0.0)


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
    where = f"{'; '.join(measured)}; {one['machine']}, {one['system']}. {ROUNDS} rounds at each size."
    picture = "![time by size](performance/growth.svg)"
    write_between(
        page, FIRST, LAST, ["", *rows(record), "", picture, "", *costs(record), "", paragraph(PRICES), "", where, ""]
    )


def rows(record: Mapping[str, Any]) -> list[str]:
    """A row for each job: seconds and memory at each size."""
    lines = []
    for job in (record[one.job] for one in GROWING if one.job in record):
        cells = [in_words(point) for point in job["points"]]
        lines.append([job["title"], job["unit"], *cells, f"{slope(job['points']):.2f}"])
    return table(("job", "what grows", "1 ×", "3 ×", "10 ×", "slope"), lines)


def in_words(point: Mapping[str, float]) -> str:
    """Seconds with their range, processor seconds, memory and bytes of a size."""
    words = f"{point['size']:,}: {point['s']:,.1f} s ({point['least s']:,.1f} to {point['most s']:,.1f})"
    words += f", {point['processor s']:,.0f} processor s" if "processor s" in point else ""
    words += f", {point['peak GiB']:.1f} GiB" if "peak GiB" in point else ""
    return words + (f", {point['read GB']:.2f} GB read" if "read GB" in point else "")


def costs(record: Mapping[str, Any]) -> list[str]:
    """What a run takes on sites of other sizes, and the money for it, by `beyond`; jobs that grow with users alone."""
    lines = []
    for one in GROWING:
        if one.option != "users" or one.job not in record:
            continue
        points = record[one.job]["points"]
        cells = []
        for users in (millions * 1e6 for millions in MILLIONS):
            seconds, read = beyond(points, "processor s", users), beyond(points, "read GB", users)
            words = "" if seconds is None else f"{seconds / 3600:,.2f} core hours (${seconds / 3600 * CORE_HOUR:,.2f})"
            words += "" if read is None else f", {read:,.1f} GB (${read / 1e3 * TB_READ:,.2f})"
            cells.append(words)
        lines.append([record[one.job]["title"], *cells])
    return table(("one run", *(f"{millions:,} million users" for millions in MILLIONS)), lines)


PRICES = f"""
By arithmetic: a straight line through the two largest sizes of the table above, 50 events a user, with ${CORE_HOUR}
a core hour and ${TB_READ:g} a terabyte that an engine reads. Models and pictures see samples, so what grows is the
counting, which engines do on as many cores as they have."""


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
