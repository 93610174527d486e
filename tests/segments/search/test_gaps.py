"""Gaps between neighbouring clusters: two hills, one hill cut in two, and who counts as a neighbour."""

import numpy as np
import pytest

from segments.search import clustering
from segments.search.clustering import NULL_LEVEL, STABLE_ARI
from segments.search.features import UnitTable, learn_features, relearn
from segments.search.gaps import GAP_LEVEL, Gap, Shape, find_gaps, neighbours, shape_of
from segments.search.reduction import Method, fit_pca
from stats.results import NotComputable
from tests.segments.make import world_table

# A segmentation with fewer rows and draws than its defaults.
K_ROWS, KS = 2_000, (1, 2, 3, 4, 5, 6)
RESAMPLES, NULL_DRAWS, NULL_ROWS = 5, 19, 1_000


def hills(distance: float, *, seed: int = 1, rows: int = 1_500, columns: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], rows)
    values = rng.normal(size=(2 * rows, columns))
    values[:, 0] += distance * labels
    return values, labels


@pytest.mark.slow
def test_gaps__two_hills__are_groups() -> None:
    values, labels = hills(5.0)

    found = find_gaps(values, labels, np.ones(len(labels)))

    assert [(gap.first, gap.second, gap.units, gap.found) for gap in found] == [(0, 1, 1_000, True)]
    assert shape_of(found, clusters_found=True) is Shape.GROUPS


@pytest.mark.slow
@pytest.mark.parametrize("columns", [2, 40])
def test_gaps__one_hill_cut_in_two__is_a_continuum_however_many_columns(columns: int) -> None:
    values, _ = hills(0.0, columns=columns)
    labels = (values[:, 0] > 0).astype(np.int64)

    found = find_gaps(values, labels, np.ones(len(labels)))

    assert [gap.found for gap in found] == [False]
    assert shape_of(found, clusters_found=True) is Shape.STYLES


def test_gaps__noise_with_as_many_columns_as_units__parts_nothing() -> None:
    """A line learnt on the units that it judges would part them: the labels are told apart in hindsight."""
    rng = np.random.default_rng(5)
    values, labels = rng.normal(size=(300, 60)), rng.integers(0, 2, 300)

    assert not find_gaps(values, labels, rng.random(300))[0].found


def test_gaps__most_active_third__is_what_is_looked_at() -> None:
    values, labels = hills(5.0)
    activity = np.arange(len(labels), dtype=float) % 3
    blurred = values + np.random.default_rng(2).normal(0.0, 3.0, values.shape) * (activity < 2)[:, None]

    found = find_gaps(blurred, labels, activity)

    assert (found[0].units, found[0].found) == (1_000, True)
    assert not find_gaps(blurred, labels, -activity)[0].found


def test_gaps__many_units__two_thousand_are_enough() -> None:
    values, labels = hills(5.0, rows=4_000)

    assert find_gaps(values, labels, np.ones(len(labels)))[0].units == 2_000


def test_gaps__rows_without_a_cluster_and_a_lone_cluster__are_left_out() -> None:
    values, labels = hills(5.0)

    assert find_gaps(values, np.where(labels == 1, -1, 0), np.ones(len(labels))) == ()
    skipped = find_gaps(values, np.where(labels == 1, 4, 0), np.ones(len(labels)))
    assert [(gap.first, gap.second) for gap in skipped] == [(0, 4)]


def test_neighbours__each_pair_of_which_one_is_the_nearest() -> None:
    centres = np.array([[0.0], [1.0], [3.0], [10.0]])

    assert neighbours(centres) == ((0, 1), (1, 2), (2, 3))
    assert neighbours(centres[:1]) == ()


@pytest.mark.slow
def test_holm__several_pairs__is_over_all_of_them() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(3_000, 2))
    values[1_000:2_000, 0] += 6
    values[2_000:, 1] += 6

    found = find_gaps(values, np.repeat([0, 1, 2], 1_000), np.ones(3_000))

    assert all(gap.adjusted_p >= gap.p_value for gap in found)
    assert [gap.p_value for gap in found] == [0.001] * len(found)
    assert max(gap.adjusted_p for gap in found) == pytest.approx(0.001 * len(found))


@pytest.mark.parametrize(
    ("p_values", "found", "shape"),
    [
        ((GAP_LEVEL, 0.001), True, Shape.GROUPS),
        ((GAP_LEVEL + 1e-9, 0.001), True, Shape.STYLES),
        ((), True, Shape.STYLES),
        ((0.001,), False, Shape.NONE),
    ],
)
def test_shape__at_the_threshold_and_beyond(p_values: tuple[float, ...], found: bool, shape: Shape) -> None:
    gaps = [Gap(0, place + 1, 100, 0.05, p, p) for place, p in enumerate(p_values)]

    assert shape_of(gaps, clusters_found=found) is shape


def shape_found(world: str, seed: int) -> Shape:
    """The segmentation's steps on one world: features, PCA, K, stability, null, gaps."""
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


@pytest.mark.slow
@pytest.mark.parametrize(("world", "shape"), [("styles", Shape.STYLES), ("planted_groups", Shape.GROUPS)])
def test_gaps__simulated_worlds__are_what_they_are(world: str, shape: Shape) -> None:
    """Version 0.3 called users spread evenly over mixes of three styles clusters, every time."""
    assert shape_found(world, 1) is shape
