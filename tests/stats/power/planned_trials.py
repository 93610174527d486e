"""Experiments of the planned size, drawn: one arm moves one primary outcome, nothing else has an effect.

Pooled z at each look, repeated p-values by the look's bounds, Holm over primary outcomes and arms; found when the
adjusted p is below .05 at some look.
"""

from dataclasses import replace

import numpy as np

from stats.multiplicity import holm
from stats.power.family_and_looks import Method, Plan
from stats.power.sample_size import power_no_material_effect, sample_size
from stats.results import NotComputable
from stats.sequential.boundaries import Spending
from stats.sequential.looks import Look

BASE = Plan(baseline=0.30, power=0.8)
EFFECT = 0.03
LOOKS = replace(BASE, method=Method.GROUP_SEQUENTIAL)
THREE = (1.0, 1.0, 1.0)
PLANS = (
    ("two primary outcomes", replace(BASE, primaries=2)),
    ("two arms beside control", replace(BASE, shares=THREE)),
    ("two primary outcomes, two arms beside control", replace(BASE, primaries=2, shares=THREE)),
    ("five Pocock looks", replace(LOOKS, spending=Spending.POCOCK)),
    ("three Pocock looks", replace(LOOKS, looks=3, spending=Spending.POCOCK)),
    ("ten O'Brien-Fleming looks", replace(LOOKS, looks=10)),
    ("O'Brien-Fleming looks at 30, 60 and 100 %", replace(LOOKS, looks=(0.3, 0.6, 1.0))),
    (
        "two primary outcomes, two arms, five Pocock looks",
        replace(LOOKS, primaries=2, shares=THREE, spending=Spending.POCOCK),
    ),
    ("five looks at any time", replace(BASE, method=Method.ALWAYS_VALID)),
)
MARGINS = (("one look", BASE), ("five O'Brien-Fleming looks, read at the end", LOOKS))


def promised_and_real(plan: Plan, runs: int, *, seed: int) -> tuple[float, float, int]:
    """Power as the planner says it, share of experiments that found the effect, units of an arm."""
    size = sample_size(plan, EFFECT)
    if isinstance(size, NotComputable):
        raise TypeError(size)
    z = _scores(plan, size.units, runs, np.random.default_rng(seed), effect=EFFECT)
    return size.power, float(_found(plan, z, size.units).mean()), size.units[0]


def _scores(plan: Plan, units: tuple[int, ...], runs: int, rng: np.random.Generator, *, effect: float) -> np.ndarray:
    """Pooled z of runs x looks x hypotheses; the first is the first outcome of the first arm, which moves."""
    sizes = np.round(np.outer(units, plan.times)).astype(int)
    new = np.diff(sizes, axis=1, prepend=0)
    scores = []
    for outcome in range(plan.primaries):
        rates = np.full((len(units), 1), plan.baseline)
        rates[1] += effect if outcome == 0 else 0.0
        counts = rng.binomial(new, rates, (runs, *new.shape)).cumsum(axis=2)
        for arm in range(1, len(units)):
            n0, n1, x0, x1 = sizes[0], sizes[arm], counts[:, 0], counts[:, arm]
            pooled = (x0 + x1) / (n0 + n1)
            scores.append((x1 / n1 - x0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1)))
    return np.stack(scores, axis=2)


def _found(plan: Plan, z: np.ndarray, units: tuple[int, ...]) -> np.ndarray:
    """Whether the first hypothesis' adjusted p falls below alpha, upwards, at some look."""
    found = np.zeros(len(z), dtype=bool)
    for look in range(z.shape[1]):
        p = _repeated_p(plan, np.abs(z[:, look]), look, units)
        hopeful = np.flatnonzero(~found & (p[:, 0] < plan.alpha) & (z[:, look, 0] > 0))
        found[hopeful] = [holm(p[run].tolist())[0] < plan.alpha for run in hopeful]
    return found


def _repeated_p(plan: Plan, z: np.ndarray, look: int, units: tuple[int, ...]) -> np.ndarray:
    """Repeated p-values: the smallest alpha whose critical value a look reaches, on a grid that holds alpha / 1, 2, 3 …

    The grid's critical values are those of `Look`, so that a p below alpha/j is a z beyond the bound at alpha/j.
    """
    levels = np.unique([*np.geomspace(1e-8, 0.9, 25), *(plan.alpha / j for j in range(1, 9))])
    pair = units[0] + units[1]
    critical = []
    for level in levels:
        one = Look(
            alpha=float(level),
            method=str(plan.method),
            units=round(pair * plan.times[look]),
            planned_units=pair,
            fractions=plan.times[: look + 1],
            spending=plan.spending,
        )
        critical.append(one.critical)
    order = np.minimum(np.array(critical)[::-1], 40.0)
    repeated: np.ndarray = np.exp(np.interp(z, order, np.log(levels)[::-1], left=0.0))
    return repeated


def promised_and_real_margin(plan: Plan, runs: int, *, seed: int) -> tuple[float, float]:
    """Without any effect: how often the narrow interval of the last look lies within the margin."""
    size = sample_size(plan, EFFECT)
    if isinstance(size, NotComputable):
        raise TypeError(size)
    promised = power_no_material_effect(plan, EFFECT, size.units)
    n0, n1 = size.units
    rng = np.random.default_rng(seed)
    p0, p1 = rng.binomial(n0, plan.baseline, runs) / n0, rng.binomial(n1, plan.baseline, runs) / n1
    error = np.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1)
    narrow = 2 * plan.alpha if plan.method is Method.FIXED else plan.alpha
    look = Look(alpha=narrow, method=str(plan.method), fractions=plan.times, spending=plan.spending)
    real = float((np.abs(p1 - p0) + look.critical * error < EFFECT).mean())
    assert not isinstance(promised, NotComputable)
    return promised, real
