"""Hartigan's dip: the published value, values of the R package's C code, and what must hold for any sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.search.gaps import dip, dip_p_value

# Quality of 63 statistics departments, from Hartigan and Hartigan 1985, as R's diptest 0.77 ships it (`statfaculty`).
FACULTY = (
    30,
    33,
    35,
    36,
    37,
    37,
    39,
    39,
    39,
    39,
    39,
    40,
    40,
    40,
    40,
    41,
    42,
    43,
    43,
    43,
    44,
    44,
    45,
    45,
    46,
    46,
    47,
    47,
    48,
    48,
    48,
    49,
    50,
    50,
    51,
    52,
    52,
    53,
    53,
    53,
    53,
    53,
    54,
    54,
    57,
    57,
    59,
    60,
    60,
    60,
    61,
    61,
    61,
    61,
    62,
    62,
    62,
    62,
    63,
    66,
    70,
    72,
    72,
)


def test_dip__published_example__is_the_published_value() -> None:
    assert len(FACULTY) == 63
    assert dip(np.array(FACULTY, dtype=float)) == pytest.approx(0.05952381, abs=1e-8)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        # diptest 0.12.0 (the C code of R's package), run once in an environment of its own
        ([0.129, 0.499, 0.601, 0.029, 0.148, 0.928, 0.07], 0.1106906338694418),
        (
            [-0.056, 0.747, -1.847, 1.567, -0.096, 0.68, -0.137, -0.379, 0.463, 0.825, -0.203, -0.153],
            0.0981838819523269,
        ),
        ([0.686, -0.87, -1.514, 0.395, -0.671, 3.08, 4.186, 4.532, 3.807, 3.508, 5.037], 0.11843511299323227),
        ([3.0, 1.0, 2.0, 1.0, 0.0, 0.0, 3.0, 3.0, 1.0, 1.0, 0.0, 0.0, 3.0, 2.0], 0.14285714285714285),
    ],
)
def test_dip__small_samples__are_those_of_the_c_code(values: list[float], wanted: float) -> None:
    assert dip(np.array(values)) == pytest.approx(wanted, abs=1e-12)


def test_dip__two_far_points__is_as_large_as_a_dip_can_be() -> None:
    assert dip(np.array([0.0] * 50 + [1.0] * 50)) == pytest.approx(0.25)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf]])
def test_dip__no_numbers__is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="numbers only"):
        dip(np.array(values))


samples = st.lists(st.integers(-30, 30), min_size=1, max_size=60)


@given(values=samples, scale=st.sampled_from([0.25, 2.0, 8.0]), shift=st.integers(-5, 5))
def test_dip__moved_scaled_or_mirrored__is_the_same(values: list[int], scale: float, shift: int) -> None:
    x = np.array(values, dtype=float)
    found = dip(x)

    assert 1 / (2 * len(x)) - 1e-12 <= found <= 0.25 or len(x) == 1
    assert dip(scale * x + shift) == pytest.approx(found, abs=1e-12)
    assert dip(-x) == pytest.approx(found, abs=1e-12)


@pytest.mark.slow
def test_p_value__uniform_samples__is_uniform() -> None:
    rng = np.random.default_rng(7)

    found = np.array([dip_p_value(dip(rng.random(200)), 200) for _ in range(400)])

    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=0.033)  # three standard errors
    assert (found <= 0.5).mean() == pytest.approx(0.5, abs=0.075)


@pytest.mark.slow
def test_p_value__published_critical_value__is_five_percent() -> None:
    # Hartigan and Hartigan 1985, table 1: the upper 5 % point of the dip of 200 uniform values is .037
    assert dip_p_value(0.037, 200) == pytest.approx(0.05, abs=0.02)
    assert dip_p_value(0.037 / 2, 800) == pytest.approx(0.05, abs=0.03)


@pytest.mark.slow
def test_p_value__two_hills__is_small_and_one_hill_large() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=1_500), np.concatenate([rng.normal(size=750), rng.normal(4, 1, 750)])

    assert dip_p_value(dip(one), 1_500) > 0.5
    assert dip_p_value(dip(two), 1_500) == 0.001
