"""The tests and intervals of docs/calibration.md, each over made-up experiments whose truth is known.

A test draws ``runs`` experiments without any effect and returns the p-values that the product gives, runs of them;
sets, which have no p-value, and the band of a curve say for each level whether they raise an alarm (runs x levels). An
interval returns whether it holds the truth.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.calibration_worlds import (
    SEGMENTS,
    Floats,
    Nudge,
    Rng,
    clustered,
    lifetimes,
    pair_of,
    shares,
    spending,
    strata,
    unequal_clusters,
    with_covariates,
)
from benchmarks.ratio_of_sums import ratio_difference
from experiments.analyse.health.values import joint_balance_p
from stats import adjustment, compare, novelty, stratified
from stats.cells import joint_of_counts
from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import iv_moments, two_stage, wald
from stats.instrument.validity import inequalities_from_counts
from stats.multiplicity import holm
from stats.results import Estimate, computable
from stats.srm import sample_ratio
from stats.summaries import Joint, Mean
from stats.survival import day_curve, logrank, rmst

LEVELS = (0.01, 0.05, 0.10)
LEVEL = 0.95
EFFECT = 0.15  # of the behaviour on compliers
FIRST_STAGES = (1, 4, 10, 100)


def p_of(found: Any) -> float:
    """A refusal is no alarm."""
    return float(found.p_value) if computable(found) else 1.0


def holds(found: Any, truth: float) -> bool:
    """A refusal doesn't count as holding."""
    return bool(computable(found) and found.low <= truth <= found.high)


def ps(test: Callable[..., Any], drawn: Iterable[Any]) -> list[float]:
    return [p_of(test(*one)) for one in drawn]


def covers(method: Callable[..., Any], truth: float, drawn: Iterable[Any]) -> list[bool]:
    return [holds(method(*one), truth) for one in drawn]


# ── Tests ─────────────────────────────────────────────────────────────────────
def ratio(rng: Rng, runs: int, n: int = 1_000) -> list[float]:
    """Clicks per view, the rate differing between users, who are the units."""
    views = rng.poisson(3, (runs, 2 * n)) + 1
    clicks = rng.binomial(views, rng.beta(2, 6, (runs, 2 * n)))
    both = np.stack([clicks, views], axis=2).astype(float)
    return ps(ratio_difference, ((Joint.from_columns(r[:n]), Joint.from_columns(r[n:])) for r in both))


def holm_family(rng: Rng, runs: int) -> list[float]:
    """Smallest Holm-adjusted p of four metrics: alarms of the whole family."""
    raw = np.reshape(ps(compare.compare_unpooled, shares(rng, 4 * runs)), (runs, 4))
    return [min(holm(list(row))) for row in raw]


def cuped(rng: Rng, runs: int, n: int = 300) -> list[float]:
    x = rng.gamma(2, 1, (runs, 2 * n))
    both = np.stack([0.8 * x + rng.gamma(1.5, 1, x.shape), x], axis=2)
    return ps(adjustment.cuped, ((Joint.from_columns(r[:n]), Joint.from_columns(r[n:])) for r in both))


def without_x(drawn: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    return ((y, arm, cluster) for y, arm, _, cluster in drawn)


def cmh(rng: Rng, runs: int) -> list[float]:
    found = [stratified.cmh_test(one) for one in strata(rng, runs)]
    return [one[1] if computable(one) else 1.0 for one in found]


def cochran_q(rng: Rng, runs: int) -> list[float]:
    drawn = ([compare.compare_unpooled(*pair) for pair in one] for one in strata(rng, runs))
    return [p_of(stratified.heterogeneity([d for d in one if isinstance(d, Estimate)])) for one in drawn]


def srm(rng: Rng, runs: int) -> list[float]:
    plan = {"control": 0.5, "a": 0.3, "b": 0.2}
    drawn = rng.multinomial(5_000, list(plan.values()), runs)
    return [p_of(sample_ratio(dict(zip(plan, map(int, row), strict=True)), plan)) for row in drawn]


def balance(rng: Rng, runs: int, n: int = 1_000) -> list[float]:
    found = []
    for _ in range(runs):
        covariates = np.column_stack([rng.normal(size=n), rng.random((n, 3)) < (0.5, 0.3, 0.1)]).astype(float)
        p_value = joint_balance_p(rng.integers(0, 3, n), covariates)
        found.append(1.0 if p_value is None else p_value)
    return found


def anderson_rubin_set(rng: Rng, runs: int, compliers: float = 0.15) -> list[list[bool]]:
    """Does the set leave out the true effect, which isn't 0?"""
    world = Nudge(compliers, effect=EFFECT)
    sets = [[anderson_rubin(one, alpha=level) for level in LEVELS] for one in moments_of(world, rng, runs)]
    return [[not one.contains(EFFECT) for one in row] for row in sets]


def two_stage_least_squares(rng: Rng, runs: int, n: int = 1_000) -> list[float]:
    """A strong first stage, an unseen cause of behaviour and outcome, an effect of 0, two covariates."""
    found = []
    for _ in range(runs):
        hidden, x, nudge = rng.normal(size=n), rng.normal(size=(n, 2)), (rng.random(n) < 0.5).astype(float)
        d = (1.2 * nudge + 0.5 * hidden + 0.3 * x[:, 0] + rng.normal(size=n) > 0.8).astype(float)
        r = (0.8 * hidden + 0.4 * x[:, 1] + rng.normal(size=n) > 0.5).astype(float)
        found.append(p_of(two_stage(r, d, nudge, x)))
    return found


def stratified_log_rank(rng: Rng, runs: int) -> list[float]:
    pairs = ([pair for q in (0.01, 0.03, 0.08) for pair in lifetimes(rng, 1, 120, (q, q))] for _ in range(runs))
    return [p_of(logrank.stratified_log_rank(one)) for one in pairs]


def weeks(rng: Rng, runs: int, count: int = 8) -> list[novelty.Novelty]:
    """Eight enrolment weeks with a constant effect of four points."""
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(count)]
    drawn = rng.binomial(500, (0.30, 0.34), (runs, count, 2))
    return [
        novelty.effect_by_week([(day, *pair_of(c, v, 500, 500)) for day, (c, v) in zip(mondays, one, strict=True)])
        for one in drawn
    ]


def novelty_trend(rng: Rng, runs: int) -> list[float]:
    trends = [one.trend for one in weeks(rng, runs)]
    return [p_of(one.slope) if computable(one) else 1.0 for one in trends]


def curve_band(rng: Rng, runs: int, n: int = 1_000) -> list[list[bool]]:
    """Five days of a D-n curve, of the same users: does the band leave out 0 on any day?"""
    alarms = []
    for _ in range(runs):
        lively = rng.random((2, n, 1)) < 0.6
        active = (rng.random((2, n, 5)) < np.array([0.6, 0.5, 0.45, 0.4, 0.35]) * lively).sum(axis=1)
        days = [{day: (n, int(count)) for day, count in enumerate(row, 1)} for row in active]
        bands = [day_curve.curve_difference(days[0], days[1], alpha=level) for level in LEVELS[1:2]]
        alarms.append([bool(one.higher or one.lower) for one in bands if computable(one)])
    return alarms


@dataclass(frozen=True)
class Test:
    """A test under calibration.

    Attributes:
        name: for the reader, and for its stream of random numbers.
        draw: see the module.
        bounded: promises at most the level (exact, joined or one-sided tests): may be below the band.
        levels: those that are tried.
        slow: fewer runs do.
    """

    name: str
    draw: Callable[[Rng, int], Any]
    bounded: bool = False
    levels: tuple[float, ...] = LEVELS
    slow: bool = False

    def shares(self, rng: Rng, runs: int) -> Floats:
        drawn = np.asarray(self.draw(rng, runs))
        if drawn.dtype == np.bool_:
            return drawn.mean(axis=0)
        return np.array([(drawn < level).mean() for level in self.levels])


log_rank: Callable[..., Any] = lambda *pair: logrank.stratified_log_rank([pair])  # noqa: E731 - of one stratum
restricted_mean = partial(rmst.compare_restricted_means, tau=30.0)
TESTS = (
    Test("share: score test", lambda rng, runs: ps(compare.compare_proportions, shares(rng, runs))),
    Test(
        "share: Boschloo's exact test, 25 + 25 units at 12 %",
        lambda rng, runs: ps(compare.compare_proportions, shares(rng, runs, 25, 0.12)),
        bounded=True,
        slow=True,
    ),
    Test("share: unpooled z (encouragement's ITT)", lambda rng, runs: ps(compare.compare_unpooled, shares(rng, runs))),
    Test("mean: Welch", lambda rng, runs: ps(compare.compare_means, spending(rng, runs, 400, 800))),
    Test("ratio: delta method", ratio),
    Test("Holm over four metrics, any alarm", holm_family, bounded=True),
    Test("covariates: Lin", lambda rng, runs: ps(adjustment.lin, (with_covariates(rng) for _ in range(runs)))),
    Test("covariates: CUPED", cuped),
    Test(
        "clusters: t",
        lambda rng, runs: ps(adjustment.cluster_difference, without_x(clustered(rng) for _ in range(runs))),
    ),
    Test(
        "clusters of unequal size, 15 + 15: t",
        lambda rng, runs: ps(adjustment.cluster_difference, (unequal_clusters(rng) for _ in range(runs))),
    ),
    Test("clusters: Lin", lambda rng, runs: ps(adjustment.lin_clustered, (clustered(rng) for _ in range(runs)))),
    Test(
        "segments: Mantel-Haenszel difference",
        lambda rng, runs: ps(stratified.risk_difference, zip(strata(rng, runs), strict=True)),
    ),
    Test("segments: Cochran-Mantel-Haenszel", cmh),
    Test("segments: Cochran's Q", cochran_q),
    Test(
        "segments: Breslow-Day (Tarone)",
        lambda rng, runs: ps(stratified.breslow_day, zip(strata(rng, runs), strict=True)),
    ),
    Test("sample ratio, three arms", srm),
    Test("balance of covariates", balance),
    Test("Anderson-Rubin at the true effect, F about 140", anderson_rubin_set),
    Test("Anderson-Rubin at the true effect, F about 1", partial(anderson_rubin_set, compliers=0.0126)),
    Test("two-stage least squares, F about 200", two_stage_least_squares, slow=True),
    Test(  # where all four hold with equality: the nudge does nothing at all
        "instrument inequalities, all at their limit",
        lambda rng, runs: ps(inequalities_from_counts, Nudge(0.0).draw(rng, runs)),
        bounded=True,
    ),
    Test(  # where they hold with room to spare, as with any working nudge
        "instrument inequalities, a working nudge",
        lambda rng, runs: ps(inequalities_from_counts, Nudge(0.15).draw(rng, runs)),
        bounded=True,
    ),
    Test("time: log-rank", lambda rng, runs: ps(log_rank, lifetimes(rng, runs))),
    Test("time: log-rank within segments", stratified_log_rank),
    Test("time: restricted mean", lambda rng, runs: ps(restricted_mean, lifetimes(rng, runs))),
    Test("weeks: do they differ", lambda rng, runs: [p_of(one.heterogeneity) for one in weeks(rng, runs)]),
    Test("weeks: trend", novelty_trend),
    Test("curve: band over five days, any alarm", curve_band, bounded=True, levels=LEVELS[1:2], slow=True),
)


# ── Intervals ─────────────────────────────────────────────────────────────────
def two_shares(rng: Rng, runs: int, rates: tuple[float, float], n: tuple[int, int]) -> list[tuple[Mean, Mean]]:
    drawn = (rng.binomial(size, rate, runs) for size, rate in zip(n, rates, strict=True))
    return [pair_of(c, v, *n) for c, v in zip(*drawn, strict=True)]


def fieller(rng: Rng, runs: int, n: int = 200) -> list[bool]:
    """A control mean 3.5 errors from 0, a variant's mean of 0: the log interval can't be had."""
    drawn = rng.normal(size=(runs, 2 * n))
    pairs = ((Mean.from_values(row[:n] + 3.5 / sqrt(n)), Mean.from_values(row[n:])) for row in drawn)
    return [holds(found, -1.0) for pair in pairs if computable(found := compare.lift(*pair))]


def mantel_haenszel_sparse(rng: Rng, runs: int, k: int = 150) -> list[bool]:
    """150 tiny segments of 3 units an arm."""
    base = rng.uniform(0.1, 0.7, (runs, k))
    counts = np.stack([rng.binomial(3, base), rng.binomial(3, base + 0.1)], axis=2)
    return covers(stratified.risk_difference, 0.1, (([pair_of(c, v, 3, 3) for c, v in one],) for one in counts))


def odds_ratio(rng: Rng, runs: int) -> list[bool]:
    """A common odds ratio of 1.3 in four segments."""
    odds = np.array([1.3 * rate / (1 - rate) for _, rate in SEGMENTS])
    sizes = [int(2_000 * share) for share, _ in SEGMENTS]
    control = rng.binomial(sizes, [rate for _, rate in SEGMENTS], (runs, 4))
    variant = rng.binomial(sizes, odds / (1 + odds), (runs, 4))
    drawn = (
        [pair_of(c, v, n, n) for c, v, n in zip(*one, sizes, strict=True)] for one in zip(control, variant, strict=True)
    )
    return covers(stratified.odds_ratio, 1.3, ((one,) for one in drawn))


def nudge_of(f: float) -> Nudge:
    world = Nudge(0.0, effect=EFFECT)
    return replace(world, compliers=sqrt(f * 2 * world.always * (1 - world.always) / world.n))


def moments_of(world: Nudge, rng: Rng, runs: int) -> Iterable[Any]:
    found = (iv_moments(*map(joint_of_counts, pair)) for pair in world.draw(rng, runs))
    return [one for one in found if computable(one)]


def days_stayed(rng: Rng, runs: int) -> list[bool]:
    """Days stayed up to 30 with a daily chance to leave of 3 % and of 2 %."""
    # A unit that leaves on day t stays t whole days, so S(u) on [day, day + 1) is P(T > day) = (1-q)^(day+1).
    kept = [sum((1 - q) ** (day + 1) for day in range(30)) for q in (0.03, 0.02)]
    return covers(restricted_mean, kept[1] - kept[0], lifetimes(rng, runs, 300, (0.03, 0.02)))


@dataclass(frozen=True)
class Cover:
    """An interval under calibration; ``promised`` is False where it is shown without a promise."""

    name: str
    draw: Callable[[Rng, int], list[bool]]
    promised: bool = True


def of_shares(name: str, method: Callable[..., Any]) -> list[Cover]:
    def cover(words: str, rates: tuple[float, float], n: tuple[int, int]) -> Cover:
        truth = rates[1] - rates[0]
        return Cover(
            f"share: {name}, {words}", lambda rng, runs: covers(method, truth, two_shares(rng, runs, rates, n))
        )

    return [
        cover("30 % and 33 % of 1,000", (0.30, 0.33), (1_000, 1_000)),
        cover("5 % and 8 % of 200", (0.05, 0.08), (200, 200)),
        cover("5 % of 400, 9 % of 150", (0.05, 0.09), (400, 150)),
    ]


def wald_interval(f: float, rng: Rng, runs: int) -> list[bool]:
    return [holds(wald(one), EFFECT) for one in moments_of(nudge_of(f), rng, runs)]


def effect_set(f: float, rng: Rng, runs: int) -> list[bool]:
    return [anderson_rubin(one).contains(EFFECT) for one in moments_of(nudge_of(f), rng, runs)]


INTERVALS = (
    *of_shares("score interval", compare.compare_proportions),
    *of_shares("Newcombe", compare.newcombe_interval),
    Cover(
        "lift of a share: log",
        lambda rng, runs: covers(compare.lift, 0.2, two_shares(rng, runs, (0.1, 0.12), (1_000, 1_000))),
    ),
    Cover(
        "mean: Welch, skewed",
        lambda rng, runs: covers(compare.compare_means, 1.5, spending(rng, runs, 500, 500, lift=1.1)),
    ),
    Cover(
        "lift of a mean: log, skewed",
        lambda rng, runs: covers(compare.lift, 0.1, spending(rng, runs, 500, 500, lift=1.1)),
    ),
    Cover("lift of a mean: Fieller, where it is used", fieller),
    Cover(
        "segments: Mantel-Haenszel difference",
        lambda rng, runs: covers(stratified.risk_difference, 0.05, zip(strata(rng, runs, lifted=0.05), strict=True)),
    ),
    Cover("segments: Mantel-Haenszel difference, 150 tiny ones", mantel_haenszel_sparse),
    Cover("segments: Mantel-Haenszel odds ratio", odds_ratio),
    Cover(
        "covariates: Lin, unequal effects",
        lambda rng, runs: covers(adjustment.lin, 0.3, (with_covariates(rng, effect=0.3) for _ in range(runs))),
    ),
    Cover(
        "clusters: t",
        lambda rng, runs: covers(
            adjustment.cluster_difference, 0.2, without_x(clustered(rng, effect=0.2) for _ in range(runs))
        ),
    ),
    Cover(
        "clusters of unequal size, 15 + 15: t",
        lambda rng, runs: covers(
            adjustment.cluster_difference, 0.2, (unequal_clusters(rng, effect=0.2) for _ in range(runs))
        ),
    ),
    *(
        Cover(f"behaviour: Wald, first-stage F about {f}", partial(wald_interval, f), promised=f >= 100)
        for f in FIRST_STAGES
    ),
    *(Cover(f"behaviour: Anderson-Rubin, F about {f}", partial(effect_set, f)) for f in FIRST_STAGES),
    Cover("time: restricted mean", days_stayed),
)
