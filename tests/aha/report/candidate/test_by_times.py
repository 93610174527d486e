"""A, B and C by number of times."""

from aha.report.cells import by_times_table, cell_map, cells_by_times
from tests.aha.make_report import candidate, report


def test_splits__only_the_candidates_days__shares_of_the_union() -> None:
    rows = cells_by_times(cell_map(report(), candidate()), candidate())

    assert [row.times for row in rows] == [1, 2, 3]
    assert [row.union for row in rows] == [700, 550, 460]
    table = by_times_table(rows, candidate())
    assert [row[0] for row in table.rows] == ["1", "2 ◆", "3"]
    assert table.rows[1][2] == "250 (45%)"
