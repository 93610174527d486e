"""A fitted segmentation as a JSON-serialisable record that places units, with the same result one at a time or in bulk.

PCA: prepare, project, nearest centroid. UMAP: a LightGBM classifier of the labels, stored as LightGBM's text format; no
pickles, which run code when they are loaded, and no `UMAP.transform`, which is only approximate.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from runs.parallel import each
from runs.progress import Progress
from segments.search.clustering import Clusters, Stability, embed, kmeans
from segments.search.features import Flags, Floats, Ints, Preparation, UnitTable
from segments.search.reduction import Method, Pca, exact_product, fit_pca, squared_distances

type Rows = tuple[tuple[float, ...], ...]

TOO_LITTLE_DATA = -1
UNLIKE_QUANTILE = 0.99
MIN_FIDELITY = 0.90
FOLDS = 3
VERSION = 1
BOOSTER = {
    "objective": "multiclass",
    "learning_rate": 0.15,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS = 80


@dataclass(frozen=True)
class Placement:
    """Clusters of units; one entry per unit.

    Attributes:
        labels: the cluster, 0 the largest at the time of the fit; -1 for too little data.
        distances: to the nearest cluster's centre in the scaled features.
        unlike: farther than 99 % of the training units from any centre: "unlike any segment".
    """

    labels: Ints
    distances: Floats
    unlike: Flags


@dataclass(frozen=True)
class FittedModel:
    """All constants for placing units; `reporting.document` stores it as JSON, including LightGBM's text.

    Attributes:
        preparation: from counts to scaled features.
        method: the reduction the clusters were found in.
        centres: clusters x features, means of the training units in the scaled features.
        cutoff: the 99 % point of the training units' distances to the nearest centre.
        components: PCA only, components x features.
        offset: PCA only, the features' means.
        centroids: PCA only, clusters x components.
        classifier: UMAP only, LightGBM's text form.
        fidelity: UMAP only, out-of-fold agreement of the classifier with the clusters, 0 to 1.
    """

    preparation: Preparation
    method: Method
    centres: Rows
    cutoff: float
    components: Rows | None = None
    offset: tuple[float, ...] | None = None
    centroids: Rows | None = None
    classifier: str | None = None
    fidelity: float | None = None
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise ValueError(f"a fitted model of version {self.version} can't be used, only {VERSION}")

    def place(self, table: UnitTable) -> Placement:
        """The cluster of every unit of the table."""
        labels, distances = np.empty(len(table), dtype=np.int64), np.empty(len(table))
        centres = np.array(self.centres)
        for rows, part in table.blocks():
            values = self.preparation.apply(part).values
            labels[rows] = self.labels_of(values)
            distances[rows] = np.sqrt(squared_distances(values, centres).min(axis=1))
        labels[~self.preparation.enough(table)] = TOO_LITTLE_DATA
        return Placement(labels, distances, (distances > self.cutoff) & (labels != TOO_LITTLE_DATA))

    def labels_of(self, values: Floats) -> Ints:
        """The cluster of rows of scaled features."""
        if self.components is not None and self.offset is not None and self.centroids is not None:
            space = exact_product(values - np.array(self.offset), np.array(self.components).T)
            return np.asarray(squared_distances(space, np.array(self.centroids)).argmin(axis=1), dtype=np.int64)
        if len(values) == 0:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self._booster.predict(values, num_threads=1).argmax(axis=1), dtype=np.int64)

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.classifier)


def fit_model(preparation: Preparation, values: Floats, method: Method, k: int, *, seed: int) -> FittedModel:
    """Cluster these training rows under a reduction, and return a model that places units."""
    if method is Method.PCA:
        pca = fit_pca(values)
        return by_projection(preparation, values, pca, kmeans(pca.project(values), k, seed=seed))
    clusters = kmeans(embed(values, method, seed=seed), k, seed=seed)
    return by_classifier(preparation, values, clusters.labels, seed=seed)


def in_order_of(model: FittedModel, values: Floats, labels: Ints, stability: Stability) -> Stability:
    """The per-cluster stability of clusters of these rows, in the order of the model's labels (Hungarian matching)."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((len(model.centres), len(stability.jaccard)))
    np.add.at(table, (model.labels_of(values), labels), 1)
    ours, theirs = linear_sum_assignment(-table)
    place = dict(zip(ours.tolist(), theirs.tolist(), strict=True))
    return Stability(stability.ari, tuple(stability.jaccard[place[label]] for label in sorted(place)))


def by_projection(preparation: Preparation, values: Floats, pca: Pca, clusters: Clusters) -> FittedModel:
    """The model of clusters found on PCA coordinates; `values` are the training rows."""
    centres, cutoff = _centres(values, clusters.labels)
    return FittedModel(
        preparation,
        Method.PCA,
        centres,
        cutoff,
        components=_rows(pca.components),
        offset=tuple(map(float, pca.centre)),
        centroids=_rows(clusters.centroids),
    )


def by_classifier(preparation: Preparation, values: Floats, labels: Ints, *, seed: int) -> FittedModel:
    """The model of clusters found on a UMAP embedding: a classifier of their labels; check its `fidelity`."""
    import lightgbm

    options = BOOSTER | {"num_class": int(labels.max()) + 1, "seed": seed}
    fold = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    agreed = np.zeros(len(labels), dtype=bool)

    def fit(number: int, _: Progress) -> Any:
        train, test = fold != number, fold == number
        booster = lightgbm.train(options, lightgbm.Dataset(values[train], labels[train]), num_boost_round=ROUNDS)
        if test.any():
            agreed[test] = np.asarray(booster.predict(values[test], num_threads=1)).argmax(axis=1) == labels[test]
        return booster

    *_, booster = each(range(FOLDS + 1), fit)  # the last one is fitted on all units and isn't evaluated
    centres, cutoff = _centres(values, labels)
    return FittedModel(
        preparation, Method.UMAP, centres, cutoff, classifier=booster.model_to_string(), fidelity=float(agreed.mean())
    )


def _centres(values: Floats, labels: Ints) -> tuple[Rows, float]:
    centres = np.array([values[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])
    nearest = np.sqrt(squared_distances(values, centres).min(axis=1))
    return _rows(centres), float(np.quantile(nearest, UNLIKE_QUANTILE))


def _rows(matrix: Floats) -> Rows:
    return tuple(tuple(map(float, row)) for row in matrix)
