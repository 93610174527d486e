"""End-to-end check of one planted copy: as a log, queried by the warehouse, and analysed by a whole study."""

from typing import TYPE_CHECKING

import numpy as np

from aha.study.discover import Effort
from aha.study.discover import study as compute
from aha.study.gather import gather
from aha.study.population import Restriction
from insight_site.selftest.planted_log import planted_log
from insight_site.selftest.planted_study import REPLICATES, SHUFFLES
from insight_site.selftest.planting.moment_choice import counts_of
from insight_site.selftest.planting.planted_outcomes import Ground, Plant, plant
from insight_site.selftest.selftest_result import CopyCheck
from runs.progress import Progress, part

if TYPE_CHECKING:
    from aha.study.discover import Answers
    from aha.study.question import Inputs
    from events.asking import Questions

# A study with all its parts, but fewer random draws than a stored one.
EFFORT = Effort(
    permutations=SHUFFLES,
    replicates=REPLICATES,
    step_replicates=REPLICATES,
    repeats=1,
    max_units=5_000,
    max_explained=200,
    ladder_units=5_000,
    followed=3,
)


def study_a_log(
    open_log: "Questions", answers: "Answers", inputs: "Inputs", ground: Ground, *, seed: int, progress: Progress
) -> CopyCheck:
    """Plant a threshold as events, repeat all queries, and run a study.

    Args:
        open_log: the open warehouse connection.
        answers: its answers for the real log.
        inputs: the study's inputs.
        ground: the data that the effect is planted into.
        seed: for the plant and the study.
        progress: progress callback.
    """
    behaviour, table = ground.moment.behaviour, ground.table
    rng = np.random.default_rng((seed, 0, 0, 2))
    retained = plant(ground, Plant.THRESHOLD, counts_of(table, ground.moment), rng)
    members = dict.fromkeys(table.unit_ids.tolist(), "")
    planted = planted_log(open_log, answers, inputs, behaviour, retained)
    again = gather(planted, inputs, Restriction(members), seed=seed, progress=part(progress, 0, 0.4))
    differing = _differing(answers, again, retained)
    report = compute(again, inputs, seed=seed, effort=EFFORT, progress=part(progress, 0.4, 1))
    names = [candidate.behaviour for candidate in report.candidates]
    step = next((row.step for row in report.judged if row.behaviour == behaviour and row.step is not None), None)
    return CopyCheck(
        units=len(retained),
        differing=differing,
        place=names.index(behaviour) + 1 if behaviour in names else None,
        candidates=len(names) + report.more_candidates,
        step="" if step is None else str(step.verdict),
    )


def _differing(answers: "Answers", again: "Answers", retained: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Units that the warehouse reads differently: another outcome than planted, or other counts than before."""
    if not np.array_equal(again.unit_ids[again.sample], answers.unit_ids[answers.sample]):
        return len(retained)
    other = again.retained[again.sample] != retained
    other |= (np.asarray(again.active_days) != np.asarray(answers.active_days)).any(axis=1)
    before, after = (_counted(one) for one in (answers, again))
    other[[unit for unit, _name in before.items() ^ after.items()]] = True
    return int(other.sum())


def _counted(answers: "Answers") -> dict[int, tuple[object, ...]]:
    """Per unit, all its rows of behaviour and counts."""
    found: dict[int, list[object]] = {}
    for unit, name, counts in zip(*(np.asarray(column).tolist() for column in answers.rows), strict=True):
        found.setdefault(unit, []).append((name, tuple(counts)))
    return {unit: tuple(sorted(rows, key=str)) for unit, rows in found.items()}
