"""Answers by number become arrays in the order of the ids, whatever order the engine has numbered the units in."""

import numpy as np
import pyarrow as pa
import pytest

from events.windows import Window
from segments.search.gather import Counts, Numbers, half_tables, whole_table

USERS = pa.table({"user_id": ["b", "a", "\u00e9"], "unit": [2, 0, 1], "complete_days": [30, 20, 10]})
ACTIVITY = pa.table({"unit": [2], "active_days": [3], "sessions": [4], "last_day": [5], "second": [1]})
ROWS = pa.table({"unit": [2, 2], "place": [0, 1], "n": [6, 2], "second": [1, 2]})


def test_tables__halves__have_their_own_denominator_and_add_up() -> None:
    numbers = Numbers.of(USERS)
    counts = Counts.of(ROWS.to_batches(max_chunksize=1), numbers, 2)

    whole = whole_table(numbers, ACTIVITY, counts.whole, ["x", "y"], Window(0, 6))
    first, second = half_tables(whole, numbers.spread(ACTIVITY, "second"), counts.second)

    assert list(whole.unit_ids) == ["a", "b", "\u00e9"]
    assert whole.tenure.tolist() == [20, 30, 10]
    assert whole.counts.tolist() == [[0, 0], [6, 2], [0, 0]]
    assert (whole.active_days[1], first.active_days[1], second.active_days[1]) == (3, 2, 1)
    assert (first.counts + second.counts).tolist() == whole.counts.tolist()
    assert whole.recency.tolist() == [7, 1, 7]
    assert first.sessions[1] / first.active_days[1] == pytest.approx(4 / 3) == second.sessions[1]


def test_spread__no_row__is_what_was_said_to_be_missing() -> None:
    found = Numbers.of(USERS).spread(pa.table({"unit": [1], "retained": [1.0]}), "retained", missing=np.nan)

    assert np.array_equal(found, [np.nan, np.nan, 1.0], equal_nan=True)


def test_numbers_of__rows_of_the_arrays__are_the_warehouse_s_numbers() -> None:
    assert Numbers.of(USERS).numbers_of(np.array([2, 0, 1])).tolist() == [1, 0, 2]
