"""Rank measures against pair-by-pair counting and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from segments.search.ranks import auc, placements, spearman, standardised_difference

SAMPLE = st.lists(st.integers(-3, 6), min_size=2, max_size=25)


@given(first=SAMPLE, second=SAMPLE)
@settings(deadline=None)
def test_auc__any_samples__is_the_share_of_pairs_won(first: list[int], second: list[int]) -> None:
    scores = np.array(first + second, dtype=float)
    outcome = np.arange(len(scores)) >= len(first)

    found = auc([scores], outcome)

    won = np.mean([(b > a) + (b == a) / 2 for a in first for b in second])
    assert found.estimate == pytest.approx(won)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


@pytest.mark.slow
def test_auc__against_scikit_learn_and_a_bootstrap() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    outcome = rng.random(400) < 0.3
    scores = np.round(rng.normal(size=400) + outcome, 1)

    found = auc([scores], outcome)

    drawn = []
    for _ in range(400):
        rows = rng.integers(400, size=400)
        drawn.append(roc_auc_score(outcome[rows], scores[rows]))
    assert found.estimate == pytest.approx(roc_auc_score(outcome, scores))
    assert found.standard_error == pytest.approx(np.std(drawn), rel=0.15)


def test_auc__two_repeats__mean_of_both() -> None:
    outcome = np.array([False, False, True, True])
    right, wrong = np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1])

    assert auc([right], outcome).estimate == 1
    assert auc([right, wrong], outcome).estimate == 0.5


def test_auc__one_unit_on_a_side__raises() -> None:
    with pytest.raises(ValueError, match="two units"):
        auc([np.arange(3.0)], np.array([True, False, False]))


def test_placements__ties__count_half() -> None:
    assert placements(np.array([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 2.0])).tolist() == pytest.approx([1 / 3, 5 / 6, 0])


def test_standardised_difference__by_hand() -> None:
    # Means 1 and 3, both variances 2.
    assert standardised_difference(np.array([0.0, 2]), np.array([2.0, 4])) == pytest.approx(2 / np.sqrt(2))
    assert standardised_difference(np.array([1.0, 1]), np.array([1.0, 1])) is None


def test_spearman__as_scipy() -> None:
    x, y = np.array([3.0, 1, 1, 7, 5]), np.array([2.0, 2, 1, 9, 4])

    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
