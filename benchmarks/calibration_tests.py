"""Experiments without any effect, one function a test: how often does it raise an alarm? Used by `calibration.py`.

Each function draws ``runs`` experiments and returns the p-values that the product gives, runs of them. Sets, which
have no p-value, and the band of a curve say for each level whether they raise an alarm (runs x levels).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from benchmarks.calibration_worlds import (
    Floats,
    Nudge,
    Rng,
    clustered,
    durations,
    shares,
    strata,
    unequal_clusters,
    with_covariates,
)
from benchmarks.ratio_of_sums import ratio_difference
from experiments.analyse.health.balance import joint_balance_p
from stats import adjustment, compare, novelty, stratified
from stats.cells import joint_of_counts
from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import iv_moments, two_stage
from stats.instrument.validity import inequalities_from_counts
from stats.multiplicity import holm
from stats.results import Estimate, computable
from stats.srm import sample_ratio
from stats.summaries import Joint, Mean
from stats.survival import day_curve, logrank, rmst

LEVELS = (0.01, 0.05, 0.10)


def p_of(found: Any) -> float:
    """A refusal is no alarm."""
    return float(found.p_value) if computable(found) else 1.0


# ── Two arms ──────────────────────────────────────────────────────────────────


def score_z(rng: Rng, runs: int) -> list[float]:
    return [p_of(compare.compare_proportions(*pair)) for pair in shares(rng, runs)]


def boschloo(rng: Rng, runs: int) -> list[float]:
    return [p_of(compare.compare_proportions(*pair)) for pair in shares(rng, runs, 25, 0.12)]


def unpooled_z(rng: Rng, runs: int) -> list[float]:
    return [p_of(compare.compare_unpooled(*pair)) for pair in shares(rng, runs)]


def welch(rng: Rng, runs: int) -> list[float]:
    """Skewed spending, an arm of 400 and one of 800."""
    values = rng.gamma(1.5, 10, (runs, 1_200))
    return [p_of(compare.compare_means(Mean.from_values(row[:400]), Mean.from_values(row[400:]))) for row in values]


def ratio(rng: Rng, runs: int, n: int = 1_000) -> list[float]:
    """Clicks per view, the rate differing between users, who are the units."""
    views = rng.poisson(3, (runs, 2 * n)) + 1
    clicks = rng.binomial(views, rng.beta(2, 6, (runs, 2 * n)))
    both = np.stack([clicks, views], axis=2).astype(float)
    return [p_of(ratio_difference(Joint.from_columns(r[:n]), Joint.from_columns(r[n:]))) for r in both]


def holm_family(rng: Rng, runs: int) -> list[float]:
    """Smallest Holm-adjusted p of four metrics: alarms of the whole family."""
    raw = np.reshape(unpooled_z(rng, 4 * runs), (runs, 4))
    return [min(holm(list(row))) for row in raw]


# ── Covariates and clusters ───────────────────────────────────────────────────


def lin(rng: Rng, runs: int) -> list[float]:
    return [p_of(adjustment.lin(*with_covariates(rng))) for _ in range(runs)]


def cuped(rng: Rng, runs: int, n: int = 300) -> list[float]:
    x = rng.gamma(2, 1, (runs, 2 * n))
    both = np.stack([0.8 * x + rng.gamma(1.5, 1, x.shape), x], axis=2)
    return [p_of(adjustment.cuped(Joint.from_columns(r[:n]), Joint.from_columns(r[n:]))) for r in both]


def cluster_t(rng: Rng, runs: int) -> list[float]:
    draws = (clustered(rng) for _ in range(runs))
    return [p_of(adjustment.cluster_difference(y, arm, cluster)) for y, arm, _, cluster in draws]


def unequal_cluster_t(rng: Rng, runs: int) -> list[float]:
    return [p_of(adjustment.cluster_difference(*unequal_clusters(rng))) for _ in range(runs)]


def cluster_lin(rng: Rng, runs: int) -> list[float]:
    return [p_of(adjustment.lin_clustered(*clustered(rng))) for _ in range(runs)]


# ── Segments ──────────────────────────────────────────────────────────────────


def mantel_haenszel(rng: Rng, runs: int) -> list[float]:
    return [p_of(stratified.risk_difference(one)) for one in strata(rng, runs)]


def cmh(rng: Rng, runs: int) -> list[float]:
    found = [stratified.cmh_test(one) for one in strata(rng, runs)]
    return [one[1] if computable(one) else 1.0 for one in found]


def cochran_q(rng: Rng, runs: int) -> list[float]:
    drawn = ([compare.compare_unpooled(*pair) for pair in one] for one in strata(rng, runs))
    return [p_of(stratified.heterogeneity([d for d in one if isinstance(d, Estimate)])) for one in drawn]


def breslow_day(rng: Rng, runs: int) -> list[float]:
    return [p_of(stratified.breslow_day(one)) for one in strata(rng, runs)]


# ── Health ────────────────────────────────────────────────────────────────────
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


# ── Encouragement ─────────────────────────────────────────────────────────────


def anderson_rubin_set(rng: Rng, runs: int, compliers: float = 0.15) -> list[list[bool]]:
    """Does the set leave out the true effect, which isn't 0?"""
    world, alarms = Nudge(compliers, effect=0.15), []
    for pair in world.draw(rng, runs):
        moments = iv_moments(*map(joint_of_counts, pair))
        sets = [anderson_rubin(moments, alpha=level) for level in LEVELS] if computable(moments) else []
        alarms.append([not one.contains(world.effect) for one in sets])
    return alarms


def anderson_rubin_weak(rng: Rng, runs: int) -> list[list[bool]]:
    return anderson_rubin_set(rng, runs, 0.0126)


def inequalities(rng: Rng, runs: int) -> list[float]:
    """Where all four hold with equality: the nudge does nothing at all."""
    return [p_of(inequalities_from_counts(*pair)) for pair in Nudge(0.0).draw(rng, runs)]


def inequalities_inside(rng: Rng, runs: int) -> list[float]:
    """Where they hold with room to spare, as with any working nudge."""
    return [p_of(inequalities_from_counts(*pair)) for pair in Nudge(0.15).draw(rng, runs)]


def two_stage_least_squares(rng: Rng, runs: int, n: int = 1_000) -> list[float]:
    """A strong first stage, an unseen cause of behaviour and outcome, an effect of 0, two covariates."""
    found = []
    for _ in range(runs):
        hidden, x, nudge = rng.normal(size=n), rng.normal(size=(n, 2)), (rng.random(n) < 0.5).astype(float)
        d = (1.2 * nudge + 0.5 * hidden + 0.3 * x[:, 0] + rng.normal(size=n) > 0.8).astype(float)
        r = (0.8 * hidden + 0.4 * x[:, 1] + rng.normal(size=n) > 0.5).astype(float)
        found.append(p_of(two_stage(r, d, nudge, x)))
    return found


# ── Time ──────────────────────────────────────────────────────────────────────


def log_rank(rng: Rng, runs: int) -> list[float]:
    return [p_of(logrank.stratified_log_rank([(durations(rng, 300), durations(rng, 300))])) for _ in range(runs)]


def stratified_log_rank(rng: Rng, runs: int) -> list[float]:
    pairs = ([(durations(rng, 120, q), durations(rng, 120, q)) for q in (0.01, 0.03, 0.08)] for _ in range(runs))
    return [p_of(logrank.stratified_log_rank(one)) for one in pairs]


def restricted_mean(rng: Rng, runs: int) -> list[float]:
    return [p_of(rmst.compare_restricted_means(durations(rng, 300), durations(rng, 300), tau=30)) for _ in range(runs)]


def weeks(rng: Rng, runs: int, count: int = 8) -> list[novelty.Novelty]:
    """Eight enrolment weeks with a constant effect of four points."""
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(count)]
    drawn = rng.binomial(500, (0.30, 0.34), (runs, count, 2))
    return [
        novelty.effect_by_week(
            [
                (day, Mean.from_counts(int(c), 500), Mean.from_counts(int(v), 500))
                for day, (c, v) in zip(mondays, one, strict=True)
            ]
        )
        for one in drawn
    ]


def novelty_weeks(rng: Rng, runs: int) -> list[float]:
    return [p_of(one.heterogeneity) for one in weeks(rng, runs)]


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
        name: for the reader.
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


TESTS = (
    Test("share: score test", score_z),
    Test("share: Boschloo's exact test, 25 + 25 units at 12 %", boschloo, bounded=True, slow=True),
    Test("share: unpooled z (encouragement's ITT)", unpooled_z),
    Test("mean: Welch", welch),
    Test("ratio: delta method", ratio),
    Test("Holm over four metrics, any alarm", holm_family, bounded=True),
    Test("covariates: Lin", lin),
    Test("covariates: CUPED", cuped),
    Test("clusters: t", cluster_t),
    Test("clusters of unequal size, 15 + 15: t", unequal_cluster_t),
    Test("clusters: Lin", cluster_lin),
    Test("segments: Mantel-Haenszel difference", mantel_haenszel),
    Test("segments: Cochran-Mantel-Haenszel", cmh),
    Test("segments: Cochran's Q", cochran_q),
    Test("segments: Breslow-Day (Tarone)", breslow_day),
    Test("sample ratio, three arms", srm),
    Test("balance of covariates", balance),
    Test("Anderson-Rubin at the true effect, F about 140", anderson_rubin_set),
    Test("Anderson-Rubin at the true effect, F about 1", anderson_rubin_weak),
    Test("two-stage least squares, F about 200", two_stage_least_squares, slow=True),
    Test("instrument inequalities, all at their limit", inequalities, bounded=True),
    Test("instrument inequalities, a working nudge", inequalities_inside, bounded=True),
    Test("time: log-rank", log_rank),
    Test("time: log-rank within segments", stratified_log_rank),
    Test("time: restricted mean", restricted_mean),
    Test("weeks: do they differ", novelty_weeks),
    Test("weeks: trend", novelty_trend),
    Test("curve: band over five days, any alarm", curve_band, bounded=True, levels=LEVELS[1:2], slow=True),
)


def alarms(test: Test, rng: Rng, runs: int) -> Floats:
    """Share of alarms at each of the test's levels."""
    drawn = np.asarray(test.draw(rng, runs))
    if drawn.dtype == np.bool_:
        return drawn.mean(axis=0)
    return np.array([(drawn < level).mean() for level in test.levels])
