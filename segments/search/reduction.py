"""Dimension reduction by PCA and UMAP, and how faithful each is to the scaled features."""

import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np

from runs.parallel import calls
from runs.processes import elsewhere, one_compiles
from segments.search.features import Floats, Ints

VARIANCE_SHARE = 0.90
NEIGHBOURS = 15
UMAP_NEIGHBOURS = 30
UMAP_COMPONENTS = 10
# UMAP's default above 10,000 rows; its default below, 500, takes more than twice the time for the same groups.
UMAP_EPOCHS = 200
UMAP_START = "pca"
PARALLEL_DRAWS = 20
DISTANCE_PAIRS = 20_000
STABILITY_TIE = 0.05
USEFULNESS_TIE = 0.01


class Method(StrEnum):
    """The reductions that clustering may use."""

    PCA = "pca"
    UMAP = "umap"


@dataclass(frozen=True)
class Pca:
    """A fitted PCA.

    Attributes:
        centre: mean per feature.
        components: components x features, unit length, the largest loading of each positive.
        explained: share of the variance of each component kept.
        parallel: number of components whose variance beats 95 % of column-shuffled data (Horn), for information.
    """

    centre: Floats
    components: Floats
    explained: tuple[float, ...]
    parallel: int

    def project(self, values: Floats) -> Floats:
        """Coordinates of rows, bit-identical for one row and for many: BLAS would round depending on the shape."""
        return exact_product(values - self.centre, self.components.T)


@dataclass(frozen=True)
class Faithfulness:
    """How well an embedding keeps the neighbourhoods and distances of the scaled features, each 0 to 1 or -1 to 1.

    Attributes:
        trustworthiness: neighbours in the embedding are neighbours in the features (Venna and Kaski), k = 15.
        continuity: the same with the spaces swapped.
        overlap: mean share of the 15 nearest neighbours that are the same.
        distances: Spearman correlation of the distances of sampled pairs.
    """

    trustworthiness: float
    continuity: float
    overlap: float
    distances: float


@dataclass(frozen=True)
class Picture:
    """Coordinates for a chart only. `rows` are indices into the units of the run, `points` is rows x 2."""

    rows: Ints
    points: Floats


@dataclass(frozen=True)
class ScorecardRow:
    """One reduction on the scorecard (docs/methods/segments.md says what each row measures).

    Attributes:
        method: the reduction.
        components: number of dimensions used by K-means.
        faithfulness: of the embedding.
        reproducibility: mean ARI between the clusters of 5 seeds.
        stability: mean bootstrap ARI at the chosen K; None for the reduction that wasn't recommended.
        silhouette: of its clusters in the scaled features, -1 to 1.
        usefulness: eta squared of later churn by cluster on units outside the fit; None without an outcome.
        seconds: wall time of one fit of the reference rows.
    """

    method: Method
    components: int
    faithfulness: Faithfulness
    reproducibility: float
    stability: float | None
    silhouette: float
    usefulness: float | None
    seconds: float


def fit_pca(values: Floats, *, share: float = VARIANCE_SHARE, rng: np.random.Generator | None = None) -> Pca:
    """PCA with as many components as explain this share of the variance, at least two where there are two features.

    Args:
        values: rows x features.
        share: of the variance, 0 to 1.
        rng: draws the parallel analysis; None skips it (`parallel` is then 0).
    """
    centre = values.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(values, rowvar=False))
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1].T
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])
    vectors = vectors * signs[:, None]
    explained = variances / (variances.sum() or 1.0)
    needed = int(np.searchsorted(np.cumsum(explained), share - 1e-12)) + 1
    keep = min(max(2, needed), len(variances))
    parallel = 0 if rng is None else _parallel(values, variances, rng)
    return Pca(centre, np.ascontiguousarray(vectors[:keep]), tuple(map(float, explained[:keep])), parallel)


def _parallel(values: Floats, variances: Floats, rng: np.random.Generator) -> int:
    """Number of leading components above the 95 % point of data with independently shuffled columns (Horn 1965)."""
    draws = [
        np.linalg.eigvalsh(np.cov(rng.permuted(values, axis=0), rowvar=False))[::-1] for _ in range(PARALLEL_DRAWS)
    ]
    above = variances > np.quantile(draws, 0.95, axis=0)
    return int(np.argmin(above)) if not above.all() else len(above)


def exact_product(left: Floats, right: Floats) -> Floats:
    """A matrix product summed in a fixed order: each row's result doesn't depend on the number of rows."""
    product = np.zeros((len(left), right.shape[1]))
    for column, weights in enumerate(right):
        product += left[:, column, None] * weights
    return product


def squared_distances(values: Floats, centres: Floats) -> Floats:
    """Rows x centres, summed in a fixed order like `exact_product`."""
    distances = np.zeros((len(values), len(centres)))
    for column in range(values.shape[1]):
        distances += (values[:, column, None] - centres[:, column]) ** 2
    return distances


def embed_umap(
    values: Floats,
    *,
    seed: int,
    components: int | None = None,
    neighbours: int = UMAP_NEIGHBOURS,
    min_dist: float = 0.0,
) -> Floats:
    """A UMAP embedding: for clustering by default, for a chart with 2 components and some `min_dist`.

    A seed forces one thread, else results aren't reproducible; with several workers the fit runs in another process.
    Initialised by PCA, since preserving global structure is largely an effect of initialisation (Kobak and Linderman
    2021). Source: McInnes, Healy, Melville 2018.
    """
    wanted = min(UMAP_COMPONENTS, values.shape[1]) if components is None else components
    return elsewhere(
        fit_umap,
        values,
        n_neighbors=min(neighbours, len(values) - 1),
        min_dist=min_dist,
        n_components=min(wanted, len(values) - 2),
        n_epochs=UMAP_EPOCHS,
        random_state=seed,
    )


def compile_all() -> None:
    """Warm the numba cache of UMAP on disk (saves half a minute per process)."""
    _umap()


def fit_umap(values: Floats, *, init: str = UMAP_START, **options: Any) -> Floats:
    """A UMAP embedding in this process, with the library's own names of options; on one thread."""
    return _fit(_umap(), values, init=init, **options)


@cache
def _umap() -> Any:
    """Import UMAP under a lock, so that processes that start together don't all compile it for half a minute."""
    with one_compiles("umap"):
        import umap

        _keep_on_disk(umap)
        rows = np.random.default_rng(1).standard_normal((60, 5))
        _fit(umap, rows, init=UMAP_START, n_neighbors=NEIGHBOURS, n_epochs=1, random_state=1)
    return umap


def _fit(umap: Any, values: Floats, *, n_neighbors: int, **options: Any) -> Floats:
    """With the exact neighbours: the library's own search calls Python for each pair of up to 4,095 rows (ten seconds),
    and compiles for half a minute in each process that has more."""
    from sklearn.neighbors import NearestNeighbors

    # Each row is its own first neighbour; the types are those that UMAP compiles for.
    distances, places = NearestNeighbors(n_neighbors=n_neighbors).fit(values).kneighbors(values)
    near = (places.astype(np.int32), distances.astype(np.float32), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns about the intended single thread
        model = umap.UMAP(n_neighbors, n_jobs=1, precomputed_knn=near, **options)
        return np.asarray(model.fit_transform(values), dtype=np.float64)


def _keep_on_disk(umap: Any) -> None:
    """Cache UMAP's compiled functions on disk (`NUMBA_CACHE_DIR`); by default few of them are cached."""
    from numba.core.registry import CPUDispatcher

    for module in (umap.layouts, umap.umap_, umap.utils, umap.distances, umap.spectral):
        for member in vars(module).values():
            if isinstance(member, CPUDispatcher) and not member.signatures:
                try:
                    member.enable_caching()
                except RuntimeError:  # no writable folder: compile for this process only
                    return


def embed_tsne(values: Floats, *, seed: int) -> Floats:
    """A t-SNE embedding in two columns, for a chart only: distances between groups are meaningless."""
    return elsewhere(_fit_tsne, values, seed=seed)


def _fit_tsne(values: Floats, *, seed: int) -> Floats:
    from openTSNE import TSNE

    perplexity = min(30.0, (len(values) - 1) / 3)
    model = TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=1)
    return np.asarray(model.fit(values), dtype=np.float64)


def draw(values: Floats, units: Ints, *, seed: int) -> dict[str, Picture]:
    """Charts' coordinates of these rows; `units` are the units' indices, in the same order, and may be longer."""
    points = calls(
        lambda _: fit_pca(values).project(values)[:, :2],
        lambda _: embed_umap(values, seed=seed, components=2, min_dist=0.1),
        lambda _: embed_tsne(values, seed=seed),
    )
    rows = units[: len(values)]
    return {name: Picture(rows, coordinates) for name, coordinates in zip(("pca", "umap", "tsne"), points, strict=True)}


def faithfulness(values: Floats, embedding: Floats, *, rng: np.random.Generator) -> Faithfulness:
    """Faithfulness of an embedding of these rows; quadratic in rows, so pass at most about 5,000."""
    from scipy.stats import spearmanr
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    k = min(NEIGHBOURS, (len(values) - 1) // 2)
    near = [
        NearestNeighbors(n_neighbors=k).fit(space).kneighbors(return_distance=False) for space in (values, embedding)
    ]
    overlap = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)])
    first, second = rng.integers(0, len(values), size=(2, DISTANCE_PAIRS))
    first, second = first[first != second], second[first != second]
    gaps = [np.linalg.norm(space[first] - space[second], axis=1) for space in (values, embedding)]
    return Faithfulness(
        float(trustworthiness(values, embedding, n_neighbors=k)),
        float(trustworthiness(embedding, values, n_neighbors=k)),
        float(overlap),
        float(spearmanr(*gaps).statistic),
    )


def eta_squared(outcome: Floats, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float | None:
    """Share of the outcome's variance between clusters, 0 to 1; None where the outcome is constant.

    Units without an outcome (NaN) don't count.
    """
    known = ~np.isnan(outcome)
    outcome, labels = outcome[known], labels[known]
    if len(outcome) < 2 or np.ptp(outcome) == 0:
        return None
    sizes = np.bincount(labels)
    means = np.bincount(labels, weights=outcome) / np.maximum(sizes, 1)
    between = float((sizes * (means - outcome.mean()) ** 2).sum())
    return between / float(((outcome - outcome.mean()) ** 2).sum())


def recommend(pca: ScorecardRow, umap: ScorecardRow) -> tuple[Method, str]:
    """The reduction to use and why: ``stability``, ``usefulness``, or ``tie`` (PCA: exact, and places new units).

    The one that is more reproducible by over .05; else the one with more eta squared by over .01; else PCA.
    """
    gap = umap.reproducibility - pca.reproducibility
    if abs(gap) > STABILITY_TIE:
        return (Method.UMAP if gap > 0 else Method.PCA), "stability"
    if pca.usefulness is not None and umap.usefulness is not None:
        more = umap.usefulness - pca.usefulness
        if abs(more) > USEFULNESS_TIE:
            return (Method.UMAP if more > 0 else Method.PCA), "usefulness"
    return Method.PCA, "tie"
