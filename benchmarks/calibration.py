"""Do the statistics keep their promises? Alarms, coverage, daily peeking and power in thousands of made-up experiments.

    .venv/bin/python benchmarks/calibration.py --write docs/calibration.md
    .venv/bin/python benchmarks/calibration.py --runs 500

Every number goes through the product's own functions; seeds are fixed, so the same commit gives the same page. The
exit code is 1 when a promise is broken.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import calibration_looks as looks
from benchmarks.calibration_rows import INTERVALS, LEVEL, LEVELS, TESTS
from benchmarks.calibration_worlds import Floats
from benchmarks.frame import filled, header, line, options_of, table

RUNS, SLOW_RUNS, SEED = 5_000, 2_000, 20261124
BAND = 0.999  # of the binomial law: with a hundred rows, one in ten pages would show a row outside by luck alone
COVERAGE_SLACK, POWER_SLACK = 0.01, 0.02
OF_ITS_OWN = "## Registered adjustment"  # a section that `calibration_adjusted.py` writes; this page keeps it


def main() -> None:
    parser = options_of(__doc__, processes=False)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"experiments a row ({RUNS:,}; slow rows {SLOW_RUNS:,})")
    options = parser.parse_args()
    begun = time.process_time()
    found = measure(options.runs, SEED, say=lambda text: print(text, flush=True))
    text = page(found, options.runs, time.process_time() - begun)
    print(text)
    if options.write:
        written = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
        _ours, heading, theirs = written.partition(OF_ITS_OWN)
        options.write.write_text(f"{text}\n{heading and '\n'}{heading}{theirs}", encoding="utf-8")
        write_charts(found, options.write.with_suffix(""))
    sys.exit(bool(found.broken))


# ── Rows ──────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Alarm:
    """Share of false alarms of one test at one level, with the band that luck allows."""

    name: str
    level: float
    share: float
    runs: int
    bounded: bool

    @property
    def band(self) -> tuple[float, float]:
        tail = (1 - BAND) / 2
        low, high = stats.binom.ppf([tail, 1 - tail], self.runs, self.level) / self.runs
        return float(low), float(high)

    @property
    def kept(self) -> bool:
        low, high = self.band
        return self.share <= high and (self.bounded or self.share >= low)


@dataclass(frozen=True)
class Coverage:
    name: str
    share: float
    runs: int
    promised: bool

    @property
    def kept(self) -> bool:
        return not self.promised or self.share >= LEVEL - COVERAGE_SLACK


@dataclass(frozen=True)
class Power:
    name: str
    calculated: float
    share: float
    units: int
    runs: int

    @property
    def kept(self) -> bool:
        return abs(self.share - self.calculated) <= POWER_SLACK


@dataclass(frozen=True)
class Found:
    """All that was measured; ``by_day`` holds levels x days of each way to look."""

    alarms: list[Alarm]
    peeking: list[Alarm]
    by_day: dict[str, Floats]
    coverage: list[Coverage]
    power: list[Power]

    @property
    def broken(self) -> list[Alarm | Coverage | Power]:
        """The naive looks are shown to be wrong, not promised."""
        rows = (*self.alarms, *(row for row in self.peeking if row.name != "naive"), *self.coverage, *self.power)
        return [row for row in rows if not row.kept]


def measure(runs: int, seed: int, *, slow_runs: int = SLOW_RUNS, say: Any = lambda text: None) -> Found:
    """Every row from its own stream, so that adding a row moves no other."""

    def stream(kind: int, name: str) -> np.random.Generator:
        return np.random.default_rng([seed, kind, *name.encode()])

    alarms, coverage = [], []
    for test in TESTS:
        n = min(runs, slow_runs) if test.slow else runs
        begun = time.perf_counter()
        shares = test.shares(stream(1, test.name), n)
        alarms += [
            Alarm(test.name, level, float(share), n, test.bounded)
            for level, share in zip(test.levels, shares, strict=True)
        ]
        say(f"{test.name:58} {time.perf_counter() - begun:6.1f} s")
    for cover in INTERVALS:
        begun = time.perf_counter()
        held = cover.draw(stream(2, cover.name), runs)
        coverage.append(Coverage(cover.name, float(np.mean(held)), len(held), cover.promised))
        say(f"{cover.name:58} {time.perf_counter() - begun:6.1f} s")
    by_day = looks.peeking(stream(3, "peeking"), runs, LEVELS)
    peeking = [
        Alarm(name, level, float(row[-1]), runs, bounded=True)
        for name, rows in by_day.items()
        for level, row in zip(LEVELS, rows, strict=True)
    ]
    peeking += [
        Alarm(name, level, share, runs, bounded=True)
        for name, shares in looks.promising(stream(3, "promising"), runs, LEVELS).items()
        for level, share in zip(LEVELS, shares, strict=True)
    ]
    power = [Power(*row, runs) for row in looks.powers(stream(4, "power"), runs)]
    return Found(alarms, peeking, by_day, coverage, power)


# ── Page ──────────────────────────────────────────────────────────────────────
def page(found: Found, runs: int, seconds: float) -> str:
    coverage = [
        [row.name, f"{row.share:.1%}", f"{row.runs:,}", mark(row) if row.promised else "no promise"]
        for row in found.coverage
    ]
    return filled(
        "calibration",
        vars(looks) | globals(),
        runs=runs,
        slow=min(runs, SLOW_RUNS),
        minutes=seconds / 60,
        broken=len(found.broken) or "none",
        alarms=alarm_table(found.alarms),
        peeking=alarm_table(found.peeking),
        coverage=table(("interval", "covers", "runs", ""), coverage),
        power=power_table("plan", found.power),
    )


def power_table(plan: str, rows: list[Power]) -> list[str]:
    cells = [[row.name, f"{row.units:,}", f"{row.calculated:.1%}", f"{row.share:.1%}", mark(row)] for row in rows]
    return table((plan, "units", "calculated", "found", ""), cells)


def alarm_table(rows: list[Alarm]) -> list[str]:
    """One line a test, one column a level."""
    levels = sorted({row.level for row in rows})
    lines = [*header("test", *(f"at {level:.0%}" for level in levels), "runs", "")]
    for name in dict.fromkeys(row.name for row in rows):
        mine = {row.level: row for row in rows if row.name == name}
        cells = [cell(mine[level]) if level in mine else "" for level in levels]
        some = next(iter(mine.values()))
        lines.append(line(name, *cells, f"{some.runs:,}", "≤" if some.bounded else ""))
    bands = {row.runs: row for row in rows}
    for runs in sorted(bands, reverse=True):
        ends = (Alarm("", level, 0.0, runs, bounded=False).band for level in levels)
        lines.append(line(f"*band of {runs:,} runs*", *(f"*{low:.2%} to {high:.2%}*" for low, high in ends), "", ""))
    return lines


def cell(row: Alarm) -> str:
    return f"{row.share:.2%}" if row.kept else f"**{row.share:.2%}**"


def mark(row: Coverage | Power) -> str:
    return "kept" if row.kept else "**broken**"


# ── Charts ────────────────────────────────────────────────────────────────────
BLUE, ORANGE, GREY = "#2563a8", "#c2410c", "#9ca3af"


def write_charts(found: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in (
        ("alarms", alarms_chart(found)),
        ("coverage", coverage_chart(found)),
        ("peeking", peeking_chart(found)),
    ):
        chart.save(folder / f"{name}.svg")


def alarms_chart(found: Any) -> Any:
    import altair as alt

    rows = [
        {
            "test": row.name + (" (≤)" if row.bounded else ""),
            "level": f"level {row.level:.0%}",
            "share": row.share,
            "low": row.band[0],
            "high": row.band[1],
            "kept": "inside" if row.kept else "outside",
        }
        for row in found.alarms
    ]
    levels = sorted({row.level for row in found.alarms})
    base = alt.Chart().encode(y=alt.Y("test:N", sort=None, title=None, axis=alt.Axis(labelLimit=380)))
    band = base.mark_bar(color=GREY, opacity=0.45, height=9).encode(
        x=alt.X("low:Q", title="share of false alarms", axis=alt.Axis(format="%")), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=38, opacity=1).encode(x="share:Q", color=coloured(alt))
    layered = alt.layer(band, dots, data=alt.Data(values=rows)).properties(width=190)
    return layered.facet(
        alt.Column("level:N", title=None, sort=[f"level {level:.0%}" for level in levels])
    ).resolve_scale(x="independent")


def coverage_chart(found: Any) -> Any:
    import altair as alt

    rows = [
        {
            "interval": row.name,
            "share": row.share,
            "low": row.share - 1.96 * (row.share * (1 - row.share) / row.runs) ** 0.5,
            "high": row.share + 1.96 * (row.share * (1 - row.share) / row.runs) ** 0.5,
            "kept": "inside" if row.kept else "outside",
        }
        for row in found.coverage
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("interval:N", sort=None, title=None, axis=alt.Axis(labelLimit=380))
    )
    scale = alt.Scale(domain=[0.92, 1.0], zero=False)
    bars = base.mark_rule(color=GREY, strokeWidth=2, clip=True).encode(
        x=alt.X("low:Q", scale=scale, title="share that holds the truth", axis=alt.Axis(format="%")), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=38, opacity=1, clip=True).encode(x="share:Q", color=coloured(alt))
    return (bars + dots + at(alt, 0.95) + at(alt, 0.94, dashed=True)).properties(width=420)


def peeking_chart(found: Any) -> Any:
    """How the share of tests that have alarmed grows with the evenings, at 5 %."""
    import altair as alt

    rows = [
        {"evening": day, "share": float(share), "method": name}
        for name, levels in found.by_day.items()
        for day, share in enumerate(levels[1], 1)
    ]
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("evening:Q", title="evening"),
            y=alt.Y("share:Q", title="share that has alarmed", axis=alt.Axis(format="%")),
            color=alt.Color("method:N", title=None, sort=None),
        )
    )
    level = alt.Chart(alt.Data(values=[{"at": 0.05}])).mark_rule(strokeDash=[4, 4], color=GREY).encode(y="at:Q")
    return (lines + level).properties(width=420, height=240)


def coloured(alt: Any) -> Any:
    return alt.Color("kept:N", scale=alt.Scale(domain=["inside", "outside"], range=[BLUE, ORANGE]), legend=None)


def at(alt: Any, value: float, *, dashed: bool = False) -> Any:
    mark = {"strokeDash": [4, 4]} if dashed else {}
    return alt.Chart(alt.Data(values=[{"at": value}])).mark_rule(color="black", opacity=0.5, **mark).encode(x="at:Q")


if __name__ == "__main__":
    main()
