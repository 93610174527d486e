"""K-means, the number of clusters, their stability, and a test against a null without clusters."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from runs.parallel import each
from runs.progress import Progress, silent
from segments.search.features import Floats, Ints
from segments.search.reduction import Method, embed_umap, fit_pca, squared_distances

K_RANGE = tuple(range(2, 11))
STARTS = 10
REFIT_STARTS = 3
GAP_DRAWS = 10
STABLE_ARI = 0.80
SMALLEST_SHARE = 0.02
NULL_LEVEL = 0.05
STABLE_JACCARD, PATTERN_JACCARD = 0.75, 0.60


class Standing(StrEnum):
    """Recommended use of a cluster by its mean bootstrap Jaccard (Hennig 2007)."""

    STABLE = "stable"  # .75 and more
    PATTERN = "pattern"  # .60 and more: name with care
    DISSOLVES = "dissolves"  # no name, no targeting


class KReason(StrEnum):
    """Reason for the recommended K."""

    GIVEN = "given"
    GAP = "gap"
    LARGEST_ADMISSIBLE = "largest_admissible"
    NONE_ADMISSIBLE = "none_admissible"


@dataclass(frozen=True)
class Clusters:
    """A K-means solution; label 0 is the largest cluster.

    Attributes:
        labels: one per row.
        centroids: clusters x dimensions of the space it was fitted in.
        inertia: within-cluster sum of squares.
    """

    labels: Ints
    centroids: Floats
    inertia: float

    def predict(self, space: Floats) -> Ints:
        """Nearest centroid of each row."""
        return np.asarray(squared_distances(space, self.centroids).argmin(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class Stability:
    """Bootstrap of the whole pipeline at one K.

    Attributes:
        ari: adjusted Rand index of each resample's labels with the original ones.
        jaccard: per original cluster, the mean over resamples of the best Jaccard with a new cluster.
    """

    ari: tuple[float, ...]
    jaccard: tuple[float, ...]

    @property
    def mean_ari(self) -> float:
        """Mean over the resamples, at most 1."""
        return float(np.mean(self.ari))


@dataclass(frozen=True)
class KScore:
    """One row of the table of K; the first three are measured in the scaled features, whatever the reduction.

    Attributes:
        k: number of clusters.
        silhouette: -1 to 1, larger is better.
        davies_bouldin: 0 and more, smaller is better.
        calinski_harabasz: larger is better.
        gap, gap_error: gap statistic and its s, in the clustering space.
        stability: mean bootstrap ARI, at most 1.
        smallest_share: share of the rows in the smallest cluster.
        admissible: stability at least .8 and every cluster at least 2 %.
    """

    k: int
    silhouette: float
    davies_bouldin: float
    calinski_harabasz: float
    gap: float
    gap_error: float
    stability: float
    smallest_share: float
    admissible: bool


@dataclass(frozen=True)
class KChoice:
    """The recommended K.

    Attributes:
        k: None when no K is admissible: "no stable clusters".
        reason: why.
        gap_k: the gap statistic's own choice, 1 included; None when it never levels off.
        votes: K by each other criterion, to show whether they disagree.
    """

    k: int | None
    reason: KReason
    gap_k: int | None
    votes: dict[str, int]


@dataclass(frozen=True)
class FoundGroups:
    """The choice of K on one reduction: the table of K, the recommended K, and labels and stability at `k`."""

    scores: tuple[KScore, ...]
    choice: KChoice
    k: int
    labels: Ints
    stability: Stability


@dataclass(frozen=True)
class Null:
    """Silhouette against data with the same margins and rank correlations but no clusters.

    Attributes:
        observed: silhouette in the scaled features.
        values: the null's silhouettes.
        p_value: (1 + draws at least as large) / (draws + 1).
        percentile: share of the draws below the observed value, 0 to 1.
    """

    observed: float
    values: tuple[float, ...]
    p_value: float
    percentile: float


def kmeans(space: Floats, k: int, *, seed: int, starts: int = STARTS) -> Clusters:
    """K-means with several starts, clusters ordered by size (ties by their first coordinate)."""
    from sklearn.cluster import KMeans

    model = KMeans(k, n_init=starts, random_state=seed).fit(space)
    sizes = np.bincount(model.labels_, minlength=k)
    order = np.lexsort((model.cluster_centers_[:, 0], -sizes))
    place = np.empty(k, dtype=np.int64)
    place[order] = np.arange(k)
    return Clusters(place[model.labels_], model.cluster_centers_[order].astype(np.float64), float(model.inertia_))


def embed(values: Floats, method: Method, *, seed: int) -> Floats:
    """The clustering space of these rows under a reduction."""
    return fit_pca(values).project(values) if method is Method.PCA else embed_umap(values, seed=seed)


def agreement(first: Ints, second: Ints) -> float:
    """Adjusted Rand index of two labellings: 1 the same, about 0 for chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(first, second))


def silhouette(values: Floats, labels: Ints) -> float:
    """Mean silhouette in the scaled features; -1 where there is only one cluster. Quadratic in rows."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(values, labels)) if len(np.unique(labels)) > 1 else -1.0


def gap_statistic(
    space: Floats, ks: Sequence[int], *, seed: int, draws: int = GAP_DRAWS
) -> dict[int, tuple[float, float]]:
    """Gap(K) and s_K for each K. Reference: uniform in the box of the principal axes. Tibshirani et al. 2001."""
    rng = np.random.default_rng(seed)
    centred = space - space.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    low, high = (centred @ axes.T).min(axis=0), (centred @ axes.T).max(axis=0)

    def spreads(drawn: tuple[int, Floats], _: Progress) -> list[float]:
        number, box = drawn
        return [float(np.log(kmeans(box, k, seed=seed + number, starts=REFIT_STARTS).inertia)) for k in ks]

    boxes = ((number, rng.uniform(low, high, size=space.shape)) for number in range(draws))
    reference = dict(zip(ks, zip(*each(boxes, spreads, of=draws), strict=True), strict=True))
    logs = dict(zip(ks, each(ks, lambda k, _: np.log(kmeans(space, k, seed=seed).inertia)), strict=True))
    spread = np.sqrt(1 + 1 / draws)
    return {k: (float(np.mean(reference[k]) - logs[k]), float(np.std(reference[k]) * spread)) for k in ks}


def gap_choice(gaps: dict[int, tuple[float, float]]) -> int | None:
    """The smallest K with Gap(K) >= Gap(K+1) - s(K+1); None when there is none."""
    return next((k for k in sorted(gaps) if k + 1 in gaps and gaps[k][0] >= gaps[k + 1][0] - gaps[k + 1][1]), None)


def bootstrap(
    values: Floats,
    method: Method,
    ks: Sequence[int],
    base: dict[int, Ints],
    *,
    resamples: int,
    seed: int,
    progress: Progress = silent,
) -> dict[int, Stability]:
    """Refit reduction and K-means on resamples, and compare their labels with the original ones.

    PCA labels all rows by the refit. UMAP can't place rows outside a fit, so its comparison uses the distinct rows of
    the resample; repeated rows at distance 0 would form separate islands.
    """
    rng = np.random.default_rng(seed)

    def refit(drawn: tuple[int, Ints], inner: Progress) -> list[tuple[float, Floats]]:
        inner("stability", 0.0)
        number, rows = drawn
        if method is Method.PCA:
            space = fit_pca(values[rows]).project(values)
            seen = np.arange(len(values))
        else:
            seen = rows = np.unique(rows)
            embedding = embed_umap(values[rows], seed=seed + number)
            space = np.zeros((len(values), embedding.shape[1]))
            space[rows] = embedding
        scores = []
        for k in ks:
            labels = kmeans(space[rows], k, seed=seed + number, starts=REFIT_STARTS).predict(space[seen])
            scores.append((agreement(base[k][seen], labels), best_jaccard(base[k][seen], labels, k)))
        return scores

    draws = ((number, rng.integers(0, len(values), len(values))) for number in range(resamples))
    refits = each(draws, refit, of=resamples, progress=progress)
    return {
        k: Stability(
            tuple(of_k[0] for of_k in resampled), tuple(map(float, np.mean([of_k[1] for of_k in resampled], axis=0)))
        )
        for k, resampled in zip(ks, zip(*refits, strict=True), strict=True)
    }


def best_jaccard(original: Ints, new: Ints, k: int) -> Floats:
    """For each original cluster the largest Jaccard index with any new cluster, 0 to 1 (Hennig 2007)."""
    table = np.zeros((k, int(new.max()) + 1))
    np.add.at(table, (original, new), 1)
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None, :] - table
    return np.asarray((table / np.maximum(union, 1)).max(axis=1))


def standing(jaccard: float) -> Standing:
    """Recommended use of a cluster with this mean Jaccard."""
    if jaccard >= STABLE_JACCARD:
        return Standing.STABLE
    return Standing.PATTERN if jaccard >= PATTERN_JACCARD else Standing.DISSOLVES


def score_ks(
    values: Floats, base: dict[int, Ints], stability: dict[int, Stability], gaps: dict[int, tuple[float, float]]
) -> tuple[KScore, ...]:
    """The table of K: criteria in the scaled features `values`, for labels found in any space."""
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    rows = []
    for k, labels in sorted(base.items()):
        smallest = float(np.bincount(labels, minlength=k).min() / len(labels))
        mean = stability[k].mean_ari
        rows.append(
            KScore(
                k,
                silhouette(values, labels),
                float(davies_bouldin_score(values, labels)),
                float(calinski_harabasz_score(values, labels)),
                *gaps[k],
                mean,
                smallest,
                mean >= STABLE_ARI and smallest >= SMALLEST_SHARE,
            )
        )
    return tuple(rows)


def choose_k(scores: Sequence[KScore], gap_k: int | None, *, given: int | None = None) -> KChoice:
    """The gap statistic's K if admissible, else the largest admissible K, else none; a given K is always used."""
    admissible = [score.k for score in scores if score.admissible]
    votes = {
        "silhouette": max(scores, key=lambda score: score.silhouette).k,
        "davies_bouldin": min(scores, key=lambda score: score.davies_bouldin).k,
        "calinski_harabasz": max(scores, key=lambda score: score.calinski_harabasz).k,
        "stability": max(scores, key=lambda score: score.stability).k,
    }
    if given is not None:
        return KChoice(given, KReason.GIVEN, gap_k, votes)
    if gap_k in admissible:
        return KChoice(gap_k, KReason.GAP, gap_k, votes)
    if admissible:
        return KChoice(max(admissible), KReason.LARGEST_ADMISSIBLE, gap_k, votes)
    return KChoice(None, KReason.NONE_ADMISSIBLE, gap_k, votes)


def copula(columns: Floats) -> Callable[[np.random.Generator], Floats]:
    """A null without clusters: draws of as many rows with equal margins and rank correlations, by a Gaussian copula.

    Returns a function that makes one draw from a random generator.
    """
    from scipy.stats import norm, rankdata

    rows = len(columns)
    scores = norm.ppf((rankdata(columns, axis=0) - 0.5) / rows)
    spread = scores.std(axis=0)
    scores = (scores - scores.mean(axis=0)) / np.where(spread == 0, 1.0, spread)
    values, vectors = np.linalg.eigh(scores.T @ scores / rows)
    root, ordered = (vectors * np.sqrt(np.maximum(values, 0.0))).T, np.sort(columns, axis=0)

    def draw(rng: np.random.Generator) -> Floats:
        normal = rng.standard_normal(columns.shape) @ root
        place = np.minimum((norm.cdf(normal) * rows).astype(np.int64), rows - 1)
        return np.take_along_axis(ordered, place, axis=0)

    return draw


def compare_with_null(
    observed: float,
    redraw: Callable[[np.random.Generator], Floats],
    method: Method,
    k: int,
    *,
    draws: int,
    seed: int,
    progress: Progress = silent,
) -> Null:
    """The observed silhouette against draws without clusters through the same pipeline.

    Args:
        observed: silhouette of as many rows as a draw has.
        redraw: gives the scaled features of one draw.
        method: the reduction.
        k: number of clusters.
        draws: at least 19, or no result could reach the level .05.
        seed: of the draws.
        progress: listener.
    """
    if draws < 19:
        raise ValueError(f"a null needs at least 19 draws, not {draws}")

    def one(drawn: tuple[int, Floats], inner: Progress) -> float:
        inner("null", 0.0)
        number, values = drawn
        clusters = kmeans(embed(values, method, seed=seed + number), k, seed=seed + number)
        return silhouette(values, clusters.labels)

    silhouettes = each(_drawn(redraw, draws, seed), one, of=draws, progress=progress)
    larger = sum(value >= observed for value in silhouettes)
    return Null(observed, tuple(silhouettes), (1 + larger) / (draws + 1), 1 - larger / draws)


def _drawn(redraw: Callable[[np.random.Generator], Floats], draws: int, seed: int) -> Iterator[tuple[int, Floats]]:
    rng = np.random.default_rng(seed)
    for number in range(draws):
        yield number, redraw(rng)
