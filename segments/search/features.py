"""From counts to a feature matrix of behaviour per active day, on one scale, without the outcome.

The default pattern is the square root of each behaviour's share of the unit's shrunk daily rates. Differences of such
roots are Hellinger distances between two mixes of play: the amount of play cancels out, and the noise of every column
is equal (about 1/4 per event), so all pattern columns are divided by one common scale. Scaling each column separately
would inflate columns that are mere noise (measured in docs/methods/segments.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stats.results import NotComputable, Reason

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# Counts of a log: integers take half the memory, and sums or shares of them are the same.
type Counts = NDArray[np.float64] | NDArray[np.int32]

MIN_ACTIVE_DAYS = 3
PRIOR_DAYS = 1.0
WINSOR_QUANTILE = 0.995
NEAR_DUPLICATE = 0.95
CORRELATION_ROWS = 20_000
BLOCK_ROWS = 16_384
VERSION = 1
ACTIVITY = ("active_days", "sessions_per_day", "tenure", "recency")


class Drop(StrEnum):
    """Why a behaviour is left out of the features."""

    CONSTANT = "constant"
    NEAR_DUPLICATE = "near_duplicate"
    OUTCOME = "outcome"


@dataclass(frozen=True)
class Dropped:
    """A behaviour left out, with the reason; `of` is the feature that a near-duplicate repeats."""

    name: str
    reason: Drop
    of: str | None = None


@dataclass(frozen=True)
class UnitTable:
    """Counts and activity of units in the window; all arrays have one row per unit.

    Attributes:
        unit_ids: the units' ids.
        behaviours: counted behaviours, one per column of `counts`.
        counts: units x behaviours, number of times in the window.
        active_days: different active days in the window.
        sessions: sessions in the window.
        tenure: complete days since the anchor at the data's end.
        recency: days between the last activity and the window's end, 0 when active on the last day.
    """

    unit_ids: NDArray[np.object_]
    behaviours: tuple[str, ...]
    counts: Counts
    active_days: Floats
    sessions: Floats
    tenure: Floats
    recency: Floats

    def __len__(self) -> int:
        return len(self.unit_ids)

    def take(self, rows: Ints | Flags | slice) -> "UnitTable":
        """These rows only."""
        columns = (self.active_days, self.sessions, self.tenure, self.recency)
        return UnitTable(self.unit_ids[rows], self.behaviours, self.counts[rows], *(column[rows] for column in columns))

    def blocks(self) -> Iterator[tuple[slice, "UnitTable"]]:
        """Blocks of a few thousand rows, in order: features of all rows at once would take gigabytes."""
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            yield rows, self.take(rows)

    def activity(self) -> Floats:
        """Units x `ACTIVITY`."""
        per_day = self.sessions / np.maximum(self.active_days, 1)
        return np.column_stack([self.active_days, per_day, self.tenure, self.recency]).astype(np.float64)


@dataclass(frozen=True)
class FeatureMatrix:
    """Scaled features, one row per unit with enough data.

    Attributes:
        unit_ids: the units.
        names: the columns.
        blocks: ``pattern`` or ``activity`` per column.
        values: units x columns; clustering uses the distance between two rows.
    """

    unit_ids: NDArray[np.object_]
    names: tuple[str, ...]
    blocks: tuple[str, ...]
    values: Floats


@dataclass(frozen=True)
class Preparation:
    """All constants that turn a unit's counts into its row, fitted once; plain floats, so that JSON
    (`reporting.document`) keeps every bit.

    Attributes:
        behaviours: those that became features, in the order of the columns.
        base_rates: population rate per active day of each; thin units are shrunk towards it.
        prior_days: number of days of population behaviour added to each unit.
        caps: the winsorising point per column.
        means: subtracted from each column.
        scales: divisor of each column.
        activity_weight: weight of the activity block in the distance; 0 leaves its columns out.
        min_active_days: units with fewer have too little data.
        version: of this record's schema.
    """

    behaviours: tuple[str, ...]
    base_rates: tuple[float, ...]
    prior_days: float
    caps: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    activity_weight: float
    min_active_days: int
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise ValueError(f"a preparation of version {self.version} can't be used, only {VERSION}")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return self.behaviours + (ACTIVITY if self.activity_weight > 0 else ())

    @property
    def blocks(self) -> tuple[str, ...]:
        """``pattern`` or ``activity`` per column."""
        return ("pattern",) * len(self.behaviours) + ("activity",) * (len(self.names) - len(self.behaviours))

    def enough(self, table: UnitTable) -> Flags:
        """Which units have enough active days for a pattern."""
        return np.asarray(table.active_days >= self.min_active_days)

    def apply(self, table: UnitTable) -> FeatureMatrix:
        """The rows of these units, bit-identical singly or in bulk; `enough` marks those with enough active days."""
        values = _raw(
            table,
            self.behaviours,
            np.array(self.base_rates),
            prior_days=self.prior_days,
            activity=self.activity_weight > 0,
        )
        np.minimum(values, np.array(self.caps), out=values)
        values -= np.array(self.means)
        values /= np.array(self.scales)
        return FeatureMatrix(table.unit_ids, self.names, self.blocks, values)


@dataclass(frozen=True)
class Features:
    """A fitted preparation, and the behaviours that it leaves out."""

    preparation: Preparation
    dropped: tuple[Dropped, ...]


def learn_features(
    table: UnitTable,
    *,
    outcome_event: str | None = None,
    activity_weight: float = 0.0,
    prior_days: float = PRIOR_DAYS,
    min_active_days: int = MIN_ACTIVE_DAYS,
) -> Features | NotComputable:
    """Choose the features and fit every constant on the training units.

    Args:
        table: the training units; those with too few active days are ignored.
        outcome_event: event of a `min_events` retention; it and its variants are part of the outcome, so no feature.
        activity_weight: weight of the activity block in the distance, 0 or more.
        prior_days: days of population behaviour added to each unit, more than 0.
        min_active_days: units with fewer are "too little data".
    """
    table = table.take(table.active_days >= min_active_days)
    if len(table) < 2:
        return NotComputable(Reason.TOO_FEW_ACTIVE_UNITS, {"units": len(table), "active_days": min_active_days})
    behaviours, dropped = _choose(table, outcome_event)
    if len(behaviours) < 2:
        return NotComputable(Reason.TOO_FEW_FEATURES, {"features": len(behaviours), "needed": 2})
    learnt = relearn(
        table, behaviours, activity_weight=activity_weight, prior_days=prior_days, min_active_days=min_active_days
    )
    return Features(learnt, dropped)


def relearn(
    table: UnitTable, behaviours: tuple[str, ...], *, activity_weight: float, prior_days: float, min_active_days: int
) -> Preparation:
    """Fit the constants for given behaviours on these units; used for null draws as well."""
    columns = columns_of(table, behaviours)
    rates = table.counts[:, columns].sum(axis=0) / table.active_days.sum()
    raw = _raw(table, behaviours, rates, prior_days=prior_days, activity=activity_weight > 0)
    caps = np.quantile(raw, WINSOR_QUANTILE, axis=0)
    np.minimum(raw, caps, out=raw)
    means, scales = raw.mean(axis=0), raw.std(axis=0)
    scales[scales == 0] = 1.0  # winsorising may make a very rare behaviour constant: its column is then 0
    width = len(behaviours)
    scales[:width] = np.sqrt(np.mean(raw[:, :width].var(axis=0))) or 1.0
    if activity_weight > 0:
        scales[width:] /= activity_weight
    numbers = (tuple(map(float, column)) for column in (rates, caps, means, scales))
    base_rates, cap, mean, scale = numbers
    return Preparation(behaviours, base_rates, prior_days, cap, mean, scale, float(activity_weight), min_active_days)


def _choose(table: UnitTable, outcome_event: str | None) -> tuple[tuple[str, ...], tuple[Dropped, ...]]:
    """The behaviours that become features; of two near-duplicates the more frequent one."""
    names: list[str] = []
    dropped: list[Dropped] = []
    for index, name in enumerate(table.behaviours):
        if outcome_event is not None and _is_outcome(name, outcome_event):
            dropped.append(Dropped(name, Drop.OUTCOME))
        elif np.ptp(table.counts[:, index]) == 0:
            dropped.append(Dropped(name, Drop.CONSTANT))
        else:
            names.append(name)
    repeats = _near_duplicates(table, names)
    dropped += [Dropped(name, Drop.NEAR_DUPLICATE, of) for name, of in repeats.items()]
    return tuple(name for name in names if name not in repeats), tuple(dropped)


def _is_outcome(name: str, event: str) -> bool:
    return name == event or name.startswith((f"{event}[", f"{event}#"))


def _near_duplicates(table: UnitTable, names: Sequence[str]) -> dict[str, str]:
    """Behaviours that repeat a more frequent one (rates per active day) or the active days themselves (counts)."""
    from scipy.stats import rankdata

    if not names:
        return {}
    table = table.take(np.arange(len(table)) < CORRELATION_ROWS)
    counts = table.counts[:, columns_of(table, names)]
    days = table.active_days
    ranks = rankdata(np.column_stack([counts / days[:, None], counts, days]), axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(spread == 0, 1.0, spread)
    width = len(names)
    between, with_days = ranks[:, :width].T @ ranks[:, :width], ranks[:, width:-1].T @ ranks[:, -1]
    repeats = {name: "active_days" for name, rho in zip(names, with_days, strict=True) if rho >= NEAR_DUPLICATE}
    order = sorted(range(width), key=lambda index: (-counts[:, index].sum(), index))
    for place, index in enumerate(order):
        for earlier in order[:place]:
            if not {names[index], names[earlier]} & repeats.keys() and between[index, earlier] >= NEAR_DUPLICATE:
                repeats[names[index]] = names[earlier]
    return repeats


def columns_of(table: UnitTable, names: Sequence[str]) -> list[int]:
    """Column indices of these behaviours in the table."""
    place = {name: index for index, name in enumerate(table.behaviours)}
    return [place[name] for name in names]


def _raw(table: UnitTable, names: Sequence[str], rates: Floats, *, prior_days: float, activity: bool) -> Floats:
    """Features before winsorising and scaling. Computed by column: rounding of NumPy's row sums depends on shape."""
    days = table.active_days + prior_days
    columns = [
        (table.counts[:, index] + prior_days * rate) / days
        for index, rate in zip(columns_of(table, names), rates, strict=True)
    ]
    total = np.zeros(len(table))
    for column in columns:
        total += column
    total[total == 0] = 1.0
    values = [np.sqrt(column / total) for column in columns]
    if activity:
        values += [*np.sqrt(table.activity()).T]
    return np.column_stack(values)


def least_days(days: int) -> int:
    """Least number of active days for a pattern: three, or the length of a shorter window."""
    return min(MIN_ACTIVE_DAYS, days)
