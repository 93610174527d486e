"""Which features a model uses most: grouped out-of-fold SHAP with rank intervals, only if the model predicts at all.

The only module that uses SHAP. Predictive, not causal: a model uses consequences of engagement as well as causes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from runs.parallel import calls, each
from runs.progress import Progress, part, silent
from segments.search.learning import FOLDS, THREADS, OutOfFold, Skill, boosted, check_matrix, logistic, skill, too_small
from segments.search.ranks import Flags, Floats, Ints, spearman
from stats.results import NotComputable, Reason

REPEATS = 5
MAX_UNITS = 50_000
MAX_EXPLAINED = 10_000
REPLICATES = 500
# Features closer than this, in 1 - |Spearman| with average linkage, are ranked as one group.
GROUP_DISTANCE = 0.3


@dataclass(frozen=True)
class RankedFeature:
    """Importance of one feature in the model.

    Attributes:
        name: as the caller gave it.
        group: position of its group in `Importance.groups`.
        importance: mean |SHAP|, in log-odds. Near-duplicates share it: compare groups, not features.
        direction: Spearman of the feature with its SHAP, -1 to 1; positive when more of it raises the prediction.
    """

    name: str
    group: int
    importance: float
    direction: float | NotComputable


@dataclass(frozen=True)
class FeatureGroup:
    """Near-duplicate features, ranked as one.

    Attributes:
        members: names of its features, the most important first.
        importance: mean over units of |sum of the members' SHAP|, in log-odds.
        rank: 1 for the largest importance.
        rank_low, rank_high: 2.5 % and 97.5 % point of its rank; groups whose ranges overlap are tied.
    """

    members: tuple[str, ...]
    importance: float
    rank: int
    rank_low: int
    rank_high: int


@dataclass(frozen=True, eq=False)
class Explained:
    """The out-of-fold explanation of a sample of units, for beeswarm and dependence plots.

    Attributes:
        rows: positions of the units in the caller's matrix, shape (m,).
        values: their features, (m, p).
        shap: their SHAP values in log-odds, mean over the repeats, (m, p).
        base: the explanation's starting point, (m,).
        margin: the models' log-odds, (m,); base + sum of shap, but for rounding.
    """

    rows: Ints
    values: Floats
    shap: Floats
    base: Floats
    margin: Floats


@dataclass(frozen=True, eq=False)
class Ranking:
    """The ranking, available only if the model has skill: groups by importance, features in the caller's order."""

    groups: tuple[FeatureGroup, ...]
    features: tuple[RankedFeature, ...]
    explained: Explained


@dataclass(frozen=True, eq=False)
class Importance:
    """Skill of a model and its ranking.

    Attributes:
        trees: skill of the boosted trees, which the ranking explains.
        logistic: skill of a logistic model on log1p of the same features.
        ranking: the ranking, or the reason why none may be shown.
        seed: of every random draw; reproduces the result.
    """

    trees: Skill
    logistic: Skill
    ranking: Ranking | NotComputable
    seed: int


def explain(booster: Any, values: Floats) -> tuple[float, Floats]:
    """SHAP values of a booster, in log-odds: the base value and one row of values per unit.

    Path-dependent TreeSHAP; base + row sum is the model's raw margin.

    Source: Lundberg et al. 2020.
    """
    # shap's TreeExplainer makes the same LightGBM call, but copies every tree to Python.
    contributions = np.asarray(booster.predict(values, pred_contrib=True, num_threads=THREADS), dtype=np.float64)
    return float(contributions[0, -1]), contributions[:, :-1]


def group_features(values: Floats) -> Ints:
    """A group number per feature: average linkage on 1 - |Spearman|, cut at 0.3. Constant features stay single."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    p = values.shape[1]
    if p == 1:
        return np.zeros(1, dtype=np.int64)
    ranks = stats.rankdata(values, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    unit = np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)
    distance = np.clip(1 - np.abs(unit.T @ unit), 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(tree, t=GROUP_DISTANCE, criterion="distance"), dtype=np.int64) - 1


def rank_features(
    values: Floats,
    outcome: Flags,
    *,
    names: Sequence[str],
    seed: int,
    repeats: int = REPEATS,
    max_units: int = MAX_UNITS,
    max_explained: int = MAX_EXPLAINED,
    replicates: int = REPLICATES,
    progress: Progress = silent,
) -> Importance | NotComputable:
    """Rank features by how much a model of the outcome uses them, on out-of-fold units.

    Args:
        values: units x features, finite; counts, rates or attributes as numbers.
        outcome: one boolean per unit.
        names: one per feature.
        seed: of samples, folds, trees and resamples.
        repeats: cross-fits with different folds.
        max_units: models use at most this many units, drawn at random.
        max_explained: SHAP values are computed for at most this many of them.
        replicates: resamples for the rank intervals.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        Skill of both models; the ranking is ``NotComputable(NO_SKILL)`` unless the trees beat the base rate. With fewer
        than 50 units on one side of the outcome there is no model at all.

    Raises:
        ValueError: shapes that don't agree, or values that aren't finite.

    Source: Lundberg et al. 2020; docs/methods/profiles.md, "Importance".
    """
    check_matrix(values, outcome, names)
    rng = np.random.default_rng(seed)
    rows = _sample(np.arange(len(outcome)), max_units, rng)
    x, y = values[rows], outcome[rows]
    missing = too_small(y)
    if missing is not None:
        return missing
    seeds = [int(number) for number in rng.integers(2**31 - FOLDS, size=repeats)]
    fits, simple = calls(
        lambda inner: each(seeds, lambda s, one: boosted(x, y, seed=s, progress=one), progress=inner),
        lambda _: logistic(x, y, seed=seeds[0]),
        progress=part(progress, 0.0, 0.6),
    )
    trees, linear = skill(fits, y), skill([simple], y)
    if not trees.beats_base_rate:
        return Importance(trees, linear, NotComputable(Reason.NO_SKILL, {"auc": trees.auc.estimate}), seed)
    chosen = _sample(np.arange(len(rows)), max_explained, rng)
    shap, explained = _explain(fits, x, chosen, rows)
    progress("shap", 0.9)
    # Feature groups use all units of the model, not only the explained ones.
    ranking = _ranking(group_features(x), shap, explained, names, replicates, rng)
    progress("ranks", 1.0)
    return Importance(trees, linear, ranking, seed)


def _explain(fits: Sequence[OutOfFold], values: Floats, chosen: Ints, rows: Ints) -> tuple[list[Floats], Explained]:
    """SHAP values of the chosen units by each fit, and their averages over the fits."""
    explanations = each(fits, lambda fit, _: _out_of_fold_shap(fit, values, chosen))
    shap = [of_fit for _, of_fit in explanations]
    return shap, Explained(
        rows=rows[chosen],
        values=values[chosen],
        shap=np.mean(shap, axis=0),
        base=np.mean([base for base, _ in explanations], axis=0),
        margin=np.mean([fit.margin[chosen] for fit in fits], axis=0),
    )


def _sample(rows: Ints, most: int, rng: np.random.Generator) -> Ints:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, size=most, replace=False))


def _out_of_fold_shap(fit: OutOfFold, values: Floats, rows: Ints) -> tuple[Floats, Floats]:
    """Out-of-fold base and SHAP values of the rows."""
    base, shap = np.empty(len(rows)), np.empty((len(rows), values.shape[1]))

    def of_fold(number: int, _: Progress) -> None:
        mine = fit.fold[rows] == number
        if mine.any():
            base[mine], shap[mine] = explain(fit.models[number], values[rows[mine]])

    each(range(len(fit.models)), of_fold)
    return base, shap


def _ranking(
    group: Ints,
    by_fit: Sequence[Floats],
    explained: Explained,
    names: Sequence[str],
    replicates: int,
    rng: np.random.Generator,
) -> Ranking:
    membership = (group[:, None] == np.arange(group.max() + 1)).astype(np.float64)
    sizes = [np.abs(shap @ membership) for shap in by_fit]
    importance = np.mean([size.mean(axis=0) for size in sizes], axis=0)
    order = np.argsort(-importance, kind="stable")
    low, high = np.quantile(_resampled_ranks(sizes, replicates, rng), [0.025, 0.975], axis=0, method="nearest")
    single = np.mean([np.abs(shap).mean(axis=0) for shap in by_fit], axis=0)
    position = {int(number): place for place, number in enumerate(order)}
    features = tuple(
        RankedFeature(name, position[int(group[j])], float(single[j]), _direction(explained, j))
        for j, name in enumerate(names)
    )
    groups = tuple(
        FeatureGroup(
            members=tuple(names[j] for j in np.argsort(-single, kind="stable") if group[j] == number),
            importance=float(importance[number]),
            rank=place + 1,
            rank_low=int(low[number]),
            rank_high=int(high[number]),
        )
        for place, number in enumerate(order)
    )
    return Ranking(groups, features, explained)


def _resampled_ranks(sizes: Sequence[Floats], replicates: int, rng: np.random.Generator) -> Ints:
    """Ranks of the groups in resamples: each draws one of the repeats, then units with replacement."""
    n, groups = sizes[0].shape
    ranks = np.empty((replicates, groups), dtype=np.int64)
    for index in range(replicates):
        size = sizes[int(rng.integers(len(sizes)))]
        weights = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
        ranks[index, np.argsort(-(weights @ size), kind="stable")] = np.arange(1, groups + 1)
    return ranks


def _direction(explained: Explained, feature: int) -> float | NotComputable:
    values, shap = explained.values[:, feature], explained.shap[:, feature]
    if np.ptp(values) == 0 or np.ptp(shap) == 0:
        return NotComputable(Reason.NO_VARIANCE)
    return spearman(values, shap)
