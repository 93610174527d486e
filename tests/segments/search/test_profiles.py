"""Profiles: halves, tests that don't dip twice, matching, names."""

import numpy as np
import pytest
from scipy import stats

from segments.search.profiles import Direction, describe, match_halves, profile_clusters, suggest_name
from stats.results import NotComputable, Reason, computable
from tests.segments.worlds import world_matrix

NAMES = ("battle", "craft", "idle")


def halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two groups of battlers and crafters, and what they did on half 2."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    rates = rng.poisson(np.column_stack([2 - labels, 1 + labels, np.ones(n)])).astype(float)
    return labels, rates


def test_profile_clusters__two_groups__describes_each() -> None:
    labels, rates = halves(400, 1)
    retained = np.where(labels == 1, np.arange(400) % 4 < 3, np.arange(400) % 4 < 1)

    found = profile_clusters(
        labels,
        names=NAMES,
        half_labels=1 - labels,  # the clusters of half 1 carry other numbers
        half_rates=rates,
        retained=retained,
        follow_up=((np.arange(400) % 30).astype(np.float64) + 1, np.asarray(~retained, dtype=np.bool_)),
        tenure=np.where(labels == 0, 10.0, 20.0),
    )

    first, second = found.clusters
    assert (first.cluster, first.size, first.share, first.tenure_median) == (0, 200, 0.5, 10)
    assert computable(first.features)
    battle = first.features[0]
    assert battle.median == np.median(rates[labels == 0, 0])
    assert battle.doing == np.mean(rates[labels == 0, 0] > 0)
    assert battle.wasserstein == pytest.approx(stats.wasserstein_distance(rates[labels == 0, 0], rates[labels == 1, 0]))
    assert battle.p_value == stats.ttest_ind(rates[labels == 0, 0], rates[labels == 1, 0], equal_var=False).pvalue
    assert computable(battle.smd)
    assert battle.smd > 0.5
    assert first.name[0] in {("battle", Direction.MORE), ("craft", Direction.LESS)}
    assert computable(first.retained)
    assert computable(first.left)
    assert first.retained.count + first.left.count == 200
    assert first.left.estimate == pytest.approx(1 - first.retained.estimate)
    assert computable(second.survival)
    assert computable(found.agreement)
    assert found.agreement.pairs == ((0, 1), (1, 0))
    assert found.agreement.share == found.agreement.adjusted_rand == 1
    assert computable(found.association)


def test_profile_clusters__nothing_measured_later__says_so() -> None:
    labels, rates = halves(200, 1)

    found = profile_clusters(labels, names=NAMES, half_labels=labels, half_rates=rates)

    missing = NotComputable(Reason.NO_DATA)
    first = found.clusters[0]
    assert found.association == missing
    assert (first.retained, first.left, first.residual, first.survival, first.tenure_median) == (missing,) * 5


def test_profile_clusters__cluster_absent_from_half_one__has_no_features() -> None:
    labels, rates = halves(200, 1)
    labels = np.where(np.arange(200) < 20, 2, labels)
    half = np.where(labels == 2, 0, labels)

    found = profile_clusters(labels, names=NAMES, half_labels=half, half_rates=rates)

    assert [computable(profile.features) for profile in found.clusters] == [True, True, False]
    assert found.clusters[2].name == ()


def test_profile_clusters__half_one_without_clusters__no_features_but_the_rest() -> None:
    labels, rates = halves(200, 1)

    found = profile_clusters(labels, names=NAMES, half_labels=np.full(200, -1), half_rates=rates)

    assert found.agreement == NotComputable(Reason.NO_DATA)
    assert [(profile.size, computable(profile.features)) for profile in found.clusters] == [(100, False)] * 2


def test_profile_clusters__units_in_no_cluster__are_left_out() -> None:
    labels, rates = halves(300, 1)
    labels = np.where(np.arange(300) < 100, -1, labels)

    found = profile_clusters(labels, names=NAMES, half_labels=labels, half_rates=rates)
    alone = profile_clusters(labels[100:], names=NAMES, half_labels=labels[100:], half_rates=rates[100:])

    assert found == alone


def test_profile_clusters__shapes_that_differ__raise() -> None:
    labels, rates = halves(100, 1)

    with pytest.raises(ValueError, match="half 2"):
        profile_clusters(labels, names=NAMES[:2], half_labels=labels, half_rates=rates)


def test_describe__constant_feature__has_a_reason_and_leaves_the_family() -> None:
    labels, rates = halves(200, 2)
    rates[:, 2] = 1

    found = describe(labels, rates, names=NAMES)

    first, second = found[0], found[1]
    assert computable(first)
    assert computable(second)
    assert first[2].smd == first[2].p_value == first[2].adjusted_p_value == NotComputable(Reason.NO_VARIANCE)
    both = (*first[:2], *second[:2])
    tested = np.array([c.p_value for c in both], dtype=float)
    assert [c.adjusted_p_value for c in both] == pytest.approx(stats.false_discovery_control(tested).tolist())


def test_describe__cluster_of_one__has_a_reason() -> None:
    found = describe(np.array([0, 0, 0, 1]), np.zeros((4, 1)), names=("a",))

    assert [found[number] for number in (0, 1)] == [NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})] * 2


def test_suggest_name__many_features__largest_three_by_size_of_difference() -> None:
    labels = np.repeat([0, 1], 500)
    rng = np.random.default_rng(3)
    shifts = np.array([0.1, -0.9, 0.6, 0.3])
    rates = rng.normal(size=(1000, 4)) + np.where(labels[:, None] == 0, shifts, 0)

    found = describe(labels, rates, names=("a", "b", "c", "d"))[0]

    assert computable(found)
    assert suggest_name(found) == (("b", Direction.LESS), ("c", Direction.MORE), ("d", Direction.MORE))


def test_match_halves__more_clusters_than_shown__the_rest_stay_unmatched() -> None:
    shown = np.array([0] * 6 + [1] * 4)
    half = np.array([5, 5, 5, 5, 7, 7, 9, 9, 9, -1])

    found = match_halves(shown, half)

    assert computable(found)
    assert found.pairs == ((5, 0), (9, 1))
    assert found.units == 9
    assert found.share == pytest.approx(7 / 9)
    assert match_halves(shown, np.full(10, -1)) == NotComputable(Reason.NO_DATA)


def test_describe__clusters_formed_from_noise__half_two_rejects_nothing_but_half_one_would() -> None:
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(5)
    one, two = rng.normal(size=(2, 1500, 6))
    labels = KMeans(n_clusters=3, n_init=2, random_state=0).fit_predict(one)
    names = [f"f{j}" for j in range(6)]

    fair, dipped = describe(labels, two, names=names), describe(labels, one, names=names)

    def rejected(found: dict[int, object]) -> int:
        features = [c for contrasts in found.values() if isinstance(contrasts, tuple) for c in contrasts]
        return sum(computable(c.adjusted_p_value) and c.adjusted_p_value < 0.05 for c in features)

    assert rejected(dict(fair)) == 0
    assert rejected(dict(dipped)) > 9


def test_describe__planted_groups__what_each_group_does_comes_first() -> None:
    world = world_matrix("planted_groups", 4000, 2, 28)
    enough = world.active_days >= 3
    rates = world.counts[enough] / world.active_days[enough][:, None]

    found = describe(world.group[enough], rates, names=world.names)

    tops = []
    for group in range(4):
        features = found[group]
        assert computable(features)
        tops.append(suggest_name(features)[0])
    assert tops[:3] == [("craft", Direction.MORE), ("battle", Direction.MORE), ("shop", Direction.MORE)]
    assert tops[3][0] in {"chat", "friend_add"}
