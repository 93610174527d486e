"""The four counts of a cell."""

from aha.report.cells import four_counts


def test_four_counts__empty_union__leaves_shares_out() -> None:
    table = four_counts(0, 0, 0, 10)

    assert [row[2] for row in table.rows] == ["", "0.0% (0.0\u00a0to\u00a027.8)", "", "", "", "", ""]
