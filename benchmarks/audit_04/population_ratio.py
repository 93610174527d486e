"""N11: a ratio standardised over segments, of which a small one carries the whole effect."""

from collections import Counter
from dataclasses import replace
from math import sqrt

import numpy as np

from benchmarks.audit_04.figure import Figure, at_least, percent, shown
from experiments.analyse.comparison.warehouse_cells import CellPair
from stats.heterogeneity import population_difference
from stats.instrument.anderson_rubin import anderson_rubin
from stats.ratios import Mix, standardised
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse.ratio_world import METRIC, Rng, data_of

UNITS, WHALES, MOVED, SPENT, ADDED = 6_000, 0.02, 0.4, np.array([0.5, 10.0]), 8.0
RUNS = 1_500
# Everybody has ten active days on average, so that days weigh segments as users do.
TRUTH, LEVEL = WHALES * ADDED, float((1 - WHALES) * SPENT[0] + WHALES * SPENT[1])


def count(rng: Rng, runs: int) -> Counter[str]:
    """Runs in which each interval covers the population's value."""
    seen = Counter[str]()
    for _ in range(runs):
        segment = (rng.random(UNITS) < WHALES).astype(np.int64)
        arm = rng.integers(0, 2, UNITS)
        days = 8.0 + rng.poisson(2, UNITS)
        rate = SPENT[segment] * rng.gamma(25, 0.04, UNITS) + ADDED * arm * segment
        rows = np.column_stack([rate * days, days, rng.random(UNITS) < 0.2 + MOVED * arm]).astype(float)
        _one(data_of(arm, segment, rows[:, :2], names=("others", "whales")).pair(METRIC, 1), seen)
        moments = data_of(arm, segment, rows, names=("others", "whales")).pair(METRIC, 1).moments()
        seen["the Anderson-Rubin set"] += computable(moments) and anderson_rubin(moments).contains(TRUTH / MOVED)
        means = [[Mean.from_values(rate[(arm == g) & (segment == s)]) for g in (0, 1)] for s in (0, 1)]
        everybody = population_difference([(c, v) for c, v in means])
        seen["the effect on everybody of a mean"] += computable(everybody) and everybody.low <= TRUTH <= everybody.high
    return seen


def _one(pair: CellPair, seen: Counter[str]) -> None:
    found = pair.difference(alpha=0.05)
    assert computable(found)
    seen["the 95 % interval of the difference"] += found.low <= TRUTH <= found.high
    strata = [(control.column(0), variant.column(0)) for _label, control, variant in pair.strata]
    mix = Mix.of([control.n + variant.n for control, variant in strata])
    within = [standardised([row[arm] for row in strata], mix, of_population=False) for arm in (0, 1)]
    half = 1.959964 * sqrt(sum(one.variance / one.n for one in within))
    seen["the interval without the mix's error"] += abs(found.estimate - TRUTH) <= half
    control = pair.control
    seen["the interval of control's level"] += abs(control.mean - LEVEL) <= 1.959964 * control.standard_error
    lift = pair.lift(alpha=0.05)
    seen["the lift's interval"] += computable(lift) and lift.low <= TRUTH / LEVEL <= lift.high
    x = (pair.segment == 1).astype(float)[:, None]  # says nothing inside a stratum, but takes the adjusted way
    adjusted = replace(pair, x=x, by_lin=True).difference(alpha=0.05)
    seen["the adjusted difference"] += computable(adjusted) and adjusted.low <= TRUTH <= adjusted.high


def figures(size: float) -> list[Figure]:
    runs = max(round(RUNS * size), 20)
    found = []
    for name, covered in count(np.random.default_rng(20261213), runs).items():
        what, share = f"covers the population's value: {name}", covered / runs
        if "without" in name:
            found.append(shown(what, f"{percent(share)} of {runs:,}"))
        else:
            found.append(at_least(what, 0.93, share, f"{runs:,}", "at least 93 %"))
    return found
