"""The whole run: planted groups are found, a cloud is called a cloud, new units are placed alike."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reporting import document as records
from segments.search import clustering, reduction
from segments.search.features import learn_features
from segments.search.placement import FittedModel, by_classifier, by_projection
from segments.search.reduction import Method
from segments.search.segmentation import Options, Segmentation, segment
from stats.results import NotComputable, Reason
from tests.marks import first_in_ci
from tests.segments.make import world_table


def placed_alike(model: FittedModel, units: int = 500) -> None:
    table, _ = world_table("planted_groups", seed=9, units=units)
    read = records.load(FittedModel, json.loads(json.dumps(records.dump(model))))
    assert read == model
    bulk = model.place(table)
    for row in range(0, units, 7):
        one = read.place(table.take(np.array([row])))
        assert (one.labels[0], one.distances[0], one.unlike[0]) == (
            bulk.labels[row],
            bulk.distances[row],
            bulk.unlike[row],
        )
    assert set(bulk.labels[table.active_days < 3]) == {-1}
    assert not bulk.unlike[table.active_days < 3].any()


def test_projection_model__new_units__same_answer_one_by_one_in_bulk_and_after_json() -> None:
    table, _ = world_table("planted_groups", seed=1, units=3_000)
    table = table.take(table.active_days >= 3)
    found = learn_features(table)
    assert not isinstance(found, NotComputable)
    values = found.preparation.apply(table).values
    pca = reduction.fit_pca(values)
    clusters = clustering.kmeans(pca.project(values), 4, seed=1)

    model = by_projection(found.preparation, values, pca, clusters)

    assert np.array_equal(model.place(table).labels, clusters.labels)
    assert 0.005 <= model.place(table).unlike.mean() <= 0.015
    placed_alike(model)


@pytest.mark.slow
def test_classifier_model__new_units__same_answer_one_by_one_in_bulk_and_after_json() -> None:
    table, _ = world_table("planted_groups", seed=1, units=3_000)
    table = table.take(table.active_days >= 3)
    found = learn_features(table)
    assert not isinstance(found, NotComputable)
    values = found.preparation.apply(table).values
    labels = clustering.kmeans(values, 3, seed=1).labels

    model = by_classifier(found.preparation, values, labels, seed=1)

    assert model.fidelity is not None
    assert 0.8 < model.fidelity < 1.0
    assert clustering.agreement(model.place(table).labels, labels) > model.fidelity - 0.1
    placed_alike(model, units=200)


def test_fitted_model__another_version__is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        FittedModel(None, Method.PCA, (), 1.0, version=2)  # type: ignore[arg-type]


def test_segment__too_few_active_units__says_why() -> None:
    table, _ = world_table("planted_groups", seed=1, units=100)

    found = segment(table)

    assert isinstance(found, NotComputable)
    assert found.reason is Reason.TOO_FEW_ACTIVE_UNITS


# Of 2,000 rows the gap sees three of the four groups.
QUICK = {"reference_rows": 3_000, "refit_rows": 600, "umap_rows": 3_000, "measure_rows": 1_000, "resamples": (10, 4)}


def run(world: str, seed: int, **more: object) -> tuple[Segmentation, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    table, simulation = world_table(world, seed=seed)
    # Fewer seeds and dots than by default: no clusters are chosen by them.
    options = replace(Options(seed=seed, seeds=2, reference_rows=3_000, picture_rows=400, null_draws=(19, 19)), **more)  # type: ignore[arg-type]
    found = segment(table, outcome=1.0 - simulation.retained.astype(np.float64), options=options)
    assert isinstance(found, Segmentation)
    return found, simulation.people.group.astype(np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("options", first_in_ci([QUICK, {"reference_rows": 5_000}]))
def test_segment__planted_groups__four_found(options: dict[str, object]) -> None:
    found, truth = run("planted_groups", 1, **options)

    known = found.labels >= 0
    assert (found.k, found.clusters_found) == (4, True)
    assert clustering.agreement(truth[known], found.labels[known]) >= 0.8
    assert found.sizes == tuple(sorted(found.sizes, reverse=True))
    assert len(found.labels) == sum(found.sizes) + found.too_little_data
    assert [row.method for row in found.scorecard] == [Method.PCA, Method.UMAP]


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize("seed", [1, 2])
def test_segment__blob__no_stable_clusters(seed: int) -> None:
    found, _ = run("blob", seed)

    assert not found.clusters_found


@pytest.mark.slow
@pytest.mark.proof
def test_segment__on_umap__places_units_by_a_faithful_classifier() -> None:
    found, truth = run(
        "planted_groups", 2, method=Method.UMAP, refit_rows=1_000, umap_rows=4_000, resamples=(10, 5), clusters=4
    )

    assert found.method_reason in ("given", "fidelity")
    assert (found.model.fidelity is not None) is (found.method is Method.UMAP)
    known = found.labels >= 0
    assert clustering.agreement(truth[known], found.labels[known]) >= 0.7
