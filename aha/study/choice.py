"""Choose "at least Z times within Y days", and say how sure and how large: bootstrap picks, hold-out, later cohorts.

A stable choice is no evidence that a threshold exists or causes anything: a smooth confounded curve has a stable best
cell too. That question belongs to `aha.study.step`.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from aha.study.cell_metrics import (
    RECOMMENDED_REACH,
    Cell,
    Interval,
    Numbers,
    describe,
    jaccard,
    phi,
    risk_difference,
    youden,
)
from aha.study.grid import Cells, CountTable, Flags, Floats, Ints, Levels, Names, count_cells, levels
from runs.progress import Progress, silent
from stats.results import NotComputable, Reason
from stats.shares import share

REPLICATES = 500
BLOCK = 100
PICKED_SHARE = 0.90
SMALL_STUDY = 2_000
LATER_WEEKS = 4
TRAIN_SHARE = 0.60
# Fixed for ever: a rerun of a study must not move units from the hold-out to the training part.
SPLIT_SALT = b"insight.hold-out"


class Rule(StrEnum):
    """By what a cell is chosen. `pareto` shows the front of (recall, ppv); until a person picks, its best J stands."""

    J = "j"
    PHI = "phi"
    YOUDEN = "youden"
    PPV_AT_RECALL = "ppv_at_recall"
    RECALL_AT_PPV = "recall_at_ppv"
    PARETO = "pareto"


@dataclass(frozen=True)
class Choosing:
    """The rule and, for the constrained ones, the least recall or ppv (0 to 1). Stored with the candidate."""

    rule: Rule = Rule.J
    at_least: float = 0.0

    def score(self, a: Floats, b: Floats, c: Floats, o: Floats) -> Floats:
        """The number to maximise; -inf where the cell is out of the question."""
        recall, ppv = share(b, a + b), share(b, b + c)
        match self.rule:
            case Rule.PHI:
                value = phi(a, b, c, o)
            case Rule.YOUDEN:
                value = youden(a, b, c, o)
            case Rule.PPV_AT_RECALL:
                value = np.where(recall >= self.at_least, ppv, np.nan)
            case Rule.RECALL_AT_PPV:
                value = np.where(ppv >= self.at_least, recall, np.nan)
            case _:  # J grows with recall and with ppv, so its best cell always lies on the Pareto front
                value = jaccard(a, b, c)
        return np.where(np.isnan(value), -np.inf, value)


@dataclass(frozen=True)
class Pick:
    """A cell of one behaviour, and the share of the bootstrap replicates that chose it."""

    days: int
    times: int
    share: float


@dataclass(frozen=True)
class Choice:
    """What the rule chose for one behaviour on the training part.

    Attributes:
        behaviour: its text form.
        choosing: the rule.
        best: the rule's own pick, and how often the bootstrap picked it.
        recommended: the cheapest cell that is no worse within one standard error: fewest times, then larger J.
        indifference: all cells with score >= best score - standard error of the best cell's score.
        picks: every cell that the bootstrap chose, most frequent first.
        settled: the smallest set of them that holds 90 % of the choices.
        standard_error: bootstrap, of the best cell's score.
        front: cells on the Pareto front of (recall, ppv), from high recall to high ppv.
        optimism: bootstrap optimism of ppv, recall, difference, phi, j (Harrell): how much better a chosen cell looks
            in the data that chose it. For small studies.
    """

    behaviour: str
    choosing: Choosing
    best: Pick
    recommended: Pick
    indifference: tuple[Pick, ...]
    picks: tuple[Pick, ...]
    settled: tuple[Pick, ...]
    standard_error: float
    front: tuple[Pick, ...]
    optimism: dict[str, float]


METRICS: dict[str, Callable[[Numbers, Numbers, Numbers, Numbers], Floats]] = {
    "ppv": lambda a, b, c, o: share(b, np.asarray(b) + c),
    "recall": lambda a, b, c, o: share(b, np.asarray(a) + b),
    "difference": risk_difference,
    "phi": phi,
    "j": lambda a, b, c, o: jaccard(a, b, c),
}


def choose(
    table: CountTable,
    grid: Levels,
    *,
    rng: np.random.Generator,
    choosing: Choosing = Choosing(),
    replicates: int = REPLICATES,
    progress: Progress = silent,
) -> dict[str, Choice | NotComputable]:
    """Choose a cell for every behaviour, and bootstrap the choice over its whole grid.

    Args:
        table: the training part.
        grid: its levels.
        rng: the randomness of the resampling, which draws units within signup week × segment.
        choosing: the rule.
        replicates: at least 500 for a result that is shown.
        progress: told the share done.

    Returns:
        Per behaviour the choice, or why there is none: no cell with a reach from 5 % to 80 %.
    """
    cells = count_cells(grid, table.retained)
    drawn = _bootstrap(table, grid, replicates, rng, progress)
    allowed = (cells.reach >= RECOMMENDED_REACH[0]) & (cells.reach <= RECOMMENDED_REACH[1])
    found: dict[str, Choice | NotComputable] = {}
    for place, behaviour in enumerate(table.behaviours):
        mine = np.flatnonzero(allowed & (cells.behaviour == place))
        found[behaviour] = (
            _choose_one(behaviour, cells, mine, drawn, choosing)
            if mine.size
            else NotComputable(Reason.NO_CELL_TO_RECOMMEND)
        )
    return found


type Replicates = tuple[Floats, Floats, Floats, Floats]


def _choose_one(behaviour: str, cells: Cells, mine: Ints, drawn: Replicates, choosing: Choosing) -> Choice:
    a, b, c, o = (part[mine].astype(np.float64) for part in (cells.a, cells.b, cells.c, cells.o))
    j = jaccard(a, b, c)
    # In this order the first of equals is the one with the fewest times, then the larger J.
    order = np.lexsort((cells.days[mine], -j, cells.times[mine]))
    mine, j = mine[order], j[order]
    original = tuple(part[order] for part in (a, b, c, o))
    resampled = tuple(part[mine] for part in drawn)
    score, scores = choosing.score(*original), choosing.score(*resampled)
    best = int(np.argmax(score))
    picked = np.argmax(scores, axis=0)
    shares = np.bincount(picked, minlength=mine.size) / max(picked.size, 1)
    finite = scores[best][np.isfinite(scores[best])]
    error = float(finite.std(ddof=1)) if finite.size > 1 else 0.0
    same = np.flatnonzero(score >= score[best] - error) if np.isfinite(score[best]) else np.array([best])
    picks = [int(place) for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    enough = int(np.searchsorted(np.cumsum(shares[picks]), PICKED_SHARE - 1e-12)) + 1

    def pick(place: int) -> Pick:
        return Pick(int(cells.days[mine[place]]), int(cells.times[mine[place]]), float(shares[place]))

    return Choice(
        behaviour=behaviour,
        choosing=choosing,
        best=pick(best),
        recommended=pick(int(same[0])),
        indifference=tuple(pick(int(place)) for place in same),
        picks=tuple(pick(place) for place in picks),
        settled=tuple(pick(place) for place in picks[:enough]),
        standard_error=error,
        front=tuple(pick(place) for place in pareto_front(share(b, a + b)[order], share(b, b + c)[order])),
        optimism=_optimism(original, resampled, picked),
    )


def _optimism(original: Sequence[Floats], resampled: Sequence[Floats], picked: Ints) -> dict[str, float]:
    """Mean over replicates of: the replicate's choice in the replicate minus the same cell in the original sample."""
    columns = np.arange(picked.size)
    optimism = {}
    for name, metric in METRICS.items():
        inside = metric(*(part[picked, columns] for part in resampled))
        outside = metric(*(part[picked] for part in original))
        optimism[name] = float(np.nanmean(inside - outside))
    return optimism


def pareto_front(recall: Floats, ppv: Floats) -> list[int]:
    """Places of the cells that no other cell beats in recall and in ppv at once, from high recall to high ppv."""
    front, highest = [], -np.inf
    for place in np.lexsort((-ppv, -recall)):
        if ppv[place] > highest:
            front.append(int(place))
            highest = ppv[place]
    return front


def resample(strata: Ints, replicates: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.float32]]:
    """How often each unit is drawn, in blocks of units × replicates: units are resampled within their stratum."""
    order = np.argsort(strata, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(strata[order])) + 1)
    for start in range(0, replicates, BLOCK):
        width = min(BLOCK, replicates - start)
        weights = np.empty((strata.size, width), dtype=np.float32)
        for group in groups:
            drawn = rng.integers(0, group.size, size=(group.size, width)) + np.arange(width) * group.size
            weights[group] = np.bincount(drawn.ravel(), minlength=width * group.size).reshape(width, group.size).T
        yield weights


def _bootstrap(
    table: CountTable, grid: Levels, replicates: int, rng: np.random.Generator, progress: Progress
) -> Replicates:
    """A, B, C, O of every cell in every replicate: cells × replicates."""
    did: list[npt.NDArray[np.floating]] = []
    stayed: list[npt.NDArray[np.floating]] = []
    retained: list[Floats] = []
    for weights in resample(table.strata(), replicates, rng):
        progress("choice", sum(block.shape[1] for block in did) / replicates)
        kept = weights * table.retained[:, None].astype(np.float32)
        did.append(grid.sums(weights))
        stayed.append(grid.sums(kept))
        retained.append(kept.sum(axis=0, dtype=np.float64))
    progress("choice", 1.0)
    m, b, r = np.concatenate(did, axis=1), np.concatenate(stayed, axis=1), np.concatenate(retained)
    return r - b, b.astype(np.float64), (m - b).astype(np.float64), table.n - m - (r - b)


@dataclass(frozen=True, eq=False)
class Parts:
    """Which units choose, which judge, and which came later: places in the table.

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
        """Units on which a jump is looked for: the hold-out, so that a cell found there can be judged on the training
        part and on later cohorts; in a small study all units."""
        return self.train if self.small else self.hold_out

    @property
    def small(self) -> bool:
        """Too few units to set any aside: the optimism is bootstrapped instead."""
        return not self.hold_out.size


def split(table: CountTable) -> Parts:
    """Part the units once and for all. A unit's side depends on its id alone, so it is stable across reruns."""
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


def sample(unit_ids: Names, salt: bytes, *, most: int = 200_000) -> Ints:
    """Places of at most `most` units, in their order: those with the smallest hash under the study's salt."""
    if unit_ids.size <= most:
        return np.arange(unit_ids.size)
    return np.sort(np.argpartition(hashes(unit_ids, salt), most)[:most])


@dataclass(frozen=True)
class Honesty:
    """One cell where it was chosen and where it was not.

    The rule chooses on the training part: the hold-out judges. A step is found there: the training part judges it.

    Attributes:
        train, hold_out, later: the cell on each part, or why there is nothing.
        optimism: per metric the part that chose minus the part that judges; bootstrapped, without interval, for the
            rule's cell in a small study; empty for a step there.
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
    """Look at one cell on all three parts.

    Args:
        table: the whole feature table.
        parts: from `split`.
        behaviour, days, times: the cell.
        rng: the randomness of the bootstrap intervals.
        choice: how the cell was chosen; a small study takes its bootstrap optimism from it.
        by_step: the step chose the cell, not the rule: the optimism of the rule's choice says nothing about it.
        alpha: of the intervals.
    """
    one = table.only([behaviour])
    train, hold_out, later = (_one_cell(one, rows, days, times) for rows in (parts.train, parts.hold_out, parts.later))
    here = describe(train, rng=rng, alpha=alpha)[0]
    optimism: dict[str, Interval | float] = {}
    corrected: dict[str, float] = {}
    chose, judges = (hold_out, train) if by_step else (train, hold_out)
    if not parts.small:
        optimism = {**_gaps(chose, judges, rng, alpha)}
    elif choice is not None and not by_step:
        optimism = {**choice.optimism}
        apparent = {name: float(metric(train.a, train.b, train.c, train.o)[0]) for name, metric in METRICS.items()}
        corrected = {name: apparent[name] - choice.optimism[name] for name in METRICS}
    missing = NotComputable(Reason.NO_HOLD_OUT)
    return Honesty(
        train=here,
        hold_out=describe(hold_out, rng=rng, alpha=alpha)[0] if parts.hold_out.size else missing,
        later=(
            describe(later, rng=rng, alpha=alpha)[0]
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
    place = cells.find(table.behaviours[0], days, times)
    parts = (part[place : place + 1] for part in (cells.a, cells.b, cells.c, cells.o))
    return Cells(
        cells.behaviours, *(part[place : place + 1] for part in (cells.behaviour, cells.days, cells.times)), *parts
    )


def _gaps(one: Cells, other: Cells, rng: np.random.Generator, alpha: float) -> dict[str, Interval]:
    """Metrics of a fixed cell on one part minus another, with bootstrap percentile intervals."""
    drawn = [_draw(cells, rng) for cells in (one, other)]
    gaps = {}
    for name, metric in METRICS.items():
        here, there = (float(metric(cells.a, cells.b, cells.c, cells.o)[0]) for cells in (one, other))
        spread = metric(*drawn[0]) - metric(*drawn[1])
        spread = spread[~np.isnan(spread)]
        if spread.size and not np.isnan(here - there):
            low, high = np.quantile(spread, [alpha / 2, 1 - alpha / 2])
            gaps[name] = Interval(here - there, float(low), float(high))
    return gaps


def _draw(cells: Cells, rng: np.random.Generator) -> Ints:
    """Resampling the users of a fixed cell is drawing its four counts anew: 4 × replicates."""
    counts = np.concatenate([cells.a, cells.b, cells.c, cells.o])
    return rng.multinomial(counts.sum(), counts / counts.sum(), size=REPLICATES).T
