"""Drift: the index by hand and at its thresholds, migration, matching of centroids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.published.drift import (
    ABSENT,
    TOO_LITTLE_DATA,
    UNLIKE_ANY,
    Drift,
    Match,
    bin_counts,
    decile_edges,
    drift_code,
    feature_drift,
    match_centroids,
    migration,
    stability_index,
)
from stats.results import NotComputable, Reason, computable


def test_stability_index__by_hand() -> None:
    found = stability_index(np.array([500, 500]), np.array([750, 250]))

    # (.5 - .75) ln(.5 / .75) + (.5 - .25) ln(.5 / .25) = .101366 + .173287
    assert computable(found)
    assert found.value == pytest.approx(0.274653, abs=1e-6)
    assert found.code is Drift.REFIT
    assert found.by_chance == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("value", "code"),
    [(0.0, "stable"), (0.0999, "stable"), (0.1, "watch"), (0.2499, "watch"), (0.25, "refit"), (9.0, "refit")],
)
def test_drift_code__at_the_thresholds(value: float, code: str) -> None:
    assert drift_code(value) == code


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=10).filter(lambda counts: sum(counts) >= 300),
    st.randoms(use_true_random=False),
)
def test_stability_index__any_counts__is_symmetric_and_not_negative(counts: list[int], random: object) -> None:
    before = np.array(counts) * 10
    after = np.array(random.sample(counts, len(counts))) * 10  # type: ignore[attr-defined]

    one, two = stability_index(before, after), stability_index(after, before)

    assert computable(one)
    assert computable(two)
    assert one.value == pytest.approx(two.value)
    assert one.value >= 0
    same = stability_index(before, before)
    assert computable(same)
    assert same.value == 0


def test_stability_index__empty_bin__finite() -> None:
    found = stability_index(np.array([1000, 0]), np.array([500, 500]))

    assert computable(found)
    assert found.value == pytest.approx(0.5 * np.log(2) + 0.4999 * np.log(5000), abs=1e-3)


@pytest.mark.parametrize(("n", "refused"), [(20, True), (21, False)])
def test_stability_index__so_few_that_chance_reaches_the_threshold__refused(n: int, refused: bool) -> None:
    found = stability_index(np.array([n - 10, 10]), np.array([n - 10, 10]))

    assert (isinstance(found, NotComputable) and found.reason is Reason.TOO_FEW_FOR_DRIFT) is refused


def test_stability_index__no_units_or_other_bins() -> None:
    assert stability_index(np.array([0, 0]), np.array([1, 2])) == NotComputable(Reason.NO_DATA)
    assert stability_index(np.array([5]), np.array([5])) == NotComputable(Reason.NO_DATA)
    with pytest.raises(ValueError, match="bins differ"):
        stability_index(np.array([1, 2]), np.array([1, 2, 3]))


def test_stability_index__no_drift__mean_is_the_chance_value() -> None:
    rng = np.random.default_rng(1)
    shares = np.array([0.4, 0.3, 0.2, 0.1])

    draws = [stability_index(rng.multinomial(2000, shares), rng.multinomial(1000, shares)) for _ in range(400)]

    values = [draw.value for draw in draws if computable(draw)]
    assert np.mean(values) == pytest.approx(3 * (1 / 2000 + 1 / 1000), rel=0.15)


def test_deciles__continuous__tenths_and_ties__fewer_bins() -> None:
    continuous = np.arange(1000.0)
    mostly_zero = np.repeat([0.0, 1, 2], [700, 200, 100])

    assert bin_counts(continuous, decile_edges(continuous)).tolist() == [100] * 10
    assert decile_edges(mostly_zero) == (0, 1)
    assert bin_counts(mostly_zero, decile_edges(mostly_zero)).tolist() == [700, 200, 100]
    assert bin_counts(np.array([-5.0, 0, 0.5, 1, 9]), (0.0, 1.0)).tolist() == [2, 2, 1]


def test_feature_drift__one_feature_moved__is_the_one_found() -> None:
    rng = np.random.default_rng(2)
    then, now = rng.normal(size=(5000, 2)), rng.normal(size=(4000, 2)) + np.array([0, 0.7])
    edges = [decile_edges(then[:, j]) for j in range(2)]
    counts = [bin_counts(then[:, j], edges[j]) for j in range(2)]

    still, moved = feature_drift(counts, now, edges)

    assert computable(still)
    assert computable(moved)
    assert (still.code, moved.code) == (Drift.STABLE, Drift.REFIT)


def test_migration__every_kind_of_state__counted_on_fingers() -> None:
    before = np.array([0, 0, 0, 1, 1, UNLIKE_ANY, ABSENT, ABSENT, TOO_LITTLE_DATA])
    after = np.array([0, 0, 1, 1, ABSENT, 0, 1, TOO_LITTLE_DATA, 1])

    found = migration(before, after)

    assert found.states == (0, 1, UNLIKE_ANY, TOO_LITTLE_DATA, ABSENT)
    assert found.counts == ((2, 1, 0, 0, 0), (0, 1, 0, 0, 1), (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 1, 0, 1, 0))
    assert found.stayed == 0.75


def test_migration__renamed_clusters__nobody_stayed_but_rand_is_one() -> None:
    before = np.array([0, 0, 1, 1, 2])

    found = migration(before, (before + 1) % 3)

    assert (found.stayed, found.adjusted_rand) == (0, 1)


def test_migration__no_unit_in_a_cluster_both_times__has_a_reason() -> None:
    found = migration(np.array([0, ABSENT]), np.array([ABSENT, 0]))

    assert found.stayed == found.adjusted_rand == NotComputable(Reason.NO_DATA)
    with pytest.raises(ValueError, match="same units"):
        migration(np.array([0]), np.array([0, 1]))


@pytest.mark.parametrize(("moved", "keeps"), [(2.0, True), (2.01, False)])
def test_match_centroids__half_way_to_the_neighbour__decides_the_name(moved: float, keeps: bool) -> None:
    old = np.array([[0.0, 0], [4.0, 0]])
    new = np.array([[4.0, 0], [0.0, moved]])

    first, second = match_centroids(old, new)

    assert first == Match(0, 1, 0.0, 4.0, keeps_name=True)
    assert (second.old, second.distance, second.keeps_name) == (0, moved, keeps)


def test_match_centroids__more_new_than_old__one_has_no_partner() -> None:
    old, new = np.array([[0.0], [10.0]]), np.array([[10.0], [5.0], [0.5]])

    found = match_centroids(old, new)

    assert [(match.old, match.keeps_name) for match in found] == [(1, True), (None, False), (0, True)]


def test_match_centroids__single_cluster__keeps_its_name() -> None:
    assert match_centroids(np.zeros((1, 2)), np.ones((1, 2)))[0].keeps_name
    with pytest.raises(ValueError, match="share a space"):
        match_centroids(np.zeros((1, 2)), np.ones((1, 3)))
