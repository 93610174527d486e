"""Circles whose areas are the counts."""

from math import hypot, pi

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aha.report.venn_page import HEIGHT, WIDTH, overlap, venn, venn_cell
from tests.aha.make_report import report


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
@example(0, 2, 589_833)  # a circle of a fifth of a pixel: to hundredths, its area was 4 % off
def test_venn__any_counts__areas_in_proportion_inside_the_picture(a: int, b: int, c: int) -> None:
    made = venn(a, b, c)

    did, stayed = made.did, made.stayed
    for circle in (did, stayed):
        assert circle.x - circle.radius >= 0
        assert circle.x + circle.radius <= WIDTH
        assert 2 * circle.radius <= HEIGHT
    largest = max(did.radius, stayed.radius)
    if a + b and b + c:
        assert did.radius**2 * (a + b) == pytest.approx(stayed.radius**2 * (b + c), rel=0.01, abs=largest * 10)
        shared = overlap(did.radius, stayed.radius, hypot(did.x - stayed.x, did.y - stayed.y))
        assert shared / (pi * largest**2) == pytest.approx(b / max(a + b, b + c), abs=0.01)


@pytest.mark.parametrize(
    ("counts", "letters", "lens"),
    [
        ((100, 100, 100), "CBA", True),
        ((100, 0, 100), "CA", False),
        ((0, 100, 100), "CB", True),
        ((100, 100, 0), "BA", True),
        ((0, 100, 0), "B", True),
        ((0, 0, 0), "", False),
    ],
)
def test_venn__empty_regions__have_no_letter(counts: tuple[int, int, int], letters: str, lens: bool) -> None:
    made = venn(*counts)

    assert "".join(letter.text for letter in made.letters) == letters
    assert bool(made.both) is lens


@pytest.mark.parametrize(
    ("r", "s", "distance", "area"), [(1, 1, 2, 0), (1, 1, 0, pi), (2, 1, 1, pi), (1, 1, 1, 2 * pi / 3 - 3**0.5 / 2)]
)
def test_overlap__known_lenses(r: float, s: float, distance: float, area: float) -> None:
    assert overlap(r, s, distance) == pytest.approx(area, abs=1e-12)


def test_venn_cell__known_cell__counts_and_choices() -> None:
    cell = venn_cell(report(), "friend_add", 3, 2)

    assert cell is not None
    assert (cell.all_days, cell.all_times) == ((1, 3), (1, 2, 3))
    assert [row[1] for row in cell.table.rows[3:]] == ["150", "250", "150", "450"]


@pytest.mark.parametrize(
    ("behaviour", "days", "found"), [("nonsense", 3, None), ("friend_add", 9, None), ("rotate", 1, 3)]
)
def test_venn_cell__unknown_or_invalid__is_none_and_times_beyond_take_the_nearest(
    behaviour: str, days: int, found: int | None
) -> None:
    cell = venn_cell(report(), behaviour, days, 99)

    assert (None if cell is None else cell.times) == found
