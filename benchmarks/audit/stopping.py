"""Estimates after plans with planned looks that stop once a bound is crossed."""

from functools import cache
from math import sqrt

import numpy as np
from scipy import optimize

from benchmarks.audit_04.figure import Figure, percent
from stats.results import computable
from stats.sequential.boundaries import bounds, crossing
from stats.sequential.stagewise import Stagewise, stagewise

TITLE = "Estimates after an early stop"
TEXT = (
    "O'Brien-Fleming plan of five looks, 5 % two-sided, power .8. The plan ends at the look that crosses its bound; "
    "with units under way, a share of the plan more matures and the last look takes the place of the crossed one. "
    "Corrected: median-unbiased estimate and interval by the stage-wise order (Kim 1989; Tsiatis, Rosner and Mehta "
    "1984; Jennison and Turnbull 2000, chapter 8; Whitehead 1992). Means over *all* runs, of estimate over truth; "
    "given an early stop the corrected estimate stays too large, which no estimate can know. The bound of 8 % is of "
    "O'Brien-Fleming alone: over all runs of a Pocock plan the corrected estimate is 1.13 to 1.15 times the truth."
)
LOOKS, ALPHA, POWER, RUNS = (0.2, 0.4, 0.6, 0.8, 1.0), 0.05, 0.8, 40_000
CRITICAL = bounds(LOOKS, alpha=ALPHA)
UNDER_WAY = 0.1  # of the plan, mature after the look that stopped it
GRID = np.linspace(-6.0, 9.0, 76)

type Floats = np.ndarray


def figures(size: float) -> list[Figure]:
    """Rows of the page; `size` scales the number of runs."""
    runs = max(round(RUNS * size), 1_000)
    drift = float(optimize.brentq(lambda d: crossing(LOOKS, CRITICAL, drift=d)[0] - POWER, 1.0, 6.0))
    found: list[Figure] = []
    for more, name in ((0.0, "ends at the crossing"), (UNDER_WAY, f"{percent(UNDER_WAY, 0)} of the plan under way")):
        run = simulate(np.random.default_rng(17), runs, drift, more)
        found += _rows(run, drift, runs, name)
        null = simulate(np.random.default_rng(18), runs, 0.0, more)
        held = float(np.mean((null["low"] <= 0) & (null["high"] >= 0)))
        found.append(
            Figure(f"interval holds the truth, no effect, {name}", "at least 94 %", _of(held, runs), held >= 0.94)
        )
    return found


def _rows(run: dict[str, Floats], drift: float, runs: int, name: str) -> list[Figure]:
    naive, corrected = run["naive"] / drift, run["corrected"] / drift
    stopped, crossed = run["early"] > 0, run["crossed"] > 0
    mean, plain = float(corrected.mean()), float(naive.mean())
    held = float(np.mean((run["low"] <= drift) & (run["high"] >= drift)))
    above = float(np.mean(corrected > 1))
    return [
        Figure(
            f"mean of the corrected estimate over the truth, {name}",
            ".92 to 1.08",
            _ratio(mean, runs),
            abs(mean - 1) <= 0.08,
        ),
        Figure(f"the same of the plain estimate, {name}", "shown", _ratio(plain, runs), None),
        Figure(
            f"plain estimate over the truth where a bound was crossed, {name}",
            "shown",
            _ratio(float(naive[crossed].mean()), int(crossed.sum())),
            None,
        ),
        Figure(
            f"corrected estimate over the truth where a bound was crossed, {name}",
            "shown",
            _ratio(float(corrected[crossed].mean()), int(crossed.sum())),
            None,
        ),
        Figure(
            f"corrected estimate over the truth where it ended before the end, {name}",
            "shown",
            _ratio(float(corrected[stopped].mean()), int(stopped.sum())),
            None,
        ),
        Figure(f"corrected estimate above the truth, {name}", "48 to 52 %", _of(above, runs), abs(above - 0.5) <= 0.02),
        Figure(f"interval holds the truth, {name}", "at least 94 %", _of(held, runs), held >= 0.94),
    ]


def _of(share: float, runs: int) -> str:
    return f"{percent(share)} of {runs:,} runs"


def _ratio(value: float, runs: int) -> str:
    return f"{value:.3f}, {runs:,} runs"


def simulate(rng: np.random.Generator, runs: int, drift: float, more: float) -> dict[str, Floats]:
    """Plain and corrected estimate (of z at the whole plan), limits, and how each run ended."""
    times = sorted({*LOOKS, *(min(look + more, 1.0) for look in LOOKS)})
    noise = rng.normal(size=(runs, len(times))) * np.sqrt(np.diff(times, prepend=0.0))
    values = noise.cumsum(axis=1) + drift * np.array(times)
    at = {time: values[:, place] / sqrt(time) for place, time in enumerate(times)}
    crossed = np.column_stack([np.abs(at[look]) >= bound for look, bound in zip(LOOKS, CRITICAL, strict=True)])
    first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), len(LOOKS) - 1)
    found = {name: np.zeros(runs) for name in ("naive", "corrected", "low", "high")}
    for place, look in enumerate(LOOKS):
        mine, end = first == place, min(look + more, 1.0)
        z = at[end][mine]
        found["naive"][mine] = z / sqrt(end)
        for name, values_at in zip(("corrected", "low", "high"), table(place, end), strict=True):
            found[name][mine] = z / sqrt(end) + np.interp(z, GRID, values_at)
    return found | {"early": (first < len(LOOKS) - 1).astype(float), "crossed": crossed.any(axis=1).astype(float)}


@cache
def table(place: int, end: float) -> tuple[Floats, Floats, Floats]:
    """What the product adds to the plain estimate at a look, by its z: for estimate, low and high, on a grid."""
    found: list[Stagewise] = []
    before = list(zip(LOOKS[:place], CRITICAL[:place], strict=True))
    for z in GRID:
        one = stagewise(float(z) / sqrt(end), 1 / sqrt(end), fraction=end, before=before, alpha=ALPHA)
        if computable(one):
            found.append(one)
    plain = GRID / sqrt(end)
    estimate, low, high = (
        np.array([getattr(one, name) for one in found]) - plain for name in ("estimate", "low", "high")
    )
    return estimate, low, high
