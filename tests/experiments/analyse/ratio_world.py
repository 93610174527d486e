"""A ratio whose segments move against each other: revenue per active day of casual and heavy users."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.engine import Judgement, compare_all
from experiments.analyse.gather.answers import REACHED, Block, Cells
from experiments.plan.design import Design
from stats.instrument.anderson_rubin import anderson_rubin
from stats.results import computable

TITLE = "A ratio with segments (A1)"
TEXT = """Half of the users are casual (about 2 active days), half heavy (about 20); revenue is 1 an active day. The
nudge adds .5 an active day for casual users and takes .1 from heavy ones: revenue per active day falls from 1 to .9545,
since heavy users have most of the days. Averaging the segments' own ratios called that a gain of .199 and CAUSES.
Numerator and denominator are standardised over segments first and divided then (Deng, Knoblich, Lu 2018; Miratrix,
Sekhon, Yu 2013)."""

type Floats = NDArray[np.float64]
type Rng = np.random.Generator

METRIC = "sum:buy:amount:0-6 / active_days:0-6"
DAYS, CHANGE, RATE = np.array([2.0, 20.0]), np.array([0.5, -0.1]), 1.0
TRUTH = float((DAYS * (RATE + CHANGE)).sum() / DAYS.sum() - RATE)
EQUAL, UNEQUAL = (0.5, 0.5), (0.8, 0.3)
MOVED = 0.4


def draw(rng: Rng, n: int, shares: tuple[float, float]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Arm, segment and (revenue, active days, reached the moment); ``shares``: of the segments' users, nudged."""
    segment = rng.integers(0, 2, n)
    arm = (rng.random(n) < np.array(shares)[segment]).astype(np.int64)
    days = 1.0 + rng.poisson(DAYS[segment] - 1)
    own = np.exp(rng.normal(-0.02, 0.2, n))
    revenue = days * (RATE * own + arm * CHANGE[segment]) + rng.normal(0, 1, n) * np.sqrt(days) * 0.5
    reached = (rng.random(n) < 0.2 + MOVED * arm).astype(float)
    return arm, segment, np.column_stack([revenue, days, reached])


def data_of(arm: NDArray[np.int64], segment: NDArray[np.int64], values: Floats, *, names: tuple[str, ...]) -> CellData:
    """The moments that a warehouse would answer; ``names`` of one segment: a plan without segments."""
    segment = segment if len(names) > 1 else np.zeros_like(segment)
    keys = [(g, s) for g in (0, 1) for s in range(len(names))]
    rows = [values[(arm == g) & (segment == s)] for g, s in keys]
    columns = ("value", "denominator", REACHED)[: values.shape[1]]
    block = Block(
        columns,
        np.array([len(row) for row in rows]),
        np.array([row.mean(axis=0) for row in rows]),
        np.array([np.cov(row.T) for row in rows]),
    )
    g, s = (np.array(part) for part in zip(*keys, strict=True))
    none = np.zeros(len(keys), dtype=np.int64)
    cells = Cells(
        ("control", "nudge"),
        names,
        (),
        (),
        (),
        g,
        s,
        none,
        np.empty((len(keys), 0), dtype=np.int64),
        block.n,
        {METRIC: block},
    )
    return CellData(cells, (METRIC,), {}, same_split=True)


def read(data: CellData) -> tuple[OutcomeReport, Comparison]:
    """The outcome as the engine reports it."""
    outcome = compare_all(Design("variant", "control", (METRIC,)), data, Judgement())[0]
    return outcome, outcome.comparisons[0]


def figures(size: float) -> list[Figure]:
    """All rows; 1.0 is about a minute of one core."""
    rng = np.random.default_rng(13)
    return [*_once(rng), *_many(rng, max(int(4_000 * size), 20))]


def _once(rng: Rng) -> Iterator[Figure]:
    arm, segment, values = draw(rng, 100_000, EQUAL)
    for names, label in ((("casual", "heavy"), "with segments"), (("",), "without segments")):
        outcome, row = read(data_of(arm, segment, values[:, :2], names=names))
        levels = [outcome.values[name].mean for name in ("control", "nudge")]
        assert computable(row.difference)
        assert all(isinstance(level, float) for level in levels)
        apart = float(levels[1]) - float(levels[0])  # type: ignore[arg-type]
        found = row.difference.estimate
        yield Figure(
            f"100,000 users, {label}: levels and their difference",
            "difference = levels' difference, -.0455 ± .003, never CAUSES",
            f"{levels[0]:.4f} → {levels[1]:.4f}: {found:+.4f}, p {row.difference.p_value:.1g}, {row.verdict.code}",
            abs(found - apart) < 1e-9 and abs(found - TRUTH) < 0.003 and row.verdict.code != "CAUSES",
        )


def _many(rng: Rng, runs: int) -> Iterator[Figure]:
    for shares, label in ((EQUAL, "half of each segment nudged"), (UNEQUAL, "80 % of casual, 30 % of heavy nudged")):
        causes, read_out, covers, agree, contains = 0, 0, 0, 0, 0
        for run in range(runs):
            arm, segment, values = draw(rng, 6_000, shares)
            data = data_of(arm, segment, values[:, :2], names=("casual", "heavy"))
            pair = data.pair(METRIC, 1)
            found = pair.difference(alpha=0.05)
            assert computable(found)
            agree += abs(pair.variant.mean - pair.control.mean - found.estimate) < 1e-9
            covers += found.low <= TRUTH <= found.high
            moments = data_of(arm, segment, values, names=("casual", "heavy")).pair(METRIC, 1).moments()
            contains += computable(moments) and anderson_rubin(moments).contains(TRUTH / MOVED)
            if run % 10 == 0:  # the whole engine, which takes longer
                read_out += 1
                causes += read(data)[1].verdict.code == "CAUSES"
        yield Figure(f"{label}: CAUSES", "never", f"{causes} of {read_out} runs", causes == 0)
        yield Figure(f"{label}: levels and difference agree", "always", f"{agree:,} of {runs:,} runs", agree == runs)
        for count, name in ((covers, "interval of the difference"), (contains, "Anderson-Rubin set")):
            share = count / runs
            seen = f"{percent(share)} of {runs:,} runs"
            yield Figure(f"{label}: the 95 % {name} covers", "93 to 97 %", seen, 0.93 <= share <= 0.97)
