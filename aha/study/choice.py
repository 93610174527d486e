"""Choose "at least Z times within Y days", and bootstrap the choice to show how stable it is.

A stable choice is no evidence that a threshold exists or causes anything: a smooth confounded curve has a stable best
cell too. `aha.study.step` tests for a threshold.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from aha.study.cells import Cells, Numbers, jaccard, phi, risk_difference, youden
from aha.study.grid import CountTable, Floats, Ints, Levels, count_cells
from runs.parallel import each
from runs.progress import Progress, silent
from stats.results import NotComputable, Reason
from stats.score import share

REPLICATES = 500
BLOCK = 100
PICKED_SHARE = 0.90


class Rule(StrEnum):
    """Criterion for choosing a cell. `pareto` shows the front of (recall, ppv); without a pick it uses the best J."""

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
        """The number to maximise; -inf where the cell may not be chosen."""
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
        rng: for the resampling, which draws units within signup week × segment.
        choosing: the rule.
        replicates: at least 500 for a result that is shown.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        Per behaviour the choice, or why there is none: no cell with a reach from 5 % to 80 %.
    """
    cells = count_cells(grid, table.retained)
    drawn = _bootstrap(table, grid, replicates, rng, progress)
    choices: dict[str, Choice | NotComputable] = {}
    for place, behaviour in enumerate(table.behaviours):
        mine = choosable(cells, place)
        choices[behaviour] = (
            _choose_one(behaviour, cells, mine, drawn, choosing)
            if mine.size
            else NotComputable(Reason.NO_CELL_TO_RECOMMEND)
        )
    return choices


def choosable(cells: Cells, behaviour: int) -> Ints:
    """The cells of a behaviour with a recommended reach. Ties go to the first: the fewest times, then the larger J."""
    mine = np.flatnonzero(cells.recommended & (np.asarray(cells.behaviour) == behaviour))
    days, times = (np.asarray(column)[mine] for column in (cells.days, cells.times))
    return mine[np.lexsort((days, -jaccard(*cells.counts[:3, mine]), times))]


type Replicates = tuple[Floats, Floats, Floats, Floats]


def _choose_one(behaviour: str, cells: Cells, mine: Ints, drawn: Replicates, choosing: Choosing) -> Choice:
    original = tuple(cells.counts[:, mine].astype(np.float64))
    a, b, c, _ = original
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
        return Pick(cells.days[mine[place]], cells.times[mine[place]], float(shares[place]))

    return Choice(
        behaviour=behaviour,
        choosing=choosing,
        best=pick(best),
        recommended=pick(int(same[0])),
        indifference=tuple(pick(int(place)) for place in same),
        picks=tuple(pick(place) for place in picks),
        settled=tuple(pick(place) for place in picks[:enough]),
        standard_error=error,
        front=tuple(pick(place) for place in pareto_front(share(b, a + b), share(b, b + c))),
        optimism=_optimism(original, resampled, picked),
    )


def _optimism(original: Sequence[Floats], resampled: Sequence[Floats], picked: Ints) -> dict[str, float]:
    """Mean over replicates of a metric of the replicate's choice: in the replicate minus in the original sample."""
    columns = np.arange(picked.size)
    optimism = {}
    for name, metric in METRICS.items():
        inside = metric(*(part[picked, columns] for part in resampled))
        outside = metric(*(part[picked] for part in original))
        optimism[name] = float(np.nanmean(inside - outside))
    return optimism


def pareto_front(recall: Floats, ppv: Floats) -> list[int]:
    """Indices of the cells that no other cell beats in both recall and ppv, from high recall to high ppv."""
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

    def count(weights: npt.NDArray[np.float32], inner: Progress) -> tuple[npt.NDArray[Any], ...]:
        inner("choice", 0.0)
        drawn = weights.astype(np.uint8)
        retained = drawn * table.retained[:, None]
        return grid.counts(drawn), grid.counts(retained), retained.sum(axis=0, dtype=np.float64)

    blocks = each(resample(table.strata(), replicates, rng), count, of=-(-replicates // BLOCK), progress=progress)
    progress("choice", 1.0)
    m, b, r = (np.concatenate(part, axis=-1) for part in zip(*blocks, strict=True))
    return r - b, b.astype(np.float64), (m - b).astype(np.float64), table.n - m - (r - b)
