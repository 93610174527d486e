"""A table that fills in: its places and classes are there before its numbers."""

from reporting.table import GrowingTable


def test_table__numbers_and_wide_columns__have_their_classes_before_any_number() -> None:
    table = GrowingTable(
        "Users", ("who", "users", "gap"), (("new", None, None),), "", frozenset({1, 2}), frozenset({2})
    )

    assert table.heads == [("who", ""), ("users", "end"), ("gap", "end wide")]
    assert table.cells == [[("new", False), (None, True), (None, True)]]
