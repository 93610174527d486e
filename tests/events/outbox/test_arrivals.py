"""Arrivals counted in a batch as a whole, beside one row after the other."""

from datetime import UTC, datetime, timedelta

from events.outbox.freshness import Came, counted, counted_in
from events.outbox.rows import to_table

BEGAN = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ROWS = [
    ("1:c:a", BEGAN, BEGAN),
    ("1:s:b", BEGAN + 599 * SECOND, BEGAN + 599 * SECOND - DAY),  # a day before is not late
    ("1:c", BEGAN + 2 * SECOND, BEGAN + 2 * SECOND - DAY - timedelta(microseconds=1)),
    ("1:c:c", BEGAN + 600 * SECOND, BEGAN),
    ("2:s:1:c:d", BEGAN, BEGAN),
    ("assignment:e", BEGAN, BEGAN),
    ("file-1", BEGAN, BEGAN),
    ("1234567890123456789:c:f", BEGAN, BEGAN),
    ("x\n1:c:g", BEGAN, BEGAN),
]


def test_arrivals__of_a_table__are_those_of_its_rows() -> None:
    table = to_table((("u", "e", time, "{}", name, received) for name, received, time in ROWS))

    found = counted_in(table)

    assert found == counted(ROWS)
    assert found == {
        (1, BEGAN): Came(3, 1, BEGAN + 599 * SECOND),
        (1, BEGAN + 600 * SECOND): Came(1, 0, BEGAN + 600 * SECOND),
        (2, BEGAN): Came(1, 0, BEGAN),
    }


def test_arrivals__of_an_empty_table__are_none() -> None:
    assert counted_in(to_table([])) == {}
