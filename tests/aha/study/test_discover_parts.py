"""Columns, attributes and the dose curve of a report, on rows that can be counted by hand."""

import numpy as np
import pytest

from aha.study.discover import dose_curve
from aha.study.grid import count_cells, levels
from aha.study.ranking import attributes_of
from aha.study.report_columns import grid_columns, mondays, week_cells, week_name, weeks
from stats.results import NotComputable, Reason
from tests.aha.make import table_of

NOTHING = NotComputable(Reason.NO_DATA)


def test_mondays__dates_of_two_weeks__are_numbered_from_monday() -> None:
    dates = np.array(["2026-01-04", "2026-01-05", "2026-01-11", "2026-01-12"], dtype="datetime64[D]")

    numbers = mondays(dates)

    assert (numbers - numbers[0]).tolist() == [0, 1, 1, 2]
    assert [week_name(int(number)) for number in numbers] == ["2025-12-29", "2026-01-05", "2026-01-05", "2026-01-12"]


def test_weeks__hand_counted__shares_and_cells() -> None:
    week, retained, did = np.array([0, 0, 0, 1]), np.array([1, 0, 1, 0]) > 0, np.array([1, 1, 0, 0]) > 0

    rows, cells = weeks(week, retained), week_cells(week, retained, did)

    assert [(row.units, row.retained, row.share.estimate) for row in rows] == [(3, 2, 2 / 3), (1, 0, 0.0)]
    assert [(row.units, row.retained, row.reached, row.reached_retained) for row in cells] == [
        (3, 2, 2, 1),
        (1, 0, 0, 0),
    ]


def test_grid__a_cell_without_doers__has_none_where_nothing_can_be_said() -> None:
    table = table_of([[0], [1], [1]], [1, 1, 0])
    cells = count_cells(levels(table, [(1, 2)]), table.retained)

    grid = grid_columns(cells, NOTHING, NOTHING, rng=np.random.default_rng(0))

    assert (grid.a, grid.b, grid.c, grid.o) == ((1, 2), (1, 0), (1, 0), (0, 1))
    assert grid.ppv == (0.5, None)
    assert grid.difference[1] is None
    assert grid.phi[1] is None
    assert grid.j == (1 / 3, 0.0)
    assert grid.p_luck == grid.z_active == (None, None)
    assert grid.beats_everybody == (False, False)


def test_attributes__kinds__names_constants_and_rare_values_tell_nothing() -> None:
    rows = [
        {"platform": "ios" if k % 3 == 0 else "android", "name": f"n{k}", "app": 1, "rare": k < 2, "half": k < 50}
        for k in range(300)
    ]

    found = attributes_of(rows)

    assert found.names == ("half=True", "platform=ios")
    assert found.values.shape == (300, 2)
    assert found.values.sum(axis=0).tolist() == [50, 100]


@pytest.mark.parametrize(("values", "kept"), [(20, 19), (21, 0)])
def test_attributes__number_of_values__twenty_are_kept(values: int, kept: int) -> None:
    assert len(attributes_of([{"x": k % values} for k in range(40 * values)]).names) == kept


def test_attributes__missing_in_some__is_a_value_of_its_own() -> None:
    found = attributes_of([{"x": "a"}, {"x": "a"}, {}])

    assert found.names == ("x=",)
    assert found.values[:, 0].tolist() == [0, 0, 1]


def test_attributes__nothing__no_columns() -> None:
    assert attributes_of([{}, {}]).values.shape == (2, 0)


def test_dose__tail_below_twenty_units__is_one_point_for_so_often_or_more() -> None:
    counts = [0] * 100 + [1] * 50 + [2] * 15 + [3] * 5 + [9] * 4
    table = table_of([[count] for count in counts], [k % 4 == 0 for k in range(len(counts))])

    points = dose_curve(table, "x", 1).points

    assert [(point.count, point.last, point.units) for point in points] == [
        (0, False, 100),
        (1, False, 50),
        (2, True, 24),
    ]
    assert points[0].share == 0.25
    assert points[0].low < 0.25 < points[0].high
    assert points[0].smooth is not None  # five different counts: more than twice the two smooth terms


def test_dose__seven_different_counts__has_the_smooth_curve() -> None:
    rng = np.random.default_rng(2)
    counts = rng.poisson(2.0, 2_000)
    table = table_of([[count] for count in counts], list(rng.random(2_000) < 0.1 + 0.05 * counts))

    points = dose_curve(table, "x", 1).points

    assert all(point.smooth is not None and abs(point.smooth - point.share) < 0.12 for point in points)
