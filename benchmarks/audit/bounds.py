"""Bounds for everybody: chance must not be read as a contradiction, and their limits must hold."""

import numpy as np
import numpy.typing as npt

from benchmarks.audit_04.figure import Figure, percent
from stats.counts import joint_of_counts
from stats.instrument.bounds import TYPES, Bounds, balke_pearl, bounds_of_shares
from stats.instrument.validity import inequalities_from_moments
from stats.results import NotComputable, Reason, computable

TITLE = "Bounds of the effect on everybody, with limits"
TEXT = """A valid nudge: it works only through the behaviour and keeps nobody from it. "No mix of users could show
these shares" is then wrong. In the audit's world nobody reaches the behaviour without the nudge, 2 % do with it, 5 %
are retained, with 2,000 units an arm: the bounds of the observed shares contradicted each other in 46 % of
experiments. The limits are those of eight sums of shares for each bound, joined by Bonferroni (Balke, Pearl 1997;
Chernozhukov, Lee, Rosen 2013). "Covers": both true bounds lie inside the limits."""

RUNS, SEED, ALPHA = 4_000, 20261125, 0.05
# Name, share of always-takers and compliers, retention without and with the behaviour, units an arm.
WORLDS = (
    ("take-up 2 %, retention 5 %", 0.0, 0.02, 0.05, 0.05, 2_000),
    ("take-up 20 % to 40 %, retention 30 %, effect 10 points", 0.2, 0.2, 0.3, 0.4, 2_000),
    ("take-up 5 % to 95 %, retention 30 %, effect 10 points", 0.05, 0.9, 0.3, 0.4, 1_000),
    ("take-up 30 % to 40 %, retention 60 %, effect -5 points", 0.3, 0.1, 0.6, 0.55, 500),
)


def figures(size: float) -> list[Figure]:
    """Contradiction and coverage in each world."""
    rng = np.random.default_rng(SEED)
    found: list[Figure] = []
    for name, always, compliers, without, kept, n in WORLDS:
        found += _figures(name, world(always, compliers, without, kept), n, max(round(RUNS * size), 100), rng)
    return found


def _figures(name: str, shares: npt.NDArray[np.float64], n: int, runs: int, rng: np.random.Generator) -> list[Figure]:
    truth = bounds_of_shares(shares)
    if not computable(truth):
        raise ValueError("a valid world has bounds")
    arms = [rng.multinomial(n, shares[g].ravel(), size=runs).reshape(runs, 2, 2) for g in (0, 1)]
    results = [_bounds(control, variant) for control, variant in zip(*arms, strict=True)]
    said = sum(isinstance(one, NotComputable) and one.reason is Reason.MODEL_CONTRADICTED for one in results) / runs
    covered = sum(isinstance(one, Bounds) and covers(one, truth) for one in results) / runs
    where = f"{name}, {n:,} an arm"
    return [
        Figure(f"{where}: says that no mix fits", "at most 5 %", f"{percent(said)} of {runs:,}", said <= ALPHA),
        Figure(f"{where}: limits cover the true bounds", "at least 94 %", f"{percent(covered)}", covered >= 0.94),
    ]


def world(always: float, compliers: float, without: float, kept: float) -> npt.NDArray[np.float64]:
    """Shares p[g][r][d]: retention doesn't depend on the kind of user, only on the behaviour."""
    shares = np.zeros((2, 2, 2))
    weights = {(1, 1): always, (0, 1): compliers, (0, 0): 1 - always - compliers, (1, 0): 0.0}
    for d0, d1, r0, r1 in TYPES:
        weight = weights[d0, d1] * (without if r0 else 1 - without) * (kept if r1 else 1 - kept)
        for g, did in enumerate((d0, d1)):
            shares[g, r1 if did else r0, did] += weight
    return shares


def _bounds(control: npt.NDArray[np.int64], variant: npt.NDArray[np.int64]) -> Bounds | NotComputable:
    """As the analysis of a stored experiment asks for them (`experiments.analyse.behaviour`)."""
    arms = joint_of_counts(control), joint_of_counts(variant)
    test = inequalities_from_moments(*arms)
    return balke_pearl(*arms, rejected=computable(test) and test.p_value < ALPHA, alpha=ALPHA)


def covers(found: Bounds, truth: Bounds) -> bool:
    """Both true bounds lie inside the limits."""
    if found.limit_low is None or found.limit_high is None:
        return False
    return found.limit_low <= truth.low and truth.high <= found.limit_high
