"""N8: the sum of shipped effects, where effects aren't all draws from one normal law."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.audit_04.figure import Figure, percent, shown, two_errors
from stats.results import computable
from stats.winners_curse import sum_selected

RUNS, EXPERIMENTS = 1_000, 30
LINE = 1.959963984540054

type Floats = np.ndarray
WORLDS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal, mean .5, sd 1": lambda rng: rng.normal(0.5, 1.0, EXPERIMENTS),
    "normal, mean 0, sd .5": lambda rng: rng.normal(0.0, 0.5, EXPERIMENTS),
    "t with 3 degrees of freedom, scale .58": lambda rng: 0.58 * rng.standard_t(3, EXPERIMENTS),
    "nine of ten do nothing, the others 2.5": lambda rng: np.where(rng.random(EXPERIMENTS) < 0.9, 0.0, 2.5),
}


@dataclass(frozen=True)
class Covered:
    """How often the interval held the sum, of so many runs, and by how much an experiment was off on average."""

    held: int
    naive: int
    runs: int
    off: float


def figures(size: float) -> list[Figure]:
    found: list[Figure] = []
    for place, name in enumerate(WORLDS):
        seen = covered(name, runs=max(round(RUNS * size), 20), seed=80 + place)
        share, luck = seen.held / seen.runs, two_errors(0.95, seen.runs)
        low, high = 0.92 - luck, 0.98 + luck
        required = f"{percent(low)} to {percent(min(high, 1.0))}"
        said = f"{percent(share)} of {seen.runs:,} runs; off by {seen.off:+.2f} a shipped change"
        found.append(Figure(f"95 % interval of the sum covers, {name}", required, said, low <= share <= high))
        plain = f"{percent(seen.naive / seen.runs)} of {seen.runs:,} runs"
        found.append(shown(f"the same of the plain sum, which has no interval on the page, {name}", plain))
    return found


def covered(world: str, *, runs: int, seed: int) -> Covered:
    rng = np.random.default_rng(seed)
    held = naive = 0
    off: list[float] = []
    while len(off) < runs:
        truth, errors = WORLDS[world](rng), rng.uniform(0.6, 1.2, EXPERIMENTS)
        seen = rng.normal(truth, errors)
        shipped = np.flatnonzero(seen / errors > LINE).tolist()
        if not shipped:
            continue
        said = sum_selected(seen.tolist(), errors.tolist(), shipped)
        if not computable(said) or not computable(said.shrunk):
            raise ValueError(f"no sum: {said}")
        total = float(truth[shipped].sum())
        held += said.shrunk.low <= total <= said.shrunk.high
        naive += said.naive.low <= total <= said.naive.high
        off.append((said.shrunk.estimate - total) / len(shipped))
    return Covered(held, naive, runs, float(np.mean(off)))
