"""The first counts of a study, seconds after its start, and its eligible units."""

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


# The units of a study as rows: who is eligible, and how they are handed back to the warehouse.

KEY = "user_key"  # what a unit is inside the warehouse, beside the id that samples are drawn by


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


# The first counts of a study: seconds after its start, while the warehouse is asked for all the rest.

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
    """Tell the naive ranking of a sample that is drawn before anybody's retention is known.

    Args:
        questions, inputs, restriction, behaviours, windows: of the study.
        seed: of the sample: the units with the smallest hashes, as in the study's own, so this is a part of that one.
        above: up to so many eligible units there is no sample, and the study's own counts come as soon.
        early: told the counts, whose population tells of retention what the sample does; nothing without a sample.
    """
    first, last = inputs.dates
    users = events_queries.cohort(questions.log, inputs.signup_event, questions.basis, first=first, last=last)
    users = users.mutate(mature=events_queries.mature(users, inputs.window))
    everyone = questions.warehouse.arrow(questions.warehouse.named(users, key=KEY))
    if everyone.num_rows <= above:
        return
    try:
        eligible, _, excluded = eligible_units(everyone.sort_by("user_id"), restriction)
    except Refused:  # the study itself says so
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
    """The naive ranking of a histogram of so many users, of whom the population's `retained` were retained."""
    names = [str(behaviour) for behaviour in behaviours]
    cells = cells_of_answer(rows, names, windows.valid, inputs.max_times, users, population.retained)
    return counted(cells, population, rule=inputs.choose, users=users, seed=seed)


def histogram(
    questions: Questions, inputs: Inputs, users: ir.Table, windows: Windows, behaviours: tuple[Behaviour, ...]
) -> Mapping[str, Any]:
    """How many of the users did each behaviour how often: the whole grid in one answer."""
    asked = queries.histogram(
        questions.log, users, questions.basis, days=windows.valid, cap=inputs.largest_times, behaviours=behaviours
    )
    found = questions.run(asked)
    return {name: found[name].to_numpy() for name in found.columns}


def _columns(inputs: Inputs, behaviours: tuple[Behaviour, ...]) -> tuple[str, ...]:
    """The properties are most of a log's bytes: they are read only where something asks for one."""
    plain = isinstance(inputs.definition, Active) and not any(one.where or one.distinct for one in behaviours)
    return COLUMNS if plain else (*COLUMNS, "properties")


def _events_of(log: ir.Table, picked: pa.Table, columns: tuple[str, ...]) -> ir.Table:
    """All events of some units: one scan of the log, kept for the questions that follow."""
    import ibis

    ids = ibis.memtable(pa.table({"user_id": picked[KEY]}))
    return log.select(*columns).semi_join(ids, "user_id")


def _with_retention(questions: Questions, inputs: Inputs, picked: pa.Table) -> pa.Table:
    import ibis

    columns = {"user_id": picked[KEY]} | {name: picked[name] for name in ("anchor", "anchor_date", "complete_days")}
    users = ibis.memtable(pa.table(columns))
    asked = events_queries.retention(questions.log, users, questions.basis, inputs.definition)
    return questions.warehouse.arrow(asked.mutate(**{KEY: asked.user_id}).order_by("user_id"))
