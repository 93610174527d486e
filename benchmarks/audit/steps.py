"""Step words: "smooth" where a jump lies at a rare number, "jump" where there is none and users are many."""

import numpy as np
from scipy.special import expit

from aha.study.grid import CountTable, Floats, Ints, build_table
from aha.study.step import Step, StepVerdict, step_evidence
from benchmarks.audit.frame.figure import Figure

TITLE = "Step words"
TEXT = """
Users with latent engagement, 1 to 7 active days, counts that follow both. A jump of 5 points at Z = 6 (reach 2.9 %) may
not be called smooth; a curve that saturates or bends sharply (kink: each of four acts adds .2 log-odds) may not be
called a jump. Version 0.3 said smooth in 3 of 15 and jump in 3 of 30 (kink).
"""
SEEDS, RATE = 20, 0.35
TIMES = tuple(range(1, 11))
# The knots were chosen on the seeds below it.
FIRST_SEED = 201


def figures(size: float) -> list[Figure]:
    """Both wrong words, each in its worlds."""
    n = max(round(SEEDS * size), 2)
    found = [one(seed, 30_000, "tenth", 0.05) for seed in range(FIRST_SEED, FIRST_SEED + n)]
    smooth = sum(step.verdict is StepVerdict.SMOOTH for step in found)
    rows = [_row("Jump of 5 points at Z = 6, 30,000 units: called smooth", smooth, n)]
    for name in ("saturating", "kink"):
        steps = [one(seed, 110_000, name, 0.0) for seed in range(FIRST_SEED, FIRST_SEED + n)]
        jumps = sum(step.verdict is StepVerdict.JUMP for step in steps)
        rows.append(_row(f"No jump, {name}, 110,000 units: called a jump", jumps, n))
    return rows


def one(seed: int, units: int, curve: str, jump: float) -> Step:
    """The step evidence of one seed."""
    return step_evidence(table(seed, units, curve, jump), [TIMES], rng=np.random.default_rng(seed), replicates=499)[0]


def table(seed: int, units: int, curve: str, jump: float) -> CountTable:
    """One behaviour within seven days."""
    rng = np.random.default_rng(seed)
    engagement = rng.normal(0, 0.7, units)
    active = 1 + rng.binomial(6, expit(0.1 + 0.7 * engagement))
    counts = rng.poisson(active * RATE * np.exp(0.5 * engagement))
    chance = expit(-1.3 + 0.1 * active + _rise(curve, counts)) + jump * (counts >= 6)
    return build_table(
        behaviours=["x"],
        days=[7],
        unit_ids=np.arange(units).astype(str),
        retained=rng.random(units) < chance,
        week=np.zeros(units),
        active_days=active,
        rows=(np.arange(units), np.array(["x"] * units, dtype=object), counts[:, None]),
    )


def _rise(curve: str, counts: Ints) -> Floats:
    if curve == "saturating":
        return np.asarray(0.9 * (1 - np.exp(-counts / 2)))
    return np.asarray(0.2 * np.minimum(counts, 4) if curve == "kink" else 0.12 * np.minimum(counts, 10))


def _row(what: str, seen: int, runs: int) -> Figure:
    # docs/methods/discovery.md, "Step evidence": at most once in 20.
    return Figure(what, "at most 1 in 20", f"{seen} of {runs}", seen <= runs / 20)
