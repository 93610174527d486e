"""K-means, K, stability and the null: known truths, rules on both sides of their limits."""

from dataclasses import replace

import numpy as np
import pytest

from segments.search import clustering
from segments.search.clustering import KReason, KScore, Standing
from segments.search.features import Floats, Ints
from segments.search.reduction import Method

SCORE = KScore(2, 0.2, 1.0, 10.0, 0.5, 0.01, 0.9, 0.3, True)


def lumps(sizes: tuple[int, ...], *, seed: int = 1, apart: float = 8.0) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = apart * np.eye(max(len(sizes), 4))[truth]
    return centres + rng.standard_normal(centres.shape), truth


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_kmeans__three_lumps__found_and_ordered_by_size(seed: int) -> None:
    values, truth = lumps((50, 200, 100))

    found = clustering.kmeans(values, 3, seed=seed)

    assert np.bincount(found.labels).tolist() == [200, 100, 50]
    assert clustering.agreement(truth, found.labels) == 1.0
    assert np.array_equal(found.predict(values), found.labels)


@pytest.mark.slow
def test_gap__three_lumps__chooses_three_and_one_lump_chooses_one() -> None:
    three, one = lumps((100, 100, 100))[0], lumps((300,))[0]

    found = [clustering.gap_choice(clustering.gap_statistic(values, range(1, 6), seed=1)) for values in (three, one)]

    assert found == [3, 1]


@pytest.mark.parametrize(("next_gap", "choice"), [(0.60, 2), (0.6001, None)])
def test_gap_choice__both_sides_of_the_rule(next_gap: float, choice: int | None) -> None:
    assert clustering.gap_choice({1: (0.0, 0.0), 2: (0.5, 0.1), 3: (next_gap, 0.1)}) == choice


def test_best_jaccard__by_hand() -> None:
    original, new = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 0, 0])

    # Cluster 0 against new 1: 2 of 3; cluster 1 against new 0: 2 of 4; cluster 2: 1 of 4.
    assert clustering.best_jaccard(original, new, 3) == pytest.approx([2 / 3, 1 / 2, 1 / 4])


@pytest.mark.parametrize(
    ("jaccard", "expected"),
    [(0.75, Standing.STABLE), (0.7499, Standing.PATTERN), (0.6, Standing.PATTERN), (0.5999, Standing.DISSOLVES)],
)
def test_standing__both_sides_of_each_limit(jaccard: float, expected: Standing) -> None:
    assert clustering.standing(jaccard) is expected


@pytest.mark.slow
def test_bootstrap__lumps_and_one_lump_cut_in_five__stable_and_not() -> None:
    apart, one = lumps((100, 100, 100))[0], lumps((300,))[0]

    found = []
    for values, k in ((apart, 3), (one, 5)):
        base = {k: clustering.kmeans(values, k, seed=1).labels}
        found.append(clustering.bootstrap(values, Method.PCA, [k], base, resamples=10, seed=1)[k])

    assert found[0].mean_ari == pytest.approx(1.0)
    assert min(found[0].jaccard) == pytest.approx(1.0)
    assert found[1].mean_ari < 0.6


@pytest.mark.parametrize(
    ("ari", "sizes", "admissible"), [(0.80, (98, 2), True), (0.7999, (98, 2), False), (0.80, (99, 1), False)]
)
def test_admissible__both_sides_of_each_limit(ari: float, sizes: tuple[int, int], admissible: bool) -> None:
    values = np.random.default_rng(1).standard_normal((100, 2))
    labels = np.repeat([0, 1], sizes)
    stability = {2: clustering.Stability((ari,), (1.0, 1.0))}

    (score,) = clustering.score_ks(values, {2: labels}, stability, {2: (0.0, 0.0)})

    assert score.admissible is admissible


def test_choose_k__gap_if_admissible_else_the_largest_else_none() -> None:
    scores = [SCORE, replace(SCORE, k=3), replace(SCORE, k=4, admissible=False)]
    none = [replace(score, admissible=False) for score in scores]

    found = [
        clustering.choose_k(scores, 2),
        clustering.choose_k(scores, 4),
        clustering.choose_k(scores, 1),
        clustering.choose_k(none, 2),
        clustering.choose_k(none, 2, given=7),
    ]

    assert [(choice.k, choice.reason) for choice in found] == [
        (2, KReason.GAP),
        (3, KReason.LARGEST_ADMISSIBLE),
        (3, KReason.LARGEST_ADMISSIBLE),
        (None, KReason.NONE_ADMISSIBLE),
        (7, KReason.GIVEN),
    ]


def test_copula__draw__keeps_margins_and_rank_correlation() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    first = rng.gamma(2.0, 1.0, 4_000)
    columns = np.column_stack([first, rng.poisson(first), rng.standard_normal(4_000)])

    drawn = clustering.copula(columns)(np.random.default_rng(2))

    assert drawn.mean(axis=0) == pytest.approx(columns.mean(axis=0), abs=0.1)
    assert set(np.unique(drawn[:, 1])) <= set(np.unique(columns[:, 1]))
    assert spearmanr(drawn).statistic == pytest.approx(spearmanr(columns).statistic, abs=0.05)


def test_null__observed_among_its_draws__p_counts_ties_and_needs_19_draws() -> None:
    values = np.random.default_rng(1).standard_normal((60, 3))

    def redraw(_: np.random.Generator) -> Floats:
        return values

    same = clustering.silhouette(values, clustering.kmeans(values, 2, seed=1).labels)
    low, high = (
        clustering.compare_with_null(observed, redraw, Method.PCA, 2, draws=19, seed=1) for observed in (-1.0, same + 1)
    )

    assert (low.p_value, high.p_value) == (1.0, 0.05)
    assert (low.percentile, high.percentile) == (0.0, 1.0)
    with pytest.raises(ValueError, match="19"):
        clustering.compare_with_null(0.0, redraw, Method.PCA, 2, draws=18, seed=1)
