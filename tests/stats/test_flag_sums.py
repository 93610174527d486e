"""Sums by compiled loops: the same as plain products and plain counting."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from stats import flag_sums
from stats.flag_sums import first_of_each_stratum, sums_over_groups, tosses_by_group


def groups(rng: np.random.Generator, units: int) -> sparse.csr_array:
    return sparse.csr_array((rng.random((12, units)) < 0.6).astype(np.float64))


@pytest.mark.parametrize("largest", [1, 7, 255])
def test_sums_over_groups__more_units_than_a_byte_holds__equal_the_product(largest: int) -> None:
    rng = np.random.default_rng(largest)
    members, values = groups(rng, 2_000), rng.integers(0, largest + 1, (2_000, 5)).astype(np.uint8)
    values[0] = largest

    found = sums_over_groups(members.indptr, members.indices, values)

    assert_array_equal(found, members @ values.astype(np.float64))
    assert found.max() > 255


def test_sums_over_groups__an_empty_group__is_zero() -> None:
    found = sums_over_groups(
        np.array([0, 0, 1], dtype=np.int32), np.zeros(1, dtype=np.int32), np.ones((1, 2), dtype=np.uint8)
    )

    assert_array_equal(found, [[0, 0], [1, 1]])


def test_first_of_each_stratum__orders__the_first_ones_of_each() -> None:
    rng = np.random.default_rng(4)
    code, orders = rng.integers(0, 6, 300), np.array([rng.permutation(300) for _ in range(9)], dtype=np.int32)
    kept = np.array([0, 1, 5, 20, 1_000, 7])

    found = first_of_each_stratum(orders, code, kept)

    for column, order in enumerate(orders):
        for stratum, number in enumerate(kept):
            members = order[code[order] == stratum]
            assert_array_equal(found[members, column], np.arange(members.size) < number)


def test_tosses_by_group__coins_below_the_chance__counted_per_group() -> None:
    rng = np.random.default_rng(5)
    coins, chance = rng.random((400, 11), dtype=np.float32), rng.random(7, dtype=np.float32)
    group = rng.integers(0, 7, 400)

    found = tosses_by_group(coins, chance, group, 7)

    below = coins < chance[group][:, None]
    assert_array_equal(found, np.array([below[group == number].sum(axis=0) for number in range(7)]))


def test_loops__in_plain_python__give_the_same() -> None:
    rng = np.random.default_rng(6)
    members, values = groups(rng, 50), rng.integers(0, 2, (50, 3)).astype(np.uint8)
    slow = np.zeros((12, 3), dtype=np.int32)

    flag_sums._add_groups(members.indptr, members.indices, values, 255, slow)

    assert_array_equal(slow, sums_over_groups(members.indptr, members.indices, values))


def test_compile_all__runs() -> None:
    flag_sums.compile_all()

    assert flag_sums._compiled(flag_sums._add_groups).signatures
