"""Choose the planted moment: which behaviour, how often, within how many days; or why none is suitable. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aha.study.cell_metrics import RECOMMENDED_REACH
from aha.study.grid import CountTable, Flags, times_of

WANTED_REACH = 0.25  # share of users: many on both sides, so that the size of the effect decides what is found
LEAST_TIMES = 2  # the step test starts at 2: users who never did it differ for many reasons


@dataclass(frozen=True)
class PlantedMoment:
    """The behaviour that gets an effect: at least `times` times within `days` days.

    Attributes:
        behaviour: its text form.
        times, days: Z and Y.
        reach: share of the units that reach it without a nudge, 0 to 1.
    """

    behaviour: str
    times: int
    days: int
    reach: float


@dataclass(frozen=True)
class NoMoment:
    """No behaviour is done that often by enough units, and not by nearly all.

    Attributes:
        nearest: the candidate with the closest reach; None without a candidate.
    """

    nearest: PlantedMoment | None


def choose_moment(table: CountTable, behaviours: Sequence[str], *, only: str = "") -> PlantedMoment | NoMoment:
    """The moment whose reach is closest to a quarter of the units, among those that a study would recommend.

    Args:
        table: counts of the units. Its longest window is used.
        behaviours: allowed candidates.
        only: a requested behaviour; empty chooses among all.
    """
    cells = [
        PlantedMoment(name, times, table.days[-1], float((table.counts[:, place, -1] >= times).mean()))
        for place, name in enumerate(table.behaviours)
        if name in set(behaviours) and only in ("", name)
        for times in times_of(table.counts[:, place, -1])
        if times >= LEAST_TIMES
    ]
    if not cells:
        return NoMoment(None)
    low, high = RECOMMENDED_REACH
    fit = [cell for cell in cells if low <= cell.reach <= high]
    best = min(fit or cells, key=lambda cell: (abs(cell.reach - WANTED_REACH), cell.times, cell.behaviour))
    return best if fit else NoMoment(best)


def counts_of(table: CountTable, moment: PlantedMoment) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Per unit, how often it did the behaviour within the moment's days."""
    place, column = table.behaviours.index(moment.behaviour), table.days.index(moment.days)
    return table.counts[:, place, column].astype(np.int64)


def reached(table: CountTable, moment: PlantedMoment) -> Flags:
    """Per unit, whether it reached the moment without a nudge."""
    return np.asarray(counts_of(table, moment) >= moment.times)
