"""The eligible units of a study, and preliminary counts on a sample, seconds after its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aha.study import queries
from aha.study.hold_out import sample
from aha.study.population import Restriction
from aha.study.preliminary import COUNTED, Counted, cells_of_answer, counted
from aha.study.question import Inputs
from aha.study.report_columns import who_counts
from aha.study.result import Population
from aha.study.window_guard import Windows
from events.asking import Questions
from events.counting import queries as events_queries
from events.metrics import Active, Behaviour
from reporting.words import say
from runs.progress import Early
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir


# The units of a study as rows: which are eligible, and a warehouse table of them.

KEY = "user_key"  # the unit's key inside the warehouse, beside the id by which samples are drawn


def eligible_units(everyone: pa.Table, restriction: Restriction) -> tuple[pa.Table, Any, dict[str, int]]:
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
    questions: Questions,
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
    first, last = inputs.dates
    users = events_queries.cohort(questions.log, inputs.signup_event, questions.basis, first=first, last=last)
    users = users.mutate(mature=events_queries.mature(users, inputs.window))
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
    with questions.warehouse.kept(_events_of(questions.log, picked, _columns(inputs, behaviours))) as log:
        some = replace(questions, warehouse=replace(questions.warehouse, events=log))
        picked = _with_retention(some, inputs, picked)
        rows = histogram(some, inputs, users_table(picked, None), windows, behaviours)
    retained = np.asarray(picked["retained"]) > 0
    dates = np.asarray(eligible["anchor_date"]).astype("datetime64[D]")
    whole = replace(who_counts(everyone.num_rows, excluded, retained, dates), eligible=ids.size)
    found = naive_counts(rows, inputs, behaviours, windows, whole, users=retained.size, seed=seed)
    early(COUNTED, replace(found, retention_sampled=True))


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
    return counted(cells, population, rule=inputs.choose, users=users, seed=seed)


def histogram(
    questions: Questions, inputs: Inputs, users: ir.Table, windows: Windows, behaviours: tuple[Behaviour, ...]
) -> Mapping[str, Any]:
    """Number of users by behaviour and number of times: the whole grid from one query."""
    asked = queries.histogram(
        questions.log, users, questions.basis, days=windows.valid, cap=inputs.largest_times, behaviours=behaviours
    )
    found = questions.run(asked)
    return {name: found[name].to_numpy() for name in found.columns}


def _columns(inputs: Inputs, behaviours: tuple[Behaviour, ...]) -> tuple[str, ...]:
    """Columns to read: properties, most of a log's bytes, only where a behaviour or the retention may use one."""
    plain = isinstance(inputs.definition, Active) and not any(one.where or one.distinct for one in behaviours)
    return COLUMNS if plain else (*COLUMNS, "properties")


def _events_of(log: ir.Table, picked: pa.Table, columns: tuple[str, ...]) -> ir.Table:
    """All events of some units, from one scan of the log, materialised for the queries that follow."""
    import ibis

    ids = ibis.memtable(pa.table({"user_id": picked[KEY]}))
    return log.select(*columns).semi_join(ids, "user_id")


def _with_retention(questions: Questions, inputs: Inputs, picked: pa.Table) -> pa.Table:
    import ibis

    columns = {"user_id": picked[KEY]} | {name: picked[name] for name in ("anchor", "anchor_date", "complete_days")}
    users = ibis.memtable(pa.table(columns))
    asked = events_queries.retention(questions.log, users, questions.basis, inputs.definition)
    return questions.warehouse.arrow(asked.mutate(**{KEY: asked.user_id}).order_by("user_id"))
