"""Interactions of nudges: by hand, against least squares, and their power."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from stats.instrument.nudge_pairs import nudge_pairs, nudge_pairs_of_sets
from stats.results import NotComputable, Reason
from tests.stats.make import computed


def test_pair__four_cells__is_the_difference_in_differences_with_its_error() -> None:
    arms = np.repeat(np.array(list(product([0.0, 1.0], repeat=2))), 40, axis=0)
    outcome = np.concatenate([np.r_[np.ones(ones), np.zeros(40 - ones)] for ones in (10, 12, 16, 30)])

    (pair,) = nudge_pairs(["mail", "push"], outcome, arms)

    change = computed(pair.change)
    shares = np.array([10, 12, 16, 30]) / 40
    assert change.estimate == pytest.approx((30 - 12 - 16 + 10) / 40)
    assert change.standard_error == pytest.approx(float(np.sqrt((shares * (1 - shares) / 39).sum())))
    assert pair.adjusted_p == change.p_value
    # 1.96 + 0.84 errors: the usual factor of 80 % power.
    assert pair.smallest == pytest.approx(2.801585 * change.standard_error, rel=1e-5)


def test_pairs__of_three_nudges__find_the_planted_one_and_share_one_error_rate() -> None:
    rng = np.random.default_rng(5)
    arms = rng.integers(0, 2, (8_000, 3)).astype(float)
    outcome = arms @ [0.1, 0.2, 0.3] + 0.4 * arms[:, 0] * arms[:, 2] + rng.normal(0, 1, 8_000)

    pairs = nudge_pairs(["a", "b", "c"], outcome, arms)

    assert [pair.nudges for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [computed(pair.adjusted_p) < 0.05 for pair in pairs] == [False, True, False]
    assert computed(pairs[1].change).low < 0.4 < computed(pairs[1].change).high
    factor = float(stats.norm.isf(0.05 / 6) + stats.norm.isf(0.2))
    assert computed(pairs[0].smallest) == pytest.approx(factor * computed(pairs[0].change).standard_error)


def test_pair__smallest_detectable_change__is_found_in_80_percent() -> None:
    rng, found, runs = np.random.default_rng(7), 0, 400
    arms = np.repeat(np.array(list(product([0.0, 1.0], repeat=2))), 100, axis=0)
    for _ in range(runs):
        outcome = 0.560 * arms[:, 0] * arms[:, 1] + rng.normal(0, 1, 400)  # 2.8016 times 2/sqrt(100)
        found += computed(nudge_pairs(["a", "b"], outcome, arms)[0].adjusted_p) < 0.05

    assert stats.binomtest(found, runs, 0.8).pvalue > 0.001


def test_pair__users_of_clusters__has_the_error_of_the_clusters() -> None:
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(200), 20)
    arms = rng.integers(0, 2, (200, 2)).astype(float)[groups]
    outcome = rng.normal(0, 1, 200)[groups] + rng.normal(0, 0.1, 4_000)

    alone = computed(nudge_pairs(["a", "b"], outcome, arms)[0].change)
    by_cluster = computed(nudge_pairs(["a", "b"], outcome, arms, clusters=groups)[0].change)

    assert by_cluster.estimate == alone.estimate
    # 20 users of one value each: nearly the square root of 20 times as wide.
    assert by_cluster.standard_error / alone.standard_error == pytest.approx(20**0.5, rel=0.1)


def test_pair__a_cell_below_its_limit_or_without_variance__has_a_reason() -> None:
    arms = np.repeat(np.array(list(product([0.0, 1.0], repeat=2))), 30, axis=0)
    outcome = np.tile([0.0, 1.0], 60)

    assert not isinstance(nudge_pairs(["a", "b"], outcome, arms)[0].change, NotComputable)
    few = nudge_pairs(["a", "b"], outcome[1:], arms[1:])[0]
    assert few.change == few.smallest == NotComputable(Reason.TOO_FEW_UNITS, {"n": 29, "needed": 30})
    assert nudge_pairs(["a", "b"], np.ones(120), arms)[0].change == NotComputable(Reason.NO_VARIANCE)


# ── From summaries of the sets of nudges ──────────────────────────────────────
def of_sets(sets: np.ndarray, place: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inside = [outcome[place == at] for at in range(len(sets))]
    n = np.array([float(len(one)) for one in inside])
    return n, np.array([one.mean() for one in inside]), np.array([one.var(ddof=1) for one in inside])


def test_pairs_of_sets__of_all_sets__are_those_of_the_users() -> None:
    rng = np.random.default_rng(3)
    sets = np.array(list(product([0.0, 1.0], repeat=3)))
    place = rng.integers(0, 8, 3_000)
    outcome = sets[place] @ [0.1, 0.2, 0.3] + 0.5 * sets[place][:, 0] * sets[place][:, 1] + rng.normal(0, 1, 3_000)

    by_sets = nudge_pairs_of_sets(["a", "b", "c"], sets, *of_sets(sets, place, outcome))
    by_users = nudge_pairs(["a", "b", "c"], outcome, sets[place])

    for one, other in zip(by_sets, by_users, strict=True):
        assert one.nudges == other.nudges
        assert computed(one.change).estimate == pytest.approx(computed(other.change).estimate)
        assert computed(one.change).standard_error == pytest.approx(computed(other.change).standard_error)
        assert one.adjusted_p == pytest.approx(other.adjusted_p)


def test_pairs_of_sets__at_most_two_of_three__compares_those_without_the_third() -> None:
    """The third adds 10 and can't be beside both: all users together would give a change of about -5."""
    rng = np.random.default_rng(4)
    sets = np.array([row for row in product([0.0, 1.0], repeat=3) if sum(row) <= 2])
    place = rng.integers(0, 7, 7_000)
    outcome = sets[place] @ [0.0, 0.0, 10.0] + rng.normal(0, 1, 7_000)

    pairs = nudge_pairs_of_sets(["a", "b", "c"], sets, *of_sets(sets, place, outcome))

    assert abs(computed(pairs[0].change).estimate) < 0.25
    assert computed(pairs[0].adjusted_p) > 0.001


def test_pairs_of_sets__one_nudge_at_once__has_nobody_with_both() -> None:
    sets = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    (pair,) = nudge_pairs_of_sets(["a", "b"], sets, np.full(3, 500.0), np.full(3, 0.5), np.full(3, 0.25))

    assert pair.change == NotComputable(Reason.TOO_FEW_UNITS, {"n": 0, "needed": 30})
