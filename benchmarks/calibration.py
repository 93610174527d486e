"""Do the statistics keep their promises? Alarms, coverage, daily peeking and power in thousands of made-up experiments.

    .venv/bin/python benchmarks/calibration.py --write docs/calibration.md
    .venv/bin/python benchmarks/calibration.py --runs 500 --json var/calibration.json

Every number goes through the product's own functions; seeds are fixed, so the same commit gives the same page. The
exit code is 1 when a promise is broken.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import calibration_charts as charts
from benchmarks import calibration_intervals as intervals
from benchmarks import calibration_looks as looks
from benchmarks import calibration_tests as tests
from benchmarks.calibration_worlds import Floats
from benchmarks.frame import commit, header, line, options_of

RUNS, SLOW_RUNS, SEED = 5_000, 2_000, 20261124
BAND = 0.999  # of the binomial law: with a hundred rows, one in ten pages would show a row outside by luck alone
COVERAGE_SLACK, POWER_SLACK = 0.01, 0.02
OF_ITS_OWN = "## Registered adjustment"  # a section that `calibration_adjusted.py` writes; this page keeps it


def main() -> None:
    parser = options_of(__doc__, processes=False)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"experiments a row ({RUNS:,}; slow rows {SLOW_RUNS:,})")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    begun = time.process_time()
    found = measure(options.runs, SEED, say=lambda text: print(text, flush=True))
    text = page(found, options.runs, time.process_time() - begun)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(found.as_json(), indent=1), encoding="utf-8")
    if options.write:
        written = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
        _ours, heading, theirs = written.partition(OF_ITS_OWN)
        options.write.write_text(f"{text}\n{heading and '\n'}{heading}{theirs}", encoding="utf-8")
        charts.write(found, options.write.with_suffix(""))
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
    """Share of intervals that hold the truth, at 95 %."""

    name: str
    share: float
    runs: int
    promised: bool

    @property
    def kept(self) -> bool:
        return not self.promised or self.share >= intervals.LEVEL - COVERAGE_SLACK


@dataclass(frozen=True)
class Power:
    """Calculated power beside the share of runs that found the effect."""

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

    def as_json(self) -> dict[str, Any]:
        rows = {name: getattr(self, name) for name in ("alarms", "peeking", "coverage", "power")}
        days = {name: levels.tolist() for name, levels in self.by_day.items()}
        return {"by_day": days} | {
            name: [asdict(row) | {"kept": row.kept} for row in each] for name, each in rows.items()
        }


def measure(runs: int, seed: int, *, slow_runs: int = SLOW_RUNS, say: Any = lambda text: None) -> Found:
    """Every row from its own stream, so that adding a row moves no other."""

    def stream(kind: int, name: str) -> np.random.Generator:
        return np.random.default_rng([seed, kind, *name.encode()])

    alarms, coverage = [], []
    for test in tests.TESTS:
        n = min(runs, slow_runs) if test.slow else runs
        begun = time.perf_counter()
        shares = tests.alarms(test, stream(1, test.name), n)
        alarms += [
            Alarm(test.name, level, float(share), n, test.bounded)
            for level, share in zip(test.levels, shares, strict=True)
        ]
        say(f"{test.name:58} {time.perf_counter() - begun:6.1f} s")
    for cover in intervals.INTERVALS:
        begun = time.perf_counter()
        held = cover.draw(stream(2, cover.name), runs)
        coverage.append(Coverage(cover.name, float(np.mean(held)), len(held), cover.promised))
        say(f"{cover.name:58} {time.perf_counter() - begun:6.1f} s")
    by_day = looks.peeking(stream(3, "peeking"), runs, tests.LEVELS)
    peeking = [
        Alarm(name, level, float(row[-1]), runs, bounded=True)
        for name, rows in by_day.items()
        for level, row in zip(tests.LEVELS, rows, strict=True)
    ]
    peeking += [
        Alarm(name, level, share, runs, bounded=True)
        for name, shares in looks.promising(stream(3, "promising"), runs, tests.LEVELS).items()
        for level, share in zip(tests.LEVELS, shares, strict=True)
    ]
    power = [Power(*row, runs) for row in looks.powers(stream(4, "power"), runs)]
    return Found(alarms, peeking, by_day, coverage, power)


# ── Page ──────────────────────────────────────────────────────────────────────
def page(found: Found, runs: int, seconds: float) -> str:
    folder = "calibration"
    return "\n".join(
        [
            "# Calibration",
            "",
            "We run thousands of made-up experiments whose true effect is known, and count how often Insight is wrong.",
            "A 5 % test must be wrong in about 5 % of them, and a 95 % interval must contain the truth in about 95 %.",
            "",
            f"`python benchmarks/calibration.py`, commit {commit()}: {runs:,} made-up experiments a row (slow rows",
            f"{min(runs, SLOW_RUNS):,}), seed {SEED}, {seconds / 60:.0f} minutes of one core. Every number goes",
            f"through the product's functions. Promises broken: {len(found.broken) or 'none'}.",
            "",
            "## False alarms",
            "",
            "Experiments without any effect. The share of alarms must lie in the band that holds 99.9 % of what luck",
            "gives at that level. Rows marked ≤ promise at most the level: exact tests of few units can't reach it,",
            "joined and one-sided tests needn't.",
            "",
            f"![False alarms]({folder}/alarms.svg)",
            "",
            *alarm_table(found.alarms),
            "",
            "## Looking every evening",
            "",
            f"{looks.DAYS} evenings, {looks.DAILY} new units an arm a day, no effect: the share of tests that have",
            "alarmed by the last evening. `naive` repeats the fixed test, which is what an unpaid peek does. Closed",
            "when promising: looks at 20 to 80 %, closed after the first whose |z| reaches the number.",
            "",
            f"![Looking every evening]({folder}/peeking.svg)",
            "",
            *alarm_table(found.peeking),
            "",
            "## Coverage",
            "",
            "Share of 95 % intervals that hold the truth; the aim is at least 94 %. Wald intervals of a weak first",
            "stage carry no promise: they are shown beside the Anderson-Rubin set, which decides.",
            "",
            f"![Coverage]({folder}/coverage.svg)",
            "",
            line("interval", "covers", "runs", ""),
            line("---", "---", "---", "---"),
            *(
                line(row.name, f"{row.share:.1%}", f"{row.runs:,}", mark(row) if row.promised else "no promise")
                for row in found.coverage
            ),
            "",
            "## Power",
            "",
            "What `power` calculates beside the share of experiments of that size in which the test found the effect;",
            "the aim is two points.",
            "",
            line("plan", "units", "calculated", "found", ""),
            line("---", "---", "---", "---", "---"),
            *(
                line(row.name, f"{row.units:,}", f"{row.calculated:.1%}", f"{row.share:.1%}", mark(row))
                for row in found.power
            ),
        ]
    )


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


if __name__ == "__main__":
    main()
