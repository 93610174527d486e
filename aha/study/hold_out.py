"""Split units into training part, hold-out and later cohorts, and compare one cell on all three."""

import hashlib
from dataclasses import dataclass

import numpy as np

from aha.study.cells import Cell, Cells, describe
from aha.study.choice import METRICS, REPLICATES, Choice
from aha.study.grid import CountTable, Flags, Floats, Ints, Names, count_cells, levels
from aha.study.numbers import Interval
from stats.results import NotComputable, Reason

SMALL_STUDY = 2_000
MOST_UNITS = 200_000  # sample size for slow computations
LATER_WEEKS = 4
TRAIN_SHARE = 0.60
# Never change it: a rerun of a study must not move units from the hold-out to the training part.
SPLIT_SALT = b"insight.hold-out"


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of the table for training, hold-out and later cohorts.

    Attributes:
        train: 60 % of the earlier units, by hash of the unit id; all units of a small study.
        hold_out: the other 40 %; none in a small study.
        later: units of the last quarter of the signup weeks; none below four weeks, or in a small study.
    """

    train: Ints
    hold_out: Ints
    later: Ints

    @property
    def for_steps(self) -> Ints:
        """Units for the step test: the hold-out, so that a cell found there can be judged on the training
        part and on later cohorts; in a small study all units."""
        return self.train if self.small else self.hold_out

    @property
    def small(self) -> bool:
        """True when there are too few units for a hold-out: the optimism is bootstrapped instead."""
        return not self.hold_out.size


def split(table: CountTable) -> Parts:
    """Split the units. A unit's side depends only on its id, so it is stable across reruns."""
    nobody = np.zeros(0, dtype=np.int64)
    if table.n < SMALL_STUDY:
        return Parts(np.arange(table.n), nobody, nobody)
    weeks = np.unique(table.week)
    last = weeks.size // LATER_WEEKS
    later = table.week >= weeks[-last] if last else np.zeros(table.n, dtype=np.bool_)
    train = hashes(table.unit_ids, SPLIT_SALT) < TRAIN_SHARE
    return Parts(np.flatnonzero(~later & train), np.flatnonzero(~later & ~train), np.flatnonzero(later))


def hashes(unit_ids: Names, salt: bytes) -> Floats:
    """A number from 0 to 1 (1 excluded) per unit id and salt, the same on every machine and in every version."""
    digests = b"".join(hashlib.blake2b(str(unit).encode(), digest_size=8, salt=salt[:16]).digest() for unit in unit_ids)
    return np.asarray((np.frombuffer(digests, dtype=">u8") >> np.uint64(11)) / 2.0**53)


def sample(unit_ids: Names, salt: bytes, *, most: int = MOST_UNITS) -> Ints:
    """Indices of at most `most` units, ascending: those with the smallest hash under the study's salt."""
    if unit_ids.size <= most:
        return np.arange(unit_ids.size)
    return np.sort(np.argpartition(hashes(unit_ids, salt), most)[:most])


@dataclass(frozen=True)
class Honesty:
    """One cell on the units that chose it and on others.

    The rule chooses on the training part and is judged on the hold-out; a step is found on the hold-out and judged on
    the training part.

    Attributes:
        train, hold_out, later: the cell on each part, or why there is none.
        optimism: per metric the part that chose minus the part that judges. In a small study it is bootstrapped,
            without interval, for the rule's cell, and empty for a step.
        drift: per metric the part that judges minus later cohorts.
        corrected: per metric the train value minus the bootstrap optimism, only for the rule's cell of a small study.
        chosen_on: ``train`` or ``hold_out``.
    """

    train: Cell
    hold_out: Cell | NotComputable
    later: Cell | NotComputable
    optimism: dict[str, Interval | float]
    drift: dict[str, Interval]
    corrected: dict[str, float]
    chosen_on: str = "train"


def judge(
    table: CountTable,
    parts: Parts,
    behaviour: str,
    *,
    days: int,
    times: int,
    rng: np.random.Generator,
    choice: Choice | None = None,
    by_step: bool = False,
    alpha: float = 0.05,
) -> Honesty:
    """Compute one cell on all three parts.

    Args:
        table: the whole feature table.
        parts: from `split`.
        behaviour, days, times: the cell.
        rng: for the bootstrap intervals.
        choice: how the cell was chosen; a small study takes its bootstrap optimism from it.
        by_step: the step test chose the cell, not the rule: the optimism of the rule's choice doesn't apply.
        alpha: of the intervals.
    """
    behaviour_table = table.only([behaviour])
    train, hold_out, later = (
        _one_cell(behaviour_table, rows, days, times) for rows in (parts.train, parts.hold_out, parts.later)
    )
    here = describe(train, behaviour_table.behaviours, rng=rng, alpha=alpha)[0]
    optimism: dict[str, Interval | float] = {}
    corrected: dict[str, float] = {}
    chose, judges = (hold_out, train) if by_step else (train, hold_out)
    if not parts.small:
        optimism = {**_gaps(chose, judges, rng, alpha)}
    elif choice is not None and not by_step:
        optimism = {**choice.optimism}
        apparent = {name: float(metric(*train.counts)[0]) for name, metric in METRICS.items()}
        corrected = {name: apparent[name] - choice.optimism[name] for name in METRICS}
    missing = NotComputable(Reason.NO_HOLD_OUT)
    return Honesty(
        train=here,
        hold_out=describe(hold_out, behaviour_table.behaviours, rng=rng, alpha=alpha)[0]
        if parts.hold_out.size
        else missing,
        later=(
            describe(later, behaviour_table.behaviours, rng=rng, alpha=alpha)[0]
            if parts.later.size
            else (missing if parts.small else NotComputable(Reason.NO_LATER_COHORT))
        ),
        optimism=optimism,
        drift=_gaps(judges, later, rng, alpha) if parts.hold_out.size and parts.later.size else {},
        corrected=corrected,
        chosen_on="hold_out" if by_step and not parts.small else "train",
    )


def _one_cell(table: CountTable, rows: Ints | Flags, days: int, times: int) -> Cells:
    cells = count_cells(levels(table.take(rows), [(times,)]), table.retained[rows])
    return cells.take([cells.find(0, days, times)])


def _gaps(one: Cells, other: Cells, rng: np.random.Generator, alpha: float) -> dict[str, Interval]:
    """Metrics of a fixed cell on one part minus another, with bootstrap percentile intervals."""
    drawn = [_draw(cells, rng) for cells in (one, other)]
    gaps = {}
    for name, metric in METRICS.items():
        here, there = (float(metric(*cells.counts)[0]) for cells in (one, other))
        spread = metric(*drawn[0]) - metric(*drawn[1])
        spread = spread[~np.isnan(spread)]
        if spread.size and not np.isnan(here - there):
            low, high = np.quantile(spread, [alpha / 2, 1 - alpha / 2])
            gaps[name] = Interval(here - there, float(low), float(high))
    return gaps


def _draw(cells: Cells, rng: np.random.Generator) -> Ints:
    """Resample the users of a fixed cell, as multinomial draws of its four counts: 4 × replicates."""
    counts = cells.counts[:, 0]
    return rng.multinomial(counts.sum(), counts / counts.sum(), size=REPLICATES).T
