"""Coverage of intervals and sets where the truth is known. Used by `calibration.py`.

Each function draws ``runs`` experiments and returns whether the product's interval holds the truth, runs of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.calibration_worlds import SEGMENTS, Nudge, Rng, clustered, durations, strata, unequal_clusters
from stats import adjustment, compare, stratified
from stats.cells import joint_of_counts
from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import iv_moments, wald
from stats.results import computable
from stats.summaries import Joint, Mean
from stats.survival import rmst

LEVEL = 0.95
EFFECT = 0.15  # of the behaviour on compliers
FIRST_STAGES = (1, 4, 10, 100)


def holds(found: Any, truth: float) -> bool:
    """A refusal doesn't count as holding."""
    return bool(computable(found) and found.low <= truth <= found.high)


# ── Coverage ──────────────────────────────────────────────────────────────────
def two_shares(rng: Rng, runs: int, rates: tuple[float, float], n: tuple[int, int]) -> Iterator[tuple[Mean, Mean]]:
    for c, v in zip(*(rng.binomial(size, rate, runs) for size, rate in zip(n, rates, strict=True)), strict=True):
        yield Mean.from_counts(int(c), n[0]), Mean.from_counts(int(v), n[1])


def difference(method: Callable[..., Any], rates: tuple[float, float], n: tuple[int, int]) -> Callable[..., list[bool]]:
    def run(rng: Rng, runs: int) -> list[bool]:
        return [holds(method(*pair), rates[1] - rates[0]) for pair in two_shares(rng, runs, rates, n)]

    return run


def lift_of_share(rng: Rng, runs: int) -> list[bool]:
    return [holds(compare.lift(*pair), 0.2) for pair in two_shares(rng, runs, (0.1, 0.12), (1_000, 1_000))]


def two_means(rng: Rng, runs: int, n: int = 500) -> Iterator[tuple[Mean, Mean]]:
    """Skewed spending with a mean of 15 and of 16.5."""
    for row in rng.gamma(1.5, 10, (runs, 2 * n)):
        yield Mean.from_values(row[:n]), Mean.from_values(1.1 * row[n:])


def welch(rng: Rng, runs: int) -> list[bool]:
    return [holds(compare.compare_means(*pair), 1.5) for pair in two_means(rng, runs)]


def lift_of_mean(rng: Rng, runs: int) -> list[bool]:
    return [holds(compare.lift(*pair), 0.1) for pair in two_means(rng, runs)]


def fieller(rng: Rng, runs: int, n: int = 200) -> list[bool]:
    """A control mean 3.5 errors from 0, a variant's mean of 0: the log interval can't be had."""
    found = []
    for row in rng.normal(size=(runs, 2 * n)):
        pair = Mean.from_values(row[:n] + 3.5 / sqrt(n)), Mean.from_values(row[n:])
        interval = compare.lift(*pair)
        if computable(interval):
            found.append(holds(interval, -1.0))
    return found


def mantel_haenszel(rng: Rng, runs: int) -> list[bool]:
    return [holds(stratified.risk_difference(one), 0.05) for one in strata(rng, runs, lifted=0.05)]


def mantel_haenszel_sparse(rng: Rng, runs: int, k: int = 150) -> list[bool]:
    """150 tiny segments of 3 units an arm."""
    base = rng.uniform(0.1, 0.7, (runs, k))
    counts = np.stack([rng.binomial(3, base), rng.binomial(3, base + 0.1)], axis=2)
    return [
        holds(
            stratified.risk_difference([(Mean.from_counts(int(c), 3), Mean.from_counts(int(v), 3)) for c, v in one]),
            0.1,
        )
        for one in counts
    ]


def odds_ratio(rng: Rng, runs: int) -> list[bool]:
    """A common odds ratio of 1.3 in four segments."""
    odds = np.array([1.3 * rate / (1 - rate) for _, rate in SEGMENTS])
    sizes = [int(2_000 * share) for share, _ in SEGMENTS]
    control = rng.binomial(sizes, [rate for _, rate in SEGMENTS], (runs, 4))
    variant = rng.binomial(sizes, odds / (1 + odds), (runs, 4))
    return [
        holds(
            stratified.odds_ratio(
                [
                    (Mean.from_counts(int(c), n), Mean.from_counts(int(v), n))
                    for c, v, n in zip(x, y, sizes, strict=True)
                ]
            ),
            1.3,
        )
        for x, y in zip(control, variant, strict=True)
    ]


def lin(rng: Rng, runs: int, n: int = 300) -> list[bool]:
    """An effect of 0.3 on average that differs between users."""
    found = []
    for _ in range(runs):
        x = rng.normal(size=(3 * n, 2))
        treated = np.arange(3 * n) >= n
        y = x @ (1.0, 0.5) + treated * (0.3 + 0.6 * x[:, 0]) + rng.normal(size=3 * n)
        rows = np.column_stack([y, x])
        found.append(holds(adjustment.lin(Joint.from_columns(rows[~treated]), Joint.from_columns(rows[treated])), 0.3))
    return found


def cluster(rng: Rng, runs: int) -> list[bool]:
    draws = (clustered(rng, effect=0.2) for _ in range(runs))
    return [holds(adjustment.cluster_difference(y, arm, codes), 0.2) for y, arm, _, codes in draws]


def unequal_cluster(rng: Rng, runs: int) -> list[bool]:
    draws = (unequal_clusters(rng, effect=0.2) for _ in range(runs))
    return [holds(adjustment.cluster_difference(y, arm, codes), 0.2) for y, arm, codes in draws]


def nudge_of(f: float) -> Nudge:
    """The world whose first stage has about this F."""
    world = Nudge(0.0, effect=EFFECT)
    return replace(world, compliers=sqrt(f * 2 * world.always * (1 - world.always) / world.n))


def wald_interval(f: float) -> Callable[..., list[bool]]:
    def run(rng: Rng, runs: int) -> list[bool]:
        moments = [iv_moments(*map(joint_of_counts, pair)) for pair in nudge_of(f).draw(rng, runs)]
        return [holds(wald(one), EFFECT) for one in moments if computable(one)]

    return run


def effect_set(f: float) -> Callable[..., list[bool]]:
    def run(rng: Rng, runs: int) -> list[bool]:
        moments = [iv_moments(*map(joint_of_counts, pair)) for pair in nudge_of(f).draw(rng, runs)]
        return [anderson_rubin(one).contains(EFFECT) for one in moments if computable(one)]

    return run


def restricted_mean(rng: Rng, runs: int, tau: float = 30.0) -> list[bool]:
    """Days stayed up to 30 with a daily chance to leave of 3 % and of 2 %."""
    kept = [sum((1 - q) ** (day + 1) for day in range(int(tau))) for q in (0.03, 0.02)]
    # A unit that leaves on day t stays t whole days, so S(u) on [day, day + 1) is P(T > day) = (1-q)^(day+1).
    return [
        holds(
            rmst.compare_restricted_means(durations(rng, 300, 0.03), durations(rng, 300, 0.02), tau=tau),
            kept[1] - kept[0],
        )
        for _ in range(runs)
    ]


@dataclass(frozen=True)
class Cover:
    """An interval under calibration; ``promised`` is False where it is shown without a promise."""

    name: str
    draw: Callable[[Rng, int], list[bool]]
    promised: bool = True


SCORE, NEWCOMBE = compare.compare_proportions, compare.newcombe_interval
INTERVALS = (
    Cover("share: score interval, 30 % and 33 % of 1,000", difference(SCORE, (0.30, 0.33), (1_000, 1_000))),
    Cover("share: score interval, 5 % and 8 % of 200", difference(SCORE, (0.05, 0.08), (200, 200))),
    Cover("share: score interval, 5 % of 400, 9 % of 150", difference(SCORE, (0.05, 0.09), (400, 150))),
    Cover("share: Newcombe, 30 % and 33 % of 1,000", difference(NEWCOMBE, (0.30, 0.33), (1_000, 1_000))),
    Cover("share: Newcombe, 5 % and 8 % of 200", difference(NEWCOMBE, (0.05, 0.08), (200, 200))),
    Cover("share: Newcombe, 5 % of 400, 9 % of 150", difference(NEWCOMBE, (0.05, 0.09), (400, 150))),
    Cover("lift of a share: log", lift_of_share),
    Cover("mean: Welch, skewed", welch),
    Cover("lift of a mean: log, skewed", lift_of_mean),
    Cover("lift of a mean: Fieller, where it is used", fieller),
    Cover("segments: Mantel-Haenszel difference", mantel_haenszel),
    Cover("segments: Mantel-Haenszel difference, 150 tiny ones", mantel_haenszel_sparse),
    Cover("segments: Mantel-Haenszel odds ratio", odds_ratio),
    Cover("covariates: Lin, unequal effects", lin),
    Cover("clusters: t", cluster),
    Cover("clusters of unequal size, 15 + 15: t", unequal_cluster),
    *(Cover(f"behaviour: Wald, first-stage F about {f}", wald_interval(f), promised=f >= 100) for f in FIRST_STAGES),
    *(Cover(f"behaviour: Anderson-Rubin, F about {f}", effect_set(f)) for f in FIRST_STAGES),
    Cover("time: restricted mean", restricted_mean),
)
