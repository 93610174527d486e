"""B10: are users spread evenly over mixes of three styles called groups, and planted groups still groups?"""

import os
from collections import Counter

import numpy as np

from benchmarks.audit_04.figure import Figure
from segments.search import clustering
from segments.search.clustering import NULL_LEVEL, STABLE_ARI
from segments.search.features import UnitTable, learn_features, relearn
from segments.search.gaps import Shape, find_gaps, shape_of
from segments.search.reduction import Method, fit_pca
from stats.results import NotComputable
from tests.segments.make import world_table

TITLE = "Groups or styles of a continuum"
TEXT = """Users spread uniformly over mixes of three play styles (world `styles`) beat the copula null 9 of 9 times, so
version 0.3 called them clusters. Each pair of neighbouring clusters is now tested for a gap: Hartigan's dip (1985) of
the pair's most active third on the pair's discriminant, Holm over pairs; "groups" only if every pair has one
(docs/methods/segments.md). 20,000 users, days 0 to 13, clusters on PCA; K by the gap statistic, bootstrap and copula
null through the segmentation's own functions with fewer rows and draws than its defaults. The settings were chosen on
seeds 101 to 106."""

SEEDS = 20
K_ROWS, KS = 2_000, (1, 2, 3, 4, 5, 6)
RESAMPLES, NULL_DRAWS, NULL_ROWS = 5, 19, 1_000


def figures(size: float) -> list[Figure]:
    """How often each world is called what."""
    seeds = max(round(SEEDS * size), 1)
    styles = Counter(shape_found("styles", seed) for seed in range(1, seeds + 1))
    planted = Counter(shape_found("planted_groups", seed) for seed in range(1, seeds + 1))
    allowed, wanted = seeds // 20, -(-18 * seeds // 20)
    return [
        Figure(
            'world `styles` called "groups"',
            f"at most {allowed} of {seeds}",
            _seen(styles, seeds),
            styles[Shape.GROUPS] <= allowed,
        ),
        Figure(
            'world `planted_groups` called "groups"',
            f"at least {wanted} of {seeds}",
            _seen(planted, seeds),
            planted[Shape.GROUPS] >= wanted,
        ),
    ]


def shape_found(world: str, seed: int) -> Shape:
    """The segmentation's steps on one world: features, PCA, K, stability, null, gaps."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    table, _ = world_table(world, seed=seed)
    train = np.random.default_rng(seed).permutation(np.flatnonzero(table.active_days >= 3))
    table = table.take(train)
    learnt = learn_features(table)
    if isinstance(learnt, NotComputable):
        return Shape.NONE
    preparation = learnt.preparation
    values = preparation.apply(table).values
    space = fit_pca(values).project(values)
    k = clustering.gap_choice(clustering.gap_statistic(space[:K_ROWS], KS, seed=seed, draws=5))
    if k is None or k < 2:
        return Shape.NONE
    labels = clustering.kmeans(space, k, seed=seed, starts=clustering.REFIT_STARTS).labels
    base = {k: clustering.kmeans(space[:K_ROWS], k, seed=seed).labels}
    stability = clustering.bootstrap(values[:K_ROWS], Method.PCA, [k], base, resamples=RESAMPLES, seed=seed)[k]
    observed = clustering.silhouette(values[:NULL_ROWS], base[k][:NULL_ROWS])
    head = table.take(np.arange(NULL_ROWS))

    def redraw(rng: np.random.Generator) -> np.ndarray:
        names = preparation.behaviours
        place = [head.behaviours.index(name) for name in names]
        activity = [head.active_days, head.sessions, head.tenure, head.recency]
        drawn = clustering.copula(np.column_stack([head.counts[:, place], *activity]))(rng)
        null = UnitTable(head.unit_ids, names, drawn[:, : len(names)], *drawn[:, len(names) :].T)
        again: np.ndarray = (
            relearn(
                null,
                names,
                activity_weight=0.0,
                prior_days=preparation.prior_days,
                min_active_days=preparation.min_active_days,
            )
            .apply(null)
            .values
        )
        return again

    null = clustering.compare_with_null(observed, redraw, Method.PCA, k, draws=NULL_DRAWS, seed=seed)
    found = null.p_value <= NULL_LEVEL and stability.mean_ari >= STABLE_ARI
    events = table.counts.sum(axis=1)
    return shape_of(find_gaps(values, labels, events), clusters_found=found)


def _seen(found: Counter[Shape], seeds: int) -> str:
    words = ", ".join(f"{shape} {found[shape]}" for shape in Shape)
    return f"{words}, of {seeds} seeds (1 to {seeds})"
