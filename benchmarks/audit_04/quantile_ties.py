"""N2: quantiles of numbers that many units share: sessions, counts, rounded minutes, prices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit_04.figure import Figure, percent, two_errors
from stats.compare import compare_means
from stats.false_alarms import quantile_of_sorted
from stats.results import computable

RUNS = 1_000

type Values = NDArray[np.float64]
type Draw = Callable[[np.random.Generator, int], Values]
PRICES = np.array([0.99, 1.99, 4.99, 9.99, 19.99, 49.99])


def minutes(rng: np.random.Generator, n: int) -> Values:
    """Lognormal minutes, median 20."""
    return np.exp(3 + 0.8 * rng.normal(size=n))


def prices(rng: np.random.Generator, n: int) -> Values:
    """70 % pay nothing, the others one of six prices."""
    return np.where(rng.random(n) < 0.7, 0.0, rng.choice(PRICES, n))


@dataclass(frozen=True)
class Law:
    """One row: whose quantile, of how many units a group; `ties`: it must be refused or stay below the bound."""

    name: str
    draw: Draw
    share: float
    n: int
    ties: bool = True


LAWS = (
    Law("sessions (geometric .2), median", lambda rng, n: rng.geometric(0.2, n).astype(float), 0.5, 3_000),
    Law("sessions (geometric .2), median", lambda rng, n: rng.geometric(0.2, n).astype(float), 0.5, 300),
    Law("Poisson 3, p90", lambda rng, n: rng.poisson(3, n).astype(float), 0.9, 300),
    Law("Poisson 30, p90", lambda rng, n: rng.poisson(30, n).astype(float), 0.9, 3_000),
    Law("Poisson 30, p90", lambda rng, n: rng.poisson(30, n).astype(float), 0.9, 50),
    Law("minutes rounded to 5, median", lambda rng, n: np.round(minutes(rng, n) / 5) * 5, 0.5, 3_000),
    Law("minutes rounded to 5, p90", lambda rng, n: np.round(minutes(rng, n) / 5) * 5, 0.9, 300),
    Law("whole minutes, median", lambda rng, n: np.round(minutes(rng, n)), 0.5, 3_000),
    Law("whole minutes, median", lambda rng, n: np.round(minutes(rng, n)), 0.5, 300),
    Law("whole minutes, p90", lambda rng, n: np.round(minutes(rng, n)), 0.9, 3_000),
    Law("prices (70 % none), p90", prices, 0.9, 300),
    Law("tenths of a minute, median", lambda rng, n: np.round(minutes(rng, n), 1), 0.5, 3_000),
    Law("cents (lognormal), median", lambda rng, n: np.round(minutes(rng, n), 2), 0.5, 3_000, ties=False),
    Law("lognormal, median", minutes, 0.5, 300, ties=False),
    Law("lognormal, p90", minutes, 0.9, 3_000, ties=False),
    Law("exponential, median", lambda rng, n: rng.exponential(size=n), 0.5, 3_000, ties=False),
    Law("exponential, p90", lambda rng, n: rng.exponential(size=n), 0.9, 300, ties=False),
)


def count(rng: np.random.Generator, law: Law, runs: int) -> tuple[int, int]:
    """Runs that had a difference, and false alarms among them."""
    known = alarms = 0
    for _ in range(runs):
        first, second = (quantile_of_sorted(np.sort(law.draw(rng, law.n)), law.share)[1] for _arm in range(2))
        if min(first.variance, second.variance) == 0:
            continue
        found = compare_means(first, second)
        assert computable(found)
        known += 1
        alarms += found.p_value < 0.05
    return known, alarms


def figures(size: float) -> list[Figure]:
    rng, runs = np.random.default_rng(20261215), max(round(RUNS * size), 20)
    found = []
    for law in LAWS:
        known, alarms = count(rng, law, runs)
        bound = 0.06 + two_errors(0.06, runs)
        seen = f"{percent(alarms / runs)} of {runs:,}; computable in {percent(known / runs, 0)}"
        seen += f", of these {percent(alarms / known)}" if 0 < known < runs else ""
        required = f"at most {percent(bound)}" + ("" if law.ties else ", always computable")
        met = alarms / runs <= bound and (law.ties or known == runs)
        found.append(Figure(f"{law.name}, {law.n:,} units a group: false alarms", required, seen, met))
    return found
