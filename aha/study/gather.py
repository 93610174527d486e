"""Run the warehouse queries of a study, in a fixed order; the first gives preliminary counts on a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aha.evidence.aipw import MAX_UNITS
from aha.evidence.daily_trials import UnitDays, unit_days
from aha.evidence.retention_curve import DayCount
from aha.study import queries
from aha.study.discover import Answers
from aha.study.grid import codes
from aha.study.hold_out import MOST_UNITS, hashes, sample
from aha.study.null import enough, too_small
from aha.study.population import Restriction, segments_named
from aha.study.preliminary import COUNTED, Counted, cells_of_answer, counted
from aha.study.question import MAX_BEHAVIOURS, Inputs
from aha.study.ranking import Attributes, attributes_of
from aha.study.report_columns import Dates, who_counts
from aha.study.result import Population
from aha.study.window_guard import Windows, valid_windows
from events.metrics import Active, ActiveDays, Behaviour, parse_behaviour
from events.schema import EXPOSURE_EVENTS
from events.warehouse import queries as warehouse_queries
from events.warehouse.arm_marks import Did, arm_marks, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import EVER, of_days
from events.windows import Window, first_days
from reporting.words import say
from runs.progress import Early, Progress, silent, unseen
from runs.refusals import Refused
from segments.published.segment_marks import of_segments

if TYPE_CHECKING:
    import ibis.expr.types as ir

CURVE_DAYS = 60
SURELY_ENOUGH = 20_000  # eligible units: with so many, 50 stay in any log that is worth a study


def behaviours_of(questions: WarehouseSession, inputs: Inputs) -> tuple[tuple[Behaviour, ...], int]:
    """The behaviours to count, and how many event names are left out: those with the fewest users.

    Without a list, exposures and events that reveal the arms of a locked experiment are left out as well.
    """
    if inputs.behaviours:
        return inputs.listed, 0
    known = set(questions.names) - set(EXPOSURE_EVENTS)
    if len(known) > MAX_BEHAVIOURS:  # users are counted only where some must be left out: that is the slow part
        ordered = questions.run(questions.event_names()).sort_values(["users", "event"], ascending=[False, True])
        behaviours = [Behaviour(str(name)) for name in ordered.event if name in known]
    else:
        behaviours = [Behaviour(name) for name in known]
    counted = {behaviour: _within(behaviour, inputs) for behaviour in behaviours[:MAX_BEHAVIOURS]}
    marks = arm_marks((condition for some in counted.values() for condition in some), store=questions)
    shown = tuple(sorted((behaviour for behaviour, some in counted.items() if marks.keys().isdisjoint(some)), key=str))
    extra = tuple(b for b in map(parse_behaviour, inputs.inert) if b not in shown)
    return (*shown, *extra), max(len(behaviours) - MAX_BEHAVIOURS, 0)


def refuse_marks(questions: WarehouseSession, inputs: Inputs) -> None:
    """Refuse a study whose conditions the outcome lock forbids.

    Raises:
        Refused: names the option that would reveal the arms of a locked experiment.
    """
    level = inputs.level_before
    segment = () if inputs.segment is None else of_segments(*segments_named(inputs.segment))
    refuse_arm_marks(
        {
            "signup-event": of_start(inputs.signup_event),
            "retention": of_metric(inputs.definition, inputs.signup_event),
            "behaviours": [condition for behaviour in _named(inputs) for condition in _within(behaviour, inputs)],
            "segment": segment,
            "level": () if level is None else of_metric(ActiveDays(level.window), inputs.signup_event),
        },
        store=questions,
    )


def _named(inputs: Inputs) -> tuple[Behaviour, ...]:
    return tuple(map(parse_behaviour, (*inputs.behaviours, *inputs.inert)))


def _within(behaviour: Behaviour, inputs: Inputs) -> list[Did]:
    return [Did(behaviour, inputs.signup_event, first_days(days)) for days in inputs.days]


def gather(
    questions: WarehouseSession,
    inputs: Inputs,
    restriction: Restriction,
    *,
    seed: int,
    most_units: int = MOST_UNITS,
    progress: Progress = silent,
    early: Early = unseen,
) -> Answers:
    """Run all queries of a study.

    Args:
        questions, inputs: the open warehouse, and checked inputs.
        restriction: the segment, if one was named.
        seed, most_units: of the sample when there are more units, and its size.
        progress: called with the stage and the share done, 0 to 1.
        early: called with preliminary counts as soon as they are known.

    Raises:
        Refused: when no unit is eligible, and as `refuse_marks`.
    """
    refuse_marks(questions, inputs)
    questions = questions.about(*inputs.dates)
    windows, basis = valid_windows(inputs.days, inputs.definition, gap=inputs.gap), questions.basis
    behaviours, left_out = behaviours_of(questions, inputs)
    if early is not unseen and inputs.level is None and questions.events > most_units:  # users are no more than events
        first_counts(questions, inputs, restriction, behaviours, windows, seed=seed, above=most_units, early=early)
    everyone = _everyone(questions, inputs)
    progress("units", 0.2)
    eligible, names, excluded = eligible_units(everyone, restriction)
    ids = np.asarray(eligible["user_id"].to_pylist(), dtype=np.object_)
    chosen = sample(ids, f"study {seed}".encode(), most=most_units)
    picked = eligible.take(pa.array(chosen))
    users = users_table(eligible, None)
    retained, sampled = np.asarray(eligible["retained"]) > 0, chosen.size < ids.size
    rows = None
    if sampled or early is not unseen:  # also without a sample it is much faster than the rows of units
        rows = histogram(questions, inputs, users, windows, behaviours)
        population = who_counts(everyone.num_rows, excluded, retained, _dates(eligible))
        early(COUNTED, naive_counts(rows, inputs, behaviours, windows, population, users=ids.size, seed=seed))
    progress("histogram", 0.3)
    return Answers(
        behaviours=behaviours,
        left_out=left_out,
        windows=windows,
        data_end=basis.data_end,
        time_zone=basis.clock.time_zone,
        signups=everyone.num_rows,
        excluded=excluded,
        unit_ids=ids,
        retained=retained,
        dates=_dates(eligible),
        segment=names,
        sample=chosen,
        first_times=_first_times(questions, behaviours),
        histogram=rows if sampled else None,
        **_of_sample(questions, inputs, picked, behaviours, windows, seed, progress),
        curve=_curve(questions, users_table(eligible, names), inputs.window, names, progress),
    )


def _of_sample(
    questions: WarehouseSession,
    inputs: Inputs,
    picked: pa.Table,
    behaviours: tuple[Behaviour, ...],
    windows: Windows,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Queries about the sampled units only."""
    some, days, basis = users_table(picked, None), list(windows.valid), questions.basis
    counted = questions.run(queries.unit_counts(questions.log, some, basis, days=days, behaviours=behaviours))
    progress("counts", 0.6)
    active_days = _active_days(questions, some, picked, days)
    attributes = _attributes(questions, some, inputs.signup_event, picked)
    progress("attributes", 0.7)
    return {
        "anchors": np.asarray(picked["anchor"]).astype("datetime64[us]"),
        "rows": (counted.unit.to_numpy(), counted.behaviour.to_numpy(), counted[[f"n_{y}" for y in days]].to_numpy()),
        "active_days": active_days,
        "attributes": attributes,
        "unit_days": _unit_days(questions, picked, active_days[:, -1], behaviours, windows.landmark, seed),
        "first_sessions": _first_sessions(questions, some, behaviours, windows.landmark),
    }


def _dates(rows: pa.Table) -> Dates:
    return np.asarray(rows["anchor_date"]).astype("datetime64[D]")


def _everyone(questions: WarehouseSession, inputs: Inputs) -> pa.Table:
    """Units that signed up in the cohort, in a fixed order."""
    users = questions.cohort(inputs.signup_event)
    query = queries.units(questions.log, users, questions.basis, inputs.definition, inputs.level_before)
    return questions.warehouse.arrow(questions.warehouse.named(query, key=KEY)).sort_by("user_id")


def _attributes(questions: WarehouseSession, users: ir.Table, signup: str, picked: pa.Table) -> Attributes:
    properties = questions.warehouse.arrow(queries.signup_properties(questions.log, users, questions.basis, signup))
    texts = dict(zip(properties["user_id"].to_pylist(), properties["properties"].to_pylist(), strict=True))
    return attributes_of([_properties(texts.get(unit)) for unit in picked[KEY].to_pylist()])


def _properties(text: str | None) -> dict[str, object]:
    try:
        properties = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(properties, dict):
        return {}
    return {str(name): value for name, value in properties.items() if not isinstance(value, dict | list)}


def _active_days(questions: WarehouseSession, users: ir.Table, picked: pa.Table, days: list[int]) -> Any:
    """Units × days: active days within each Y, 0 for a unit without a row."""
    frame = questions.run(queries.active_days(questions.log, users, questions.basis, days=days))
    numbers = frame.set_index("user_id").reindex(picked[KEY].to_pylist(), fill_value=0)
    return numbers[[f"active_{y}" for y in days]].to_numpy(dtype=np.int64)


def _unit_days(
    questions: WarehouseSession,
    picked: pa.Table,
    active_days: Any,
    behaviours: tuple[Behaviour, ...],
    days: int,
    seed: int,
) -> UnitDays:
    """Daily counts of some units of the sample: as many as have `MAX_UNITS` active days together."""
    ids = np.asarray(picked["user_id"].to_pylist(), dtype=np.object_)
    order = np.argsort(hashes(ids, f"trials {seed}".encode()), kind="stable")
    chosen = np.sort(order[np.cumsum(active_days[order]) <= MAX_UNITS])
    users = users_table(picked.take(pa.array(chosen)), None)
    counts = questions.warehouse.arrow(
        queries.daily_counts(questions.log, users, questions.basis, days=days, behaviours=behaviours)
    )
    active = questions.warehouse.arrow(queries.days_active(questions.log, users, questions.basis, days=days))
    unit, name, day, number = (counts[column].to_numpy() for column in ("unit", "behaviour", "day", "n"))
    place = codes(np.asarray(name), [str(behaviour) for behaviour in behaviours])
    return unit_days(
        counted=(chosen[unit], place, day, number),
        active=(chosen[active["unit"].to_numpy()], active["day"].to_numpy()),
        behaviours=len(behaviours),
    )


def _first_times(questions: WarehouseSession, behaviours: tuple[Behaviour, ...]) -> dict[str, datetime | None]:
    """When each behaviour first appeared in the log; a condition on a property is looked for in the log itself."""
    some = tuple(behaviour for behaviour in behaviours if behaviour.where is not None)
    names = {row["event"]: row["first_time"] for row in _rows(questions, questions.event_names().drop("users"))}
    found = {str(one): names[one.event] for one in behaviours if one.where is None and one.event in names}
    if not some:
        return found
    rows = _rows(questions, queries.first_times(questions.log, questions.basis, some))
    return found | {row["behaviour"]: row["first_time"] for row in rows}


def _first_sessions(
    questions: WarehouseSession, users: ir.Table, behaviours: tuple[Behaviour, ...], landmark: int
) -> dict[str, tuple[int, int]]:
    query = queries.first_sessions(questions.log, users, questions.basis, behaviours, days=landmark)
    return {row["behaviour"]: (row["doers"], row["in_first_session"]) for row in _rows(questions, query)}


def _curve(
    questions: WarehouseSession, users: ir.Table, window: Window, names: Any, progress: Progress
) -> dict[str, tuple[DayCount, ...]]:
    """Active units by day, the same units on all days: those whose retention window is complete."""
    last = min(window.days_needed - 1, CURVE_DAYS)
    by = [] if names is None else ["segment"]
    query = warehouse_queries.retention_curve(questions.log, users, questions.basis, range(last + 1), by=by)
    curves: dict[str, list[DayCount]] = {}
    for row in _rows(questions, query):
        curves.setdefault(row.get("segment", ""), []).append(DayCount(row["day"], row["active"], row["eligible"]))
    progress("curve", 1.0)
    return {name: tuple(sorted(rows, key=lambda row: row.day)) for name, rows in sorted(curves.items())}


def check_population(
    questions: WarehouseSession, inputs: Inputs, restriction: Restriction, *, for_ranking: bool = False
) -> None:
    """Check before storing a study that a unit is eligible and, for few users, that enough stay and leave.

    Raises:
        Refused: no unit is eligible (names the option responsible); or, with `for_ranking`, there are too few.
    """
    questions = questions.about(*inputs.dates)
    users = questions.cohort(inputs.signup_event)
    users = users.mutate(mature=warehouse_queries.mature(users, inputs.window)).select("user_id", "mature")
    eligible, _names, _excluded = eligible_units(
        questions.warehouse.arrow(questions.warehouse.named(users)), restriction
    )
    if inputs.level is None and (not for_ranking or eligible.num_rows > SURELY_ENOUGH):
        return
    eligible, _names, _excluded = eligible_units(_everyone(questions, inputs), restriction)
    if not for_ranking:
        return
    missing = enough(np.asarray(eligible["retained"]) > 0)
    if missing is not None:
        raise too_small(missing)


def _rows(questions: WarehouseSession, question: ir.Table) -> list[dict[str, Any]]:
    """A small result as Python values."""
    rows: list[dict[str, Any]] = questions.warehouse.arrow(question).to_pylist()
    return rows


# The eligible units of a study, and preliminary counts on a sample, seconds after its start.


# The units of a study as rows: which are eligible, and a warehouse table of them.

KEY = "user_key"  # the unit's key inside the warehouse, beside the id by which samples are drawn


def eligible_units(everyone: pa.Table, restriction: Restriction) -> tuple[pa.Table, Any, dict[str, int]]:
    """Eligible rows, their segment names, and the number excluded by reason; they add up to all signups.

    Raises:
        Refused: when no unit is eligible.
    """
    eligible = np.asarray(everyone["mature"].to_pylist(), dtype=np.bool_)
    excluded, names = {"too_young": int((~eligible).sum())}, None
    ids = everyone["user_id"].to_pylist() if restriction.members is not None else []
    if restriction.members is not None:
        inside = np.fromiter((unit in restriction.members for unit in ids), dtype=np.bool_, count=len(ids))
        excluded["outside_segment"] = int((eligible & ~inside).sum())
        eligible &= inside
    if "at_level" in everyone.column_names:
        there = np.asarray(everyone["at_level"].fill_null(False).to_pylist(), dtype=np.bool_)
        excluded["other_level"] = int((eligible & ~there).sum())
        eligible &= there
    if not eligible.any():
        raise _nobody(excluded)
    if restriction.members is not None and restriction.compare:
        names = np.asarray([restriction.members[ids[place]] for place in np.flatnonzero(eligible)], dtype=np.object_)
    return everyone.filter(pa.array(eligible)), names, excluded


def _nobody(excluded: dict[str, int]) -> Refused:
    if excluded.get("other_level"):
        return Refused("nobody with a complete retention window was at this level.", at="level")
    if excluded.get("outside_segment"):
        return Refused("none of its users is in the cohort with a complete retention window.", at="segment")
    if excluded["too_young"]:
        text = say("none of the {count:,} signups has completed the retention window yet.", count=excluded["too_young"])
        return Refused(text, at="retention")
    return Refused("nobody signed up in these dates.", at="from to")


def users_table(rows: pa.Table, names: Any) -> ir.Table:
    """Units as a table of the warehouse; an Arrow table, since a pandas frame would lose the type of dates."""
    import ibis

    columns = {"user_id": rows[KEY]} | {name: rows[name] for name in ("anchor", "anchor_date", "complete_days")}
    columns["unit"] = pa.array(np.arange(rows.num_rows, dtype=np.int32))
    columns["retained"] = pa.array((np.asarray(rows["retained"]) > 0).astype(np.int32))
    columns["segment"] = pa.array([""] * rows.num_rows if names is None else [str(name) for name in names])
    return ibis.memtable(pa.table(columns))


# Preliminary counts on a sample, seconds after the start, before the slow queries.

FIRST_UNITS = 20_000  # a share of half of them has a 95 % interval of 0.7 points on either side
COLUMNS = ("user_id", "event", "time")


def first_counts(
    questions: WarehouseSession,
    inputs: Inputs,
    restriction: Restriction,
    behaviours: tuple[Behaviour, ...],
    windows: Windows,
    *,
    seed: int,
    above: int,
    early: Early,
) -> None:
    """Publish the naive ranking of a sample, which is drawn before retention is queried.

    Args:
        questions, inputs, restriction, behaviours, windows: of the study.
        seed: of the sample: the units with the smallest hashes, so it is a subset of the study's own sample.
        above: with at most so many eligible units nothing is sampled, since the exact counts are as fast.
        early: called with the counts, whose population has the sample's retention; not called without a sample.
    """
    users = questions.cohort(inputs.signup_event)
    users = users.mutate(mature=warehouse_queries.mature(users, inputs.window))
    everyone = questions.warehouse.arrow(questions.warehouse.named(users, key=KEY))
    if everyone.num_rows <= above:
        return
    try:
        eligible, _, excluded = eligible_units(everyone.sort_by("user_id"), restriction)
    except Refused:  # the study itself reports it
        return
    ids = np.asarray(eligible["user_id"].to_pylist(), dtype=np.object_)
    if ids.size <= above:
        return
    picked = eligible.take(pa.array(sample(ids, f"study {seed}".encode(), most=min(FIRST_UNITS, above))))
    with questions.warehouse.kept(_events_of(questions, picked, _columns(inputs, behaviours))) as log:
        some = replace(questions, warehouse=questions.warehouse.with_events(log))
        picked = _with_retention(some, inputs, picked)
        rows = histogram(some, inputs, users_table(picked, None), windows, behaviours)
    retained = np.asarray(picked["retained"]) > 0
    dates = np.asarray(eligible["anchor_date"]).astype("datetime64[D]")
    whole = replace(who_counts(everyone.num_rows, excluded, retained, dates), eligible=ids.size)
    counts = naive_counts(rows, inputs, behaviours, windows, whole, users=retained.size, seed=seed)
    early(COUNTED, replace(counts, retention_sampled=True))


def naive_counts(
    rows: Mapping[str, Any],
    inputs: Inputs,
    behaviours: tuple[Behaviour, ...],
    windows: Windows,
    population: Population,
    *,
    users: int,
    seed: int,
) -> Counted:
    """The naive ranking from a histogram of `users` users, of whom the population's `retained` were retained."""
    names = [str(behaviour) for behaviour in behaviours]
    cells = cells_of_answer(rows, names, windows.valid, inputs.max_times, users, population.retained)
    return counted(cells, names, population, rule=inputs.choose, users=users, seed=seed)


def histogram(
    questions: WarehouseSession, inputs: Inputs, users: ir.Table, windows: Windows, behaviours: tuple[Behaviour, ...]
) -> Mapping[str, Any]:
    """Number of users by behaviour and number of times: the whole grid from one query."""
    query = queries.histogram(
        questions.log, users, questions.basis, days=windows.valid, cap=inputs.largest_times, behaviours=behaviours
    )
    frame = questions.run(query)
    return {name: frame[name].to_numpy() for name in frame.columns}


def _columns(inputs: Inputs, behaviours: tuple[Behaviour, ...]) -> tuple[str, ...]:
    """Columns to read: properties, most of a log's bytes, only where a behaviour or the retention may use one."""
    plain = isinstance(inputs.definition, Active) and not any(
        behaviour.where or behaviour.distinct for behaviour in behaviours
    )
    return COLUMNS if plain else (*COLUMNS, "properties")


def _events_of(questions: WarehouseSession, picked: pa.Table, columns: tuple[str, ...]) -> ir.Table:
    """All events of some units from their dates on, from one scan of the log, for the queries that follow."""
    import ibis

    ids = ibis.memtable(pa.table({"user_id": picked[KEY]}))
    log = of_days(questions.log, questions.basis, EVER)
    return log.select(*columns).semi_join(ids, "user_id")


def _with_retention(questions: WarehouseSession, inputs: Inputs, picked: pa.Table) -> pa.Table:
    import ibis

    columns = {"user_id": picked[KEY]} | {name: picked[name] for name in ("anchor", "anchor_date", "complete_days")}
    users = ibis.memtable(pa.table(columns))
    query = warehouse_queries.retention(questions.log, users, questions.basis, inputs.definition)
    return questions.warehouse.arrow(query.mutate(**{KEY: query.user_id}).order_by("user_id"))
