"""The warehouse's answers about numbered units as arrays, in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from events.windows import Window
from segments.search.features import Floats, Ints, UnitTable

if TYPE_CHECKING:
    import pyarrow as pa

Whole = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Which row of the arrays a unit's number is: engines put texts into different orders, the arrays know only one.

    Attributes:
        ids: the units' ids, in their order.
        place: the row of each number.
        tenure: complete days since the anchor, by row.
    """

    ids: Any
    place: Ints
    tenure: Floats

    def __len__(self) -> int:
        return len(self.place)

    @classmethod
    def of(cls, rows: pa.Table) -> Numbers:
        """From ``user_id, unit, complete_days``, one row per unit."""
        rows = rows.sort_by("user_id")
        place = np.empty(len(rows), dtype=np.int64)
        place[rows["unit"].to_numpy()] = np.arange(len(rows))
        return cls(rows["user_id"].to_numpy(), place, rows["complete_days"].to_numpy().astype(np.float64))

    def numbers_of(self, rows: Ints) -> Whole:
        """The numbers of the units of these rows."""
        number = np.empty(len(self), dtype=np.int32)
        number[self.place] = np.arange(len(self), dtype=np.int32)
        return number[rows]

    def spread(self, rows: pa.Table, name: str, *, missing: float = 0.0) -> Floats:
        """A column of an answer by row; units that have none are given `missing`."""
        found = np.full(len(self), missing)
        found[self.place[rows["unit"].to_numpy()]] = rows[name].to_numpy()
        return found


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each unit did each behaviour, units x behaviours, in all and in the second half of its days."""

    whole: Whole
    second: Whole

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], numbers: Numbers, behaviours: int) -> Counts:
        """From the rows of `queries.pattern`; without halves `second` stays 0."""
        whole, second = (np.zeros((len(numbers), behaviours), dtype=np.int32) for _ in range(2))
        for rows in batches:
            cells = numbers.place[rows["unit"].to_numpy()], rows["place"].to_numpy()
            whole[cells] = rows["n"].to_numpy()
            if "second" in rows.schema.names:
                second[cells] = rows["second"].to_numpy()
        return cls(whole, second)


def whole_table(
    numbers: Numbers, activity: pa.Table, counts: Whole, behaviours: Sequence[str], window: Window
) -> UnitTable:
    """All units on all days of the window.

    Args:
        numbers: the units.
        activity: the rows of `queries.activity`.
        counts: units x behaviours.
        behaviours: their text forms.
        window: with an end; `recency` of a quiet unit is the whole of it.
    """
    end = window.end_day or 0
    return UnitTable(
        numbers.ids,
        tuple(behaviours),
        counts,
        numbers.spread(activity, "active_days"),
        numbers.spread(activity, "sessions"),
        numbers.tenure,
        end - numbers.spread(activity, "last_day", missing=end - len(window)),
    )


def half_tables(whole: UnitTable, second_days: Floats, second_counts: Whole) -> tuple[UnitTable, UnitTable]:
    """The two halves of the days of some units.

    Args:
        whole: these units on all days.
        second_days: how many of each one's active days lie in the second half.
        second_counts: units x behaviours, on those days.

    Each half has its own active days, and sessions in proportion to them: its sessions per day would come out twice as
    many otherwise.
    """
    return (
        _half(whole, whole.active_days - second_days, whole.counts - second_counts),
        _half(whole, second_days, second_counts),
    )


def _half(whole: UnitTable, days: Floats, counts: Any) -> UnitTable:
    sessions = whole.sessions * days / np.maximum(whole.active_days, 1)
    return UnitTable(whole.unit_ids, whole.behaviours, counts, days, sessions, whole.tenure, whole.recency)
