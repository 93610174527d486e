"""What a study says of a planted copy: its nulls, its step test and its choice of the threshold. Pure."""

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

# Fewer than a study's: each self-test repeats them many times. With 99 shuffles a p of .05 is still exactly that.
SHUFFLES = 99
REPLICATES = 99
MOST_BEHAVIOURS = 5
MOST_WINDOWS = 3


@dataclass(frozen=True)
class StudySays:
    """What a study says of one planted copy.

    Attributes:
        candidate: the planted behaviour is a candidate: its cell is better than luck, upwards.
        at_moment: it says "jump" of the planted behaviour, at the planted number of times or a neighbouring one.
        any_jump: it says "jump" of any behaviour.
        beats_luck: some cell of the whole grid is called better than luck.
        beats_active: some cell is called better than equally active users.
        step_missing: why no step could be tested for the planted behaviour; None where one was.
        detection: share of jumps of 5 points there that its step test would find; None where it found something.
        not_apart: it found something there that it doesn't call a jump.
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

    A study looks at all of them; it is the same work, many times as long.
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
        retained: per unit, as planted.
        rng: the randomness of shuffles and bootstraps.
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
    """A jump at the planted number, or at the next one that was tested on either side."""
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
