"""The Mantel-Haenszel difference when effects differ between strata, and when strata are tiny."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit_04.figure import Figure, percent
from stats.results import computable
from stats.stratified import risk_difference
from stats.summaries import Mean

TITLE = "Mantel-Haenszel under heterogeneity (B15)"
TEXT = """Sato's variance assumes one effect for all strata: where effects differ it was .70 to 10 times the true one
and covered from 90 % on. From 50 units an arm in every stratum on, Greenland and Robins' variance (1985) is used, which
assumes nothing about the effects; below, Sato's (1989), since the other collapses in tiny strata. Coverage is of the
weighted difference sum w (p1 - p0) / sum w at the strata's true shares; the name of the variance is in the result."""

type Rng = np.random.Generator
type Ints = NDArray[np.int64]

# Per stratum: units of control, of the variant, share of control, share of the variant.
type Cells = tuple[tuple[int, int, float, float], ...]
LARGE: dict[str, Cells] = {
    "four strata, effects +.30 to -.20": (
        (200, 200, 0.3, 0.6),
        (200, 200, 0.5, 0.3),
        (150, 150, 0.1, 0.3),
        (300, 300, 0.6, 0.6),
    ),
    "unequal splits, effects +.45 and -.25": ((80, 400, 0.2, 0.65), (400, 80, 0.6, 0.35), (120, 120, 0.9, 0.9)),
    "unequal splits, effects +.25 and 0": ((200, 1_600, 0.7, 0.95), (200, 1_000, 0.05, 0.05)),
    "50 units an arm, effects +.35 to -.35": ((50, 50, 0.1, 0.45), (50, 50, 0.85, 0.5), (50, 50, 0.4, 0.4)),
    "one effect of +.10": ((200, 200, 0.2, 0.3), (150, 250, 0.5, 0.6), (300, 100, 0.7, 0.8)),
}
SPARSE = tuple((2, 3, 0.2 + 0.004 * k, 0.3 + 0.004 * k) for k in range(100))
NAMES = ("mantel-haenszel-difference-greenland-robins", "mantel-haenszel-difference-sato")


def figures(size: float) -> list[Figure]:
    """All rows; 1.0 is about a minute of one core."""
    rng = np.random.default_rng(15)
    runs = max(int(20_000 * size), 200)
    rows = [_figure(rng, name, cells, runs, NAMES[0], 0.94) for name, cells in LARGE.items()]
    return [
        *rows,
        _figure(rng, "100 strata of 2 + 3 units, one effect of +.10", SPARSE, max(runs // 5, 100), NAMES[1], 0.93),
    ]


def _figure(rng: Rng, name: str, cells: Cells, runs: int, method: str, least: float) -> Figure:
    n0, n1, p0, p1 = (np.array(column) for column in zip(*cells, strict=True))
    weights = n0 * n1 / (n0 + n1)
    truth = float(weights @ (p1 - p0) / weights.sum())
    control, variant = rng.binomial(n0, p0, (runs, len(n0))), rng.binomial(n1, p1, (runs, len(n1)))
    covers, named = 0, 0
    for c, v in zip(control, variant, strict=True):
        found = risk_difference(_strata(c, n0, v, n1))
        covers += computable(found) and found.low <= truth <= found.high
        named += computable(found) and found.method == method
    share = covers / runs
    seen = f"{percent(share)} of {runs:,} runs, {method.removeprefix('mantel-haenszel-difference-')} in {named:,}"
    return Figure(
        f"{name}: the 95 % interval covers", f"at least {percent(least, 0)}", seen, share >= least and named == runs
    )


def _strata(control: Ints, n0: Ints, variant: Ints, n1: Ints) -> list[tuple[Mean, Mean]]:
    rows = zip(control.tolist(), n0.tolist(), variant.tolist(), n1.tolist(), strict=True)
    return [(Mean.from_counts(c, n), Mean.from_counts(v, m)) for c, n, v, m in rows]
