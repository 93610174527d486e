"""Which number a unit draws and which arm owns it: public vectors, the twins over many units, uniformity."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.draw.bucketing import bucket_ranges, choose, unit_hash
from experiments.draw.many_units import choose_all, read_units, unit_hashes

MILLION = 1_000_000
SHAPES = {
    "uuid": lambda n: [str(uuid.UUID(int=(i * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128)) for i in range(n)],
    "number": lambda n: [str(i) for i in range(n)],
    "mail": lambda n: [f"player-{i}@example.com" for i in range(n)],
}


# Source: GrowthBook's SDK specification 0.8.0, cases.json, section "hash": all fifteen.
@pytest.mark.parametrize(
    ("seed", "unit", "version", "expected"),
    [
        ("", "a", 1, 0.22),
        ("", "b", 1, 0.077),
        ("b", "a", 1, 0.946),
        ("ef", "d", 1, 0.652),
        ("asdf", "8952klfjas09ujk", 1, 0.549),
        ("", "123", 1, 0.011),
        ("", '___)((*":&', 1, 0.563),
        ("seed", "a", 2, 0.0505),
        ("seed", "b", 2, 0.2696),
        ("foo", "ab", 2, 0.2575),
        ("foo", "def", 2, 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 2, 0.124),
        ("90850943850283058242805", "123", 2, 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 2, 0.0128),
        # not of the specification: seen with both of GrowthBook's SDKs
        ("seed", "abc", 2, 0.8181),
        ("seed", "한글", 2, 0.3713),
        ("seed", "😀", 2, 0.4346),
        ("9f2c41d07ab3", "user-1", 2, 0.6863),
    ],
)
def test_unit_hash__of_a_public_vector__is_that_number(seed: str, unit: str, version: int, expected: float) -> None:
    assert unit_hash(seed, unit, version=version) == expected
    assert unit_hashes(seed, read_units([unit]), version=version).tolist() == [expected]


def test_unit_hash__of_an_unknown_version__is_refused() -> None:
    with pytest.raises(ValueError, match="99"):  # the fifteenth public vector
        unit_hash("abc", "def", version=99)
    with pytest.raises(ValueError, match="99"):
        unit_hashes("abc", read_units(["def"]), version=99)


@given(st.text(), st.lists(st.text()), st.sampled_from([1, 2]))
def test_unit_hashes__of_any_text__equal_unit_hash(seed: str, units: list[str], version: int) -> None:
    expected = [unit_hash(seed, unit, version=version) for unit in units]

    assert unit_hashes(seed, read_units(units), version=version).tolist() == expected


def test_unit_hashes__of_odd_ids__equal_unit_hash() -> None:
    units = ["", "a", "a\0", "\0", "한글", "한글😀\0", "\ud800", "x" * 256, "😀", *(str(n) for n in range(20_000))]

    assert unit_hashes("s", read_units(units)).tolist() == [unit_hash("s", unit) for unit in units]


# Source: GrowthBook's SDK specification, section "getBucketRange", rounded there to six places.
@pytest.mark.parametrize(
    ("count", "coverage", "weights", "expected"),
    [
        (2, 1, None, [(0, 0.5), (0.5, 1)]),
        (2, 0.5, None, [(0, 0.25), (0.5, 0.75)]),
        (2, 0, None, [(0, 0), (0.5, 0.5)]),
        (4, 1, None, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
        (2, 1, [0.4, 0.6], [(0, 0.4), (0.4, 1)]),
        (3, 1, [0.33, 0.33, 0.34], [(0, 0.33), (0.33, 0.66), (0.66, 1)]),
        (2, 0.2, [0.4, 0.6], [(0, 0.08), (0.4, 0.52)]),
    ],
)
def test_bucket_ranges__of_a_public_vector__are_those(
    count: int, coverage: float, weights: list[float] | None, expected: list[tuple[float, float]]
) -> None:
    ranges = bucket_ranges(count, coverage, weights)

    assert [(round(low, 6), round(high, 6)) for low, high in ranges] == expected


@pytest.mark.parametrize(
    ("coverage", "weights"),
    [(1.0001, None), (-0.0001, None), (1, [0.5]), (1, [0.5, 0.4999]), (1, [0.5, 0.5001]), (1, [1.5, -0.5])],
)
def test_bucket_ranges__that_sdks_would_change_in_silence__are_refused(
    coverage: float, weights: list[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"needed|between"):
        bucket_ranges(2, coverage, weights)


@pytest.mark.parametrize(
    ("n", "expected"), [(0.0, 0), (0.2499, 0), (0.25, None), (0.4999, None), (0.5, 1), (0.75, None)]
)
def test_choose__at_the_edge_of_a_range__takes_the_lower_and_not_the_upper(n: float, expected: int | None) -> None:
    ranges = bucket_ranges(2, 0.5)

    assert choose(n, ranges) == expected
    assert choose_all(np.array([n]), ranges).tolist() == [-1 if expected is None else expected]


@given(st.floats(0, 0.9999), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=5))
def test_choose_all__of_overlapping_ranges__takes_the_first(n: float, ranges: list[tuple[float, float]]) -> None:
    chosen = choose(n, ranges)

    assert choose_all(np.array([n]), ranges).tolist() == [-1 if chosen is None else chosen]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_draws__of_a_million_ids__are_uniform_and_independent_and_grow_with_coverage(shape: str) -> None:
    units = read_units(SHAPES[shape](MILLION))

    first, second = unit_hashes("9f2c41d07ab3", units), unit_hashes("layer:onboarding", units)

    counts = np.bincount(np.round(first * 10_000).astype(int), minlength=10_000)
    assert stats.chisquare(counts).pvalue > 0.001
    table = np.histogram2d(first, second, bins=10, range=[[0, 1], [0, 1]])[0]
    assert stats.chi2_contingency(table, correction=False).pvalue > 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / MILLION**0.5
    before = np.full(MILLION, -1, dtype=np.int16)
    for coverage in (0.1, 0.35, 0.8, 1.0):
        now = choose_all(first, bucket_ranges(3, coverage, [0.34, 0.33, 0.33]))
        assert (now[before >= 0] == before[before >= 0]).all()
        assert abs((now >= 0).mean() - coverage) < 4 * (coverage * (1 - coverage) / MILLION) ** 0.5 + 0.0002
        before = now
