"""Copies of what a study reads of the log, with something planted, asked and judged as the log itself."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aha.study.discover import Answers, Effort
from aha.study.discover import study as compute
from aha.study.gather import gather
from aha.study.grid import CountTable, Flags, Names, build_table
from aha.study.population import Restriction
from aha.study.question import Inputs
from aha.study.report_columns import mondays
from aha.study.window_guard import Flag, flag_behaviours, may_be_candidates, not_yet_available
from events.metrics import MinDays, MinEvents, parse_behaviour
from events.warehouse.session import WarehouseSession
from insight_site.selftest.planted_answers import REPLICATES, SHUFFLES, looked_at
from insight_site.selftest.planted_effects import (
    Ground,
    NoMoment,
    Plant,
    PlantedMoment,
    choose_moment,
    counts_of,
    plant,
    shared_cause,
)
from insight_site.selftest.selftest_result import Asked, CopyCheck, Shortfall, Why
from runs.progress import Progress, part

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


# Copy the study data of the log into memory, and choose where and how to plant effects.

LEAST_HALF = 0.1  # smallest share of users in the smaller half


@dataclass(frozen=True, eq=False)
class Copied:
    """The copied users.

    Attributes:
        table: their counts and real retention.
        candidates: behaviours without an excluding flag.
        trait, trait_name: a division by something known at signup; None and "" without one.
    """

    table: CountTable
    candidates: tuple[str, ...]
    trait: Flags | None
    trait_name: str


@dataclass(frozen=True, eq=False)
class Planted:
    """Where effects are planted, and the table that studies use."""

    ground: Ground
    small: CountTable
    true_effect: float


def copy_units(answers: "Answers", inputs: "Inputs") -> Copied:
    """The sampled users from the warehouse's answers."""
    rows = answers.sample
    table = build_table(
        behaviours=[str(behaviour) for behaviour in answers.behaviours],
        days=answers.windows.valid,
        unit_ids=answers.unit_ids[rows],
        retained=answers.retained[rows],
        week=mondays(answers.dates[rows]),
        active_days=answers.active_days,
        rows=answers.rows,
    )
    flags = flag_behaviours(
        table,
        answers.behaviours,
        inputs.definition,
        first_sessions=answers.first_sessions,
        inert=inputs.inert,
        unavailable=dict.fromkeys(not_yet_available(table, answers.anchors, answers.first_times)),
    )
    repeats = {mark.behaviour for mark in flags if mark.flag is Flag.DUPLICATE}
    candidates = tuple(name for name in may_be_candidates(table, flags) if name not in repeats)
    trait, name = _trait(answers)
    return Copied(table, candidates, trait, name)


def _trait(answers: "Answers") -> tuple[Flags | None, str]:
    """The column known at signup that divides users most evenly."""
    shares = answers.attributes.values.mean(axis=0) if len(answers.attributes.names) else np.zeros(0)
    if not len(shares):
        return None, ""
    best = int(np.argmin(np.abs(shares - 0.5)))
    if not LEAST_HALF <= shares[best] <= 1 - LEAST_HALF:
        return None, ""
    return np.asarray(answers.attributes.values[:, best] > 0), answers.attributes.names[best]


def place_for_plants(copied: Copied, question: Asked) -> Planted | Shortfall:
    """Where effects are planted, or why these data have no suitable place."""
    if not copied.candidates:
        return Shortfall(Why.NO_BEHAVIOUR, {})
    moment = choose_moment(copied.table, copied.candidates, only=question.behaviour)
    if isinstance(moment, NoMoment):
        return _nobody_reaches(moment.nearest)
    cause = shared_cause(copied.table, moment)
    ground = Ground(copied.table, moment, cause, copied.trait, question.effect)
    return Planted(ground, looked_at(copied.table, copied.candidates, moment), ground.mean_gain())


def _nobody_reaches(nearest: PlantedMoment | None) -> Shortfall:
    if nearest is None:
        return Shortfall(Why.NO_BEHAVIOUR, {})
    figures: dict[str, float | int | str] = {"behaviour": nearest.behaviour, "times": nearest.times}
    return Shortfall(Why.NOBODY_REACHES, {**figures, "days": nearest.days, "reach": nearest.reach})


# A planted copy as an event log: the customer's events, with some removed and some added, as a warehouse expression.
#
# Nothing is written: the store is only read, and the copy exists only during the query.

DAY = np.timedelta64(86_400_000_000, "us")


def planted_log(
    store: WarehouseSession, answers: Answers, inputs: Inputs, behaviour: str, retained: Flags
) -> WarehouseSession:
    """Open the warehouse on a log in which other users are retained.

    Args:
        store: the open warehouse connection.
        answers: its answers for the real log.
        inputs: the study's inputs, with rolling days.
        behaviour: the event added for retained users if the retention definition names none.
        retained: planted retention of each sampled unit.
    """
    import ibis

    ids, anchors = answers.unit_ids[answers.sample], answers.anchors
    window, before = inputs.window, answers.retained[answers.sample]
    gone = _units(store, ids[~retained], anchors[~retained])
    log = store.log
    first, last = timedelta(days=window.start_day), timedelta(days=window.days_needed)
    met = log.left_join(gone, log.user_id == gone.gone_id)
    inside = (met.time >= met.gone_anchor + ibis.literal(first)) & (met.time < met.gone_anchor + ibis.literal(last))
    remaining = met.filter(~inside.fill_null(False)).select(*log.columns)
    new = retained & ~before
    added = store.warehouse.keyed(ibis.memtable(_added(ids[new], anchors[new], inputs, behaviour)))
    columns = {
        name: added[name].cast(kind) if name in added.columns else ibis.null().cast(kind)
        for name, kind in log.schema().items()
    }
    planted = remaining.union(added.select(**columns))
    return WarehouseSession(store.warehouse.with_events(planted), store.basis, store.events)


def _units(store: WarehouseSession, ids: Names, anchors: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> "ir.Table":
    import ibis
    import pyarrow as pa

    table = pa.table({"user_id": pa.array([str(unit) for unit in ids], pa.string()), "gone_anchor": pa.array(anchors)})
    return store.warehouse.keyed(ibis.memtable(table)).select(gone_id="user_id", gone_anchor="gone_anchor")


def _added(
    ids: Names, anchors: np.ndarray[tuple[int], np.dtype[np.datetime64]], inputs: Inputs, behaviour: str
) -> "pa.Table":
    """The fewest events that make a user retained, in the middle of the window's first days."""
    import pyarrow as pa

    definition = inputs.definition
    event, days, times = parse_behaviour(behaviour).event, 1, 1
    if isinstance(definition, MinDays):
        days = definition.days
    elif isinstance(definition, MinEvents):
        event, times = definition.event, definition.times
    start = inputs.window.start_day
    offsets = np.repeat(np.arange(start, start + days), times) * DAY + DAY // 2
    number = len(offsets)
    return pa.table(
        {
            "user_id": pa.array(np.repeat([str(unit) for unit in ids], number).tolist(), pa.string()),
            "event": pa.array([event] * (len(ids) * number), pa.string()),
            "time": pa.array((anchors[:, None] + offsets[None, :]).reshape(-1)),
            "properties": pa.array(["{}"] * (len(ids) * number), pa.string()),
        }
    )


# End-to-end check of one planted copy: as a log, queried by the warehouse, and analysed by a whole study.

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
    open_log: "WarehouseSession", answers: "Answers", inputs: "Inputs", ground: Ground, *, seed: int, progress: Progress
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
    before, after = (_counted(answer) for answer in (answers, again))
    other[[unit for unit, _name in before.items() ^ after.items()]] = True
    return int(other.sum())


def _counted(answers: "Answers") -> dict[int, tuple[object, ...]]:
    """Per unit, all its rows of behaviour and counts."""
    by_unit: dict[int, list[object]] = {}
    for unit, name, counts in zip(*(np.asarray(column).tolist() for column in answers.rows), strict=True):
        by_unit.setdefault(unit, []).append((name, tuple(counts)))
    return {unit: tuple(sorted(rows, key=str)) for unit, rows in by_unit.items()}
