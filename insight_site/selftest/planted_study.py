"""Run a study on a planted copy: its nulls, its step test and its choice of the threshold. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aha.study.candidates import ALPHA, take_cell
from aha.study.choice import choose
from aha.study.grid import CountTable, Flags, count_cells, levels, thresholds
from aha.study.hold_out import split
from aha.study.null import Null, grid_null
from aha.study.step import Step, StepVerdict, step_evidence
from insight_site.selftest.planting.moment_choice import PlantedMoment
from stats.results import NotComputable, computable

# Fewer than in a study, since each self-test repeats them often. With 99 shuffles a p-value of .05 is still exact.
SHUFFLES = 99
REPLICATES = 99
MOST_BEHAVIOURS = 5
MOST_WINDOWS = 3


@dataclass(frozen=True)
class StudySays:
    """Result of a study of one planted copy.

    Attributes:
        candidate: the planted behaviour is a candidate: its cell is significantly better than chance, and positive.
        at_moment: it reports a jump of the planted behaviour, at the planted count or a neighbouring one.
        any_jump: it reports a jump of any behaviour.
        beats_luck: some cell of the grid is significantly better than chance.
        beats_active: some cell is significantly better than equally active users.
        step_missing: why no step could be tested for the planted behaviour; None where one was.
        detection: share of jumps of 5 points there that its step test would find; None if it found a step.
        not_apart: it found a step there that it can't distinguish from a smooth curve.
    """

    candidate: bool
    at_moment: bool
    any_jump: bool
    beats_luck: bool
    beats_active: bool
    step_missing: NotComputable | None
    detection: float | None
    not_apart: bool


def looked_at(table: CountTable, candidates: Sequence[str], moment: PlantedMoment) -> CountTable:
    """The planted behaviour and the most frequent others, in the planted window and two more.

    A real study tests all behaviours, which is the same work many times over.
    """
    others = [name for name in candidates if name != moment.behaviour]
    reach = {name: (table.counts[:, table.behaviours.index(name), -1] > 0).mean() for name in others}
    kept = sorted(others, key=lambda name: (-reach[name], name))[: MOST_BEHAVIOURS - 1]
    days = sorted({moment.days, table.days[0], table.days[len(table.days) // 2], table.days[-1]})
    days = [day for day in days if day == moment.days or len(days) <= MOST_WINDOWS or day != table.days[-1]]
    columns = [table.days.index(day) for day in days]
    small = table.only([moment.behaviour, *kept])
    return CountTable(
        small.behaviours,
        tuple(days),
        small.unit_ids,
        small.counts[:, :, columns],
        small.retained,
        small.week,
        small.segment,
        small.segments,
        small.active[:, columns],
    )


def study_planted(table: CountTable, moment: PlantedMoment, retained: Flags, *, rng: np.random.Generator) -> StudySays:
    """Run the parts of a study that decide what it calls a moment.

    Args:
        table: of `looked_at`.
        moment: the planted one.
        retained: planted retention per unit.
        rng: for shuffles and bootstraps.
    """
    planted = _with_outcome(table, retained)
    times = thresholds(planted)
    grid, parts = levels(planted, times), split(planted)
    luck = grid_null(planted, grid, rng=rng, permutations=SHUFFLES)
    active = grid_null(planted, grid, rng=rng, permutations=SHUFFLES, by_activity=True)
    steps = step_evidence(planted.take(parts.for_steps), times, rng=rng, replicates=REPLICATES)
    place = planted.behaviours.index(moment.behaviour)
    own = steps[place]
    train = planted.take(parts.train).only([moment.behaviour])
    choice = choose(train, levels(train, [times[place]]), rng=rng, replicates=REPLICATES)[moment.behaviour]
    cells = count_cells(grid, planted.retained)
    pick, _by_step = take_cell(choice, own, cells)
    candidate = False
    if computable(pick) and isinstance(luck, Null):
        cell = cells.find(moment.behaviour, pick.days, pick.times)
        candidate = bool(luck.adjusted_p[cell] <= ALPHA and luck.z[cell] > 0)
    return StudySays(
        candidate=candidate,
        at_moment=_at(own, moment, times[place]),
        any_jump=any(step.verdict is StepVerdict.JUMP for step in steps),
        beats_luck=isinstance(luck, Null) and luck.smallest_p <= ALPHA,
        beats_active=isinstance(active, Null) and active.smallest_p <= ALPHA,
        step_missing=own.reason,
        detection=own.detection,
        not_apart=computable(own.adjusted_p_value)
        and own.adjusted_p_value <= ALPHA
        and own.verdict is not StepVerdict.JUMP,
    )


def _at(step: Step, moment: PlantedMoment, times: Sequence[int]) -> bool:
    """A jump at the planted count, or at the next tested one on either side."""
    if step.verdict is not StepVerdict.JUMP or moment.times not in times:
        return False
    return abs(times.index(step.times) - times.index(moment.times)) <= 1


def _with_outcome(table: CountTable, retained: Flags) -> CountTable:
    return CountTable(
        table.behaviours,
        table.days,
        table.unit_ids,
        table.counts,
        retained,
        table.week,
        table.segment,
        table.segments,
        table.active,
    )
