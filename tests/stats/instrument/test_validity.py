"""The instrument inequalities from rows, counts and moments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.cells import cross_counts, joint_of_counts, mean_of_product
from stats.instrument.validity import inequalities_from_counts, inequalities_from_moments, instrument_inequalities
from stats.multiplicity import holm
from stats.results import NotComputable, Reason
from stats.summaries import Joint, Mean
from tests.stats.make import computed

TABLES = st.lists(st.integers(0, 60), min_size=4, max_size=4).map(lambda c: np.array(c).reshape(2, 2))


def rows(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(outcome bin, behaviour) per unit."""
    bins, did = np.indices(counts.shape)
    flat = counts.ravel()
    return np.repeat(bins.ravel(), flat).astype(float), np.repeat(did.ravel(), flat).astype(float)


def by_hand(control: np.ndarray, variant: np.ndarray) -> list[float]:
    """The one-sided p-values written out with the n-1 variance of each cell's indicator."""
    found = []
    for value in range(len(control)):
        for did, sign in ((1, -1), (0, 1)):
            zero, one = (Mean.from_counts(int(t[value, did]), int(t.sum())) for t in (control, variant))
            error = (zero.variance / zero.n + one.variance / one.n) ** 0.5
            if error > 0:
                found.append(float(stats.norm.sf(sign * (one.mean - zero.mean) / error)))
    return found


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(TABLES, TABLES)
def test_inequalities__any_counts__rows_counts_and_moments_agree(control: np.ndarray, variant: np.ndarray) -> None:
    if min(control.sum(), variant.sum()) < 2:
        return
    expected = by_hand(control, variant)
    (r0, d0), (r1, d1) = rows(control), rows(variant)
    r, d, nudged = np.append(r0, r1), np.append(d0, d1), np.arange(len(r0) + len(r1)) >= len(r0)
    answers = (
        instrument_inequalities(r, d, nudged),
        inequalities_from_counts(control, variant),
        inequalities_from_moments(joint_of_counts(control), joint_of_counts(variant)),
    )
    for found in answers:
        if not expected:
            assert found == NotComputable(Reason.NO_VARIANCE)
        else:
            assert computed(found).p_values == pytest.approx(expected, rel=1e-9)
            assert computed(found).p_value == pytest.approx(min(holm(expected)), rel=1e-9)


def test_inequalities__numeric_outcome__bins_give_the_p_of_the_rows() -> None:
    rng = np.random.default_rng(2)
    r, d, nudged = rng.normal(0, 1, 600), (rng.random(600) < 0.4).astype(float), rng.random(600) < 0.5
    codes = np.searchsorted(np.quantile(r, [0.2, 0.4, 0.6, 0.8]), r, side="right")
    tables = np.zeros((2, 5, 2), dtype=int)
    np.add.at(tables, (nudged.astype(int), codes, d.astype(int)), 1)
    assert inequalities_from_counts(*tables) == instrument_inequalities(r, d, nudged)


def test_inequalities__direct_effect_on_those_who_did_not__is_found_in_that_cell() -> None:
    found = computed(inequalities_from_counts([[500, 0], [500, 0]], [[250, 100], [600, 50]]))
    assert (found.worst, found.p_value < 1e-4) == ((1, 0), True)


def test_inequalities__shapes_and_sizes__are_checked() -> None:
    with pytest.raises(ValueError, match="same shape"):
        inequalities_from_counts([[1, 2], [3, 4]], [[1, 2], [3, 4], [5, 6]])
    few = inequalities_from_counts([[1, 0], [0, 0]], [[5, 5], [5, 5]])
    assert few == NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})
    numeric = Joint.from_columns([[1.5, 0.0], [2.5, 1.0]])
    assert inequalities_from_moments(numeric, numeric) == NotComputable(Reason.NOT_A_PROPORTION)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3_000_000), min_size=4, max_size=4))
def test_counts__of_moments__come_back(counts: list[int]) -> None:
    table = np.array(counts).reshape(2, 2)
    joint = joint_of_counts(table)
    np.testing.assert_array_equal(cross_counts(joint), table)
    # As a warehouse would give them: rounded in the last digits.
    rough = Joint(joint.n, joint.means * (1 - 1e-13), joint.covariance * (1 - 1e-13))
    np.testing.assert_array_equal(cross_counts(rough), table)


def test_counts__of_rows__equal_a_tabulation() -> None:
    rng = np.random.default_rng(3)
    r, d = rng.random(500) < 0.3, rng.random(500) < 0.6
    joint = Joint.from_columns(np.column_stack([r, d]))
    assert mean_of_product(joint) == pytest.approx(float((r & d).mean()))
    np.testing.assert_array_equal(
        cross_counts(joint), [[(~r & ~d).sum(), (~r & d).sum()], [(r & ~d).sum(), (r & d).sum()]]
    )
    with pytest.raises(ValueError, match="2 x 2"):
        joint_of_counts([[1, -1], [2, 2]])
