"""The answers of the warehouse that a study needs, asked in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from aha.study.hold_out import hashes, sample
from aha.study.population import Restriction
from aha.study.question import MAX_BEHAVIOURS, Inputs
from aha.study.ranking import Attributes, attributes_of
from aha.study.window_guard import Windows, valid_windows
from events.asking import Questions
from events.counting import queries as events_queries
from events.counting.unit_values import EXPOSURE_EVENTS
from events.metrics import Behaviour, parse_behaviour
from events.windows import Window
from reporting.words import say
from runs.progress import Progress, silent
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_UNITS = 200_000
CURVE_DAYS = 60
KEY = "user_key"  # what a unit is inside the warehouse, beside the id that samples are drawn by


def behaviours_of(questions: Questions, inputs: Inputs) -> tuple[tuple[Behaviour, ...], int]:
    """What to count, and how many event names are left out: those that the fewest units did."""
    if inputs.behaviours:
        return inputs.listed, 0
    names = questions.run(events_queries.event_names(questions.log)).sort_values(
        ["users", "event"], ascending=[False, True]
    )
    found = [Behaviour(str(name)) for name in names.event if name not in EXPOSURE_EVENTS]
    shown = tuple(sorted(found[:MAX_BEHAVIOURS], key=str))
    extra = tuple(b for b in map(parse_behaviour, inputs.inert) if b not in shown)
    return (*shown, *extra), max(len(found) - MAX_BEHAVIOURS, 0)


def gather(
    questions: Questions,
    inputs: Inputs,
    restriction: Restriction,
    *,
    seed: int,
    most_units: int = MOST_UNITS,
    progress: Progress = silent,
) -> Answers:
    """Ask everything.

    Args:
        questions, inputs: the open warehouse, and checked inputs.
        restriction: the segment, if one was named.
        seed, most_units: of the sample when there are more units, and its size.
        progress: told how far it is.

    Raises:
        Refused: when no unit is eligible.
    """
    windows, basis = valid_windows(inputs.days, inputs.definition, gap=inputs.gap), questions.basis
    everyone = _everyone(questions, inputs)
    progress("units", 0.2)
    eligible, names, excluded = _eligible(everyone, restriction)
    ids = np.asarray(eligible["user_id"].to_pylist(), dtype=np.object_)
    chosen = sample(ids, f"study {seed}".encode(), most=most_units)
    picked = eligible.take(pa.array(chosen))
    behaviours, left_out = behaviours_of(questions, inputs)
    users, some = (_users(rows, None) for rows in (eligible, picked))
    days = list(windows.valid)
    counted = questions.run(queries.unit_counts(questions.log, some, basis, days=days, behaviours=behaviours))
    progress("counts", 0.5)
    histogram = None if chosen.size == ids.size else _histogram(questions, inputs, users, windows, behaviours)
    progress("histogram", 0.6)
    active_days = _active_days(questions, some, picked, days)
    attributes = _attributes(questions, some, inputs.signup_event, picked)
    progress("attributes", 0.7)
    return Answers(
        behaviours=behaviours,
        left_out=left_out,
        windows=windows,
        data_end=basis.data_end,
        time_zone=basis.clock.time_zone,
        signups=everyone.num_rows,
        excluded=excluded,
        unit_ids=ids,
        retained=np.asarray(eligible["retained"]) > 0,
        dates=np.asarray(eligible["anchor_date"]).astype("datetime64[D]"),
        segment=names,
        sample=chosen,
        anchors=np.asarray(picked["anchor"]).astype("datetime64[us]"),
        rows=(counted.unit.to_numpy(), counted.behaviour.to_numpy(), counted[[f"n_{y}" for y in days]].to_numpy()),
        active_days=active_days,
        unit_days=_unit_days(questions, picked, active_days[:, -1], behaviours, windows.landmark, seed),
        attributes=attributes,
        first_times=_first_times(questions, behaviours),
        first_sessions=_first_sessions(questions, some, behaviours, windows.landmark),
        histogram=histogram,
        curve=_curve(questions, _users(eligible, names), inputs.window, names, progress),
    )


def _everyone(questions: Questions, inputs: Inputs) -> pa.Table:
    """Who signed up in the cohort, in a fixed order."""
    first, last = inputs.dates
    asked = queries.units(
        questions.log, questions.basis, signup=inputs.signup_event, definition=inputs.definition, first=first, last=last
    )
    return questions.warehouse.arrow(questions.warehouse.named(asked, key=KEY)).sort_by("user_id")


def _eligible(everyone: pa.Table, restriction: Restriction) -> tuple[pa.Table, Any, dict[str, int]]:
    """Eligible rows, their segment names, and the number excluded by reason; they add up to all signups.

    Raises:
        Refused: when no unit is eligible.
    """
    kept = np.asarray(everyone["mature"].to_pylist(), dtype=np.bool_)
    excluded, names = {"too_young": int((~kept).sum())}, None
    if restriction.members is not None:
        ids = everyone["user_id"].to_pylist()
        inside = np.fromiter((unit in restriction.members for unit in ids), dtype=np.bool_, count=len(ids))
        excluded["outside_segment"] = int((kept & ~inside).sum())
        kept &= inside
        if restriction.compare:
            names = np.asarray([restriction.members[ids[place]] for place in np.flatnonzero(kept)], dtype=np.object_)
    if not kept.any():
        raise _nobody(excluded)
    return everyone.filter(pa.array(kept)), names, excluded


def _nobody(excluded: dict[str, int]) -> Refused:
    if excluded.get("outside_segment"):
        return Refused("none of its units is in the cohort with a complete retention window.", at="segment")
    if excluded["too_young"]:
        text = say("none of the {count:,} signups has completed the retention window yet.", count=excluded["too_young"])
        return Refused(text, at="retention")
    return Refused("nobody signed up in these dates.", at="from to")


def _users(rows: pa.Table, names: Any) -> ir.Table:
    """Units as a table of the warehouse; an Arrow table, since a pandas frame would lose the type of dates."""
    import ibis

    columns = {"user_id": rows[KEY]} | {name: rows[name] for name in ("anchor", "anchor_date", "complete_days")}
    columns["unit"] = pa.array(np.arange(rows.num_rows, dtype=np.int32))
    columns["retained"] = pa.array((np.asarray(rows["retained"]) > 0).astype(np.int32))
    columns["segment"] = pa.array([""] * rows.num_rows if names is None else [str(name) for name in names])
    return ibis.memtable(pa.table(columns))


def _histogram(
    questions: Questions, inputs: Inputs, users: ir.Table, windows: Windows, behaviours: tuple[Behaviour, ...]
) -> Mapping[str, Any]:
    asked = queries.histogram(
        questions.log, users, questions.basis, days=windows.valid, cap=inputs.largest_times, behaviours=behaviours
    )
    found = questions.run(asked)
    return {name: found[name].to_numpy() for name in found.columns}


def _attributes(questions: Questions, users: ir.Table, signup: str, picked: pa.Table) -> Attributes:
    found = questions.warehouse.arrow(queries.signup_properties(questions.log, users, signup))
    texts = dict(zip(found["user_id"].to_pylist(), found["properties"].to_pylist(), strict=True))
    return attributes_of([_properties(texts.get(unit)) for unit in picked[KEY].to_pylist()])


def _properties(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): value for name, value in found.items() if not isinstance(value, dict | list)}


def _active_days(questions: Questions, users: ir.Table, picked: pa.Table, days: list[int]) -> Any:
    """Units × days: active days within each Y, 0 for a unit without a row."""
    found = questions.run(queries.active_days(questions.log, users, questions.basis, days=days))
    numbers = found.set_index("user_id").reindex(picked[KEY].to_pylist(), fill_value=0)
    return numbers[[f"active_{y}" for y in days]].to_numpy(dtype=np.int64)


def _unit_days(
    questions: Questions, picked: pa.Table, active_days: Any, behaviours: tuple[Behaviour, ...], days: int, seed: int
) -> UnitDays:
    """What some units of the sample did day by day: as many as have `MAX_UNITS` active days together."""
    ids = np.asarray(picked["user_id"].to_pylist(), dtype=np.object_)
    order = np.argsort(hashes(ids, f"trials {seed}".encode()), kind="stable")
    chosen = np.sort(order[np.cumsum(active_days[order]) <= MAX_UNITS])
    users = _users(picked.take(pa.array(chosen)), None)
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


def _first_times(questions: Questions, behaviours: tuple[Behaviour, ...]) -> dict[str, datetime | None]:
    found = _rows(questions, queries.first_times(questions.log, questions.basis, behaviours))
    return {row["behaviour"]: row["first_time"] for row in found}


def _first_sessions(
    questions: Questions, users: ir.Table, behaviours: tuple[Behaviour, ...], landmark: int
) -> dict[str, tuple[int, int]]:
    asked = queries.first_sessions(questions.log, users, questions.basis, behaviours, days=landmark)
    return {row["behaviour"]: (row["doers"], row["in_first_session"]) for row in _rows(questions, asked)}


def _curve(
    questions: Questions, users: ir.Table, window: Window, names: Any, progress: Progress
) -> dict[str, tuple[DayCount, ...]]:
    """Active units by day, the same units on all days: those whose retention window is complete."""
    last = min(window.days_needed - 1, CURVE_DAYS)
    by = [] if names is None else ["segment"]
    asked = events_queries.retention_curve(questions.log, users, questions.basis, range(last + 1), by=by)
    found: dict[str, list[DayCount]] = {}
    for row in _rows(questions, asked):
        found.setdefault(row.get("segment", ""), []).append(DayCount(row["day"], row["active"], row["eligible"]))
    progress("curve", 1.0)
    return {name: tuple(sorted(rows, key=lambda row: row.day)) for name, rows in sorted(found.items())}


def check_population(questions: Questions, inputs: Inputs, restriction: Restriction) -> None:
    """One question before a study is kept: is anybody eligible?

    Raises:
        Refused: nobody is, with the option that left them out.
    """
    first, last = inputs.dates
    users = events_queries.cohort(questions.log, inputs.signup_event, questions.basis, first=first, last=last)
    users = users.mutate(mature=events_queries.mature(users, inputs.window)).select("user_id", "mature")
    _eligible(questions.warehouse.arrow(questions.warehouse.named(users)), restriction)


def _rows(questions: Questions, question: ir.Table) -> list[dict[str, Any]]:
    """A small answer as plain values."""
    found: list[dict[str, Any]] = questions.warehouse.arrow(question).to_pylist()
    return found
