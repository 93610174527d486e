"""Convert the counts of a study to the columns, weeks and histograms of its report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from aha.evidence.retention_curve import DayCount
from aha.study.cells import Cells, Column, Grid, beats_everybody, measure, phi_limits
from aha.study.grid import Flags, Floats, Ints
from aha.study.null import Null
from aha.study.numbers import Interval
from aha.study.result import NullPicture, Population, Week, WeekCell
from stats.results import NotComputable, Reason, computable
from stats.score import wilson_limits

type Dates = npt.NDArray[np.datetime64]

MONDAY = np.datetime64("1970-01-05", "D")


def grid_columns(
    cells: Cells, luck: Null | NotComputable, active: Null | NotComputable, *, rng: np.random.Generator
) -> Grid:
    """Every cell with its metrics, per-cell intervals and adjusted p-values of both nulls."""
    measured = measure(cells, *phi_limits(*cells.counts, rng=rng))
    columns = {
        f"{name}{limit}": column
        for name, parts in measured.items()
        for limit, column in zip(("", "_low", "_high"), parts, strict=False)
    }
    nothing = np.full(cells.size, np.nan)
    for name, null in (("luck", luck), ("active", active)):
        columns[f"p_{name}"], columns[f"z_{name}"] = (null.adjusted_p, null.z) if computable(null) else (nothing,) * 2
    shown: dict[str, Any] = {
        field.name: _column(columns[field.name]) for field in fields(Grid) if field.name in columns
    }
    return Grid(**asdict(cells), **shown, beats_everybody=tuple(beats_everybody(measured)))


def null_picture(null: Null | NotComputable) -> NullPicture | NotComputable:
    """The histogram of the largest |z| under the null beside that of the data."""
    if not computable(null):
        return null
    edges, counts = null.histogram()
    observed = float(np.nanmax(np.abs(null.z)))
    return NullPicture(
        null.by_activity, null.permutations, null.tested, tuple(edges), tuple(counts), observed, null.smallest_p
    )


def mondays(dates: Dates) -> Ints:
    """Number of each local date's week (weeks begin on Monday), comparable between studies."""
    return np.asarray((dates.astype("datetime64[D]") - MONDAY).astype(np.int64) // 7)


def week_name(number: int) -> str:
    """The Monday of a week as an ISO date."""
    return str(MONDAY + np.timedelta64(7 * number, "D"))


def weeks(week: Ints, retained: Flags) -> tuple[Week, ...]:
    """Retention by signup week."""
    rows = []
    for number in np.unique(week):
        mine = retained[week == number]
        rows.append(
            Week(week_name(int(number)), int(mine.size), int(mine.sum()), wilson_interval(mine.sum(), mine.size))
        )
    return tuple(rows)


def week_cells(week: Ints, retained: Flags, did: Flags) -> tuple[WeekCell, ...]:
    """Counts of one cell by signup week."""
    numbers, place = np.unique(week, return_inverse=True)
    sums = [
        np.bincount(place.reshape(-1), weights=part, minlength=numbers.size)
        for part in (np.ones(week.size), retained, did, did & retained)
    ]
    return tuple(
        WeekCell(week_name(int(number)), *(int(part[row]) for part in sums)) for row, number in enumerate(numbers)
    )


def wilson_interval(part: int, whole: int) -> Interval:
    """A share of a whole above 0 with its interval."""
    low, high = wilson_limits(part, whole)
    return Interval(float(part) / float(whole), float(low), float(high))


def who_counts(signups: int, excluded: dict[str, int], retained: Flags, dates: Dates) -> Population:
    """The population record; `retained` and `dates` (of signup, local) have one entry per eligible unit."""
    eligible, stayed = retained.size, int(retained.sum())
    return Population(
        signups=signups,
        eligible=eligible,
        excluded=excluded,
        retained=stayed,
        rate=wilson_interval(stayed, eligible) if eligible else NotComputable(Reason.NO_DATA),
        first_signup=str(dates.min()) if eligible else None,
        last_signup=str(dates.max()) if eligible else None,
    )


def curve_of_all(curve: Mapping[str, tuple[DayCount, ...]]) -> tuple[DayCount, ...]:
    """Sum of the segments' curves: the segments don't overlap."""
    days: dict[int, tuple[int, int]] = {}
    for rows in curve.values():
        for row in rows:
            active, units = days.get(row.day, (0, 0))
            days[row.day] = (active + row.active, units + row.units)
    return tuple(DayCount(day, *days[day]) for day in sorted(days))


def _column(values: Floats | Sequence[float]) -> Column:
    return tuple(None if value != value else float(value) for value in np.asarray(values, dtype=np.float64).tolist())
