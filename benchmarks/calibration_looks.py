"""Alarms under daily peeking, and power against the calculator. Used by `calibration.py`."""

from dataclasses import replace

import numpy as np

from benchmarks.calibration_worlds import Floats, Rng
from stats import compare
from stats.power.family_and_looks import Method, Plan
from stats.power.sample_size import power_at, sample_size
from stats.results import computable
from stats.sequential import boundaries
from stats.sequential.looks import Look
from stats.summaries import Mean
from tests.experiments.analyse import closing_paths as closing

DAYS, DAILY = 28, 150  # of a test that is looked at every evening; units an arm a day


def evening_bounds(level: float) -> dict[str, Floats]:
    """The critical value of each evening, by plan; infinite where nothing is shown yet."""
    n = DAILY * np.arange(1, DAYS + 1)
    rho = boundaries.tightest_rho_squared(int(2 * n[-1]), alpha=level)
    sequence = [
        boundaries.sequence_multiplier(float(2 * units), rho_squared=rho, alpha=level)
        if units >= boundaries.FEWEST_MATURE
        else np.inf
        for units in n
    ]
    times = [float(day / DAYS) for day in range(1, DAYS + 1)]
    return {"confidence sequence": np.array(sequence)} | {
        f"group sequential, {spending.value.replace('_', '-')}": np.array(
            boundaries.bounds(times, alpha=level, spending=spending)
        )
        for spending in boundaries.Spending
    }


# ── Daily peeking ─────────────────────────────────────────────────────────────
def peeking(rng: Rng, runs: int, levels: tuple[float, ...]) -> dict[str, Floats]:
    """Share of A/A tests that alarm on any of 28 evenings, by method, at each level; and the growth of it by day.

    The values are levels x days: the share that has alarmed up to that day.
    """
    counts = rng.binomial(DAILY, 0.3, (runs, 2, DAYS)).cumsum(axis=2)
    n = DAILY * np.arange(1, DAYS + 1)
    means = counts / n
    spread = (means * (1 - means)).sum(axis=1) / (n - 1)
    z = np.abs(means[:, 1] - means[:, 0]) / np.sqrt(spread)
    found: dict[str, list[Floats]] = {}
    for level in levels:
        critical = {"naive": np.full(DAYS, Look(level).critical), **evening_bounds(level)}
        for name, bound in critical.items():
            found.setdefault(name, []).append(np.maximum.accumulate(z >= bound, axis=1).mean(axis=0))
    return {name: np.array(rows) for name, rows in found.items()}


PROMISING = (1.6, 1.96)  # |z| at a look that makes people close


def promising(rng: Rng, runs: int, levels: tuple[float, ...]) -> dict[str, list[float]]:
    """Share of A/A tests that alarm in a plan with planned looks that people close because a look was promising."""
    z = closing.paths(rng, runs)
    return {
        f"group sequential, closed when promising (\\|z\\| ≥ {threshold})": [
            closing.alarms(z, threshold, old=False, alpha=level) for level in levels
        ]
        for threshold in PROMISING
    }


# ── Power ─────────────────────────────────────────────────────────────────────
SHARE = Plan(baseline=0.30, power=0.8)
PLANS = (
    ("share, 30 % to 33 %", SHARE, 0.03),
    ("share, power .9, split 4:1", replace(SHARE, power=0.9, shares=(0.8, 0.2)), 0.03),
    ("share, small: 5 % to 8 %", replace(SHARE, baseline=0.05), 0.03),
    ("mean, a quarter of a standard deviation", Plan(sd=1.0, power=0.8), 0.25),
    ("nudge, take-up .4, effect .08", replace(SHARE, take_up=0.4), 0.08),
    ("group sequential, five looks", replace(SHARE, method=Method.GROUP_SEQUENTIAL), 0.03),
    ("always valid, five looks", replace(SHARE, method=Method.ALWAYS_VALID), 0.03),
)


def powers(rng: Rng, runs: int) -> list[tuple[str, float, float, int]]:
    """(plan, calculated power, share of runs that found the effect, units of both arms)."""
    rows = []
    for name, plan, effect in PLANS:
        size = sample_size(plan, effect)
        if computable(size):
            n0, n1 = size.units
            found = _found(rng, runs, plan, effect, (n0, n1))
            rows.append((name, power_at(plan, effect, (n0, n1)), found, n0 + n1))
    return rows


def _found(rng: Rng, runs: int, plan: Plan, effect: float, n: tuple[int, int]) -> float:
    """Share of runs in which the product's test rejects in the effect's direction."""
    if plan.method is not Method.FIXED:
        return _found_by_looks(rng, runs, plan, effect, n)
    shift, hits = plan.take_up * effect, 0
    for _ in range(runs):
        if plan.sd is not None:
            pair = [
                Mean.from_values(rng.normal(mean, plan.sd, size)) for mean, size in zip((0.0, shift), n, strict=True)
            ]
            test = compare.compare_means(pair[0], pair[1])
        else:
            rates = (plan.baseline, plan.baseline + shift)
            pair = [Mean.from_counts(int(rng.binomial(size, rate)), size) for rate, size in zip(rates, n, strict=True)]
            test = (compare.compare_unpooled if plan.take_up < 1 else compare.compare_proportions)(pair[0], pair[1])
        hits += computable(test) and test.p_value < plan.alpha and test.estimate > 0
    return hits / runs


def _found_by_looks(rng: Rng, runs: int, plan: Plan, effect: float, n: tuple[int, int]) -> float:
    times = np.arange(1, plan.looks + 1) / plan.looks
    sizes = np.floor(np.outer(n, times)).astype(int)
    new = np.diff(sizes, axis=1, prepend=0)
    rates = np.array([[plan.baseline], [plan.baseline + effect]])
    shares = rng.binomial(new, rates, (runs, 2, plan.looks)).cumsum(axis=2) / sizes
    gaps = shares[:, 1] - shares[:, 0]
    if plan.method is Method.GROUP_SEQUENTIAL:
        pooled = (shares * sizes).sum(axis=1) / sizes.sum(axis=0)
        errors = np.sqrt(pooled * (1 - pooled) * (1 / sizes).sum(axis=0))
        critical = np.array(boundaries.bounds(list(times), alpha=plan.alpha))
    else:
        errors = np.sqrt((shares * (1 - shares) / sizes).sum(axis=1))
        rho = boundaries.tightest_rho_squared(sum(n), alpha=plan.alpha)
        critical = np.array(
            [boundaries.sequence_multiplier(float(u), rho_squared=rho, alpha=plan.alpha) for u in sizes.sum(axis=0)]
        )
    return float((gaps / errors >= critical).any(axis=1).mean())
