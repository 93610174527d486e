"""Moments by side from the log: unit ids are read out to be hashed and aren't stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from events.asking import Questions
from events.metrics import parse_metric
from experiments.analyse.gather.queries import events_needed, known_events
from experiments.analyse.holdout_report import queries
from experiments.analyse.holdout_report.holdout_question import HELD, REST, HoldoutQuestion, Population, definitions
from experiments.analyse.holdout_report.sides import SideMoments
from experiments.draw.bucketing_many import read_units, unit_hashes
from experiments.plan.record import WHOLE
from runs.progress import Progress, silent
from stats.summaries import Joint

if TYPE_CHECKING:
    import ibis.expr.types as ir


def moments_of(
    questions: Questions, asked: HoldoutQuestion, until: datetime, *, progress: Progress = silent
) -> SideMoments:
    """Query the population and its outcomes, and split them by the holdout's draw.

    Args:
        questions: the open warehouse, whose clock counts days as the plan does.
        asked: the plan.
        until: moment up to which data are read.
        progress: called with the share that is done.

    Raises:
        Refused: the log doesn't have an event that the plan names.
    """
    _need_events(questions, asked)
    basis = replace(questions.basis, data_end=min(until, _like(questions.basis.data_end, until)))
    log = queries.without_exposures(questions.log, basis)
    progress("events", 0.1)
    with questions.warehouse.kept(queries.population(log, asked, basis)) as users:
        progress("units", 0.4)
        values = queries.outcome_by_unit(log, users, asked, basis)
        found = _split(questions, asked, values)
    progress("outcomes", 0.9)
    return found


def _split(questions: Questions, asked: HoldoutQuestion, values: ir.Table) -> SideMoments:
    names = list(definitions(asked.outcome))
    units = dict.fromkeys((HELD, REST), 0)
    outcome = dict.fromkeys((HELD, REST), Joint.from_columns(np.zeros((0, len(names)))))
    for batch in questions.warehouse.batches(questions.warehouse.named(values)):
        draws = unit_hashes(asked.seed, read_units(batch.column("user_id").to_pylist()))
        # Compare whole steps of the draws, since 0.07 * 10,000 isn't exactly 700 in floating point.
        held = np.rint(draws * WHOLE) < asked.share
        columns = np.column_stack([_floats(batch, name) for name in names])
        mature = ~np.isnan(columns).any(axis=1)
        for side, inside in ((HELD, held), (REST, ~held)):
            units[side] += int(inside.sum())
            outcome[side] += Joint.from_columns(columns[inside & mature])
    return SideMoments(units, outcome)


def _floats(batch: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    found: np.ndarray[Any, np.dtype[np.float64]] = batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def _need_events(questions: Questions, asked: HoldoutQuestion) -> None:
    named = dict.fromkeys(events_needed(parse_metric(asked.outcome)), asked.outcome)
    if asked.population is Population.SIGNUP:
        named[asked.signup_event] = asked.signup_event
    for name, text in named.items():
        if not len(questions.run(known_events(questions.log, name))):
            questions.need_event(name, where=text)


def _like(moment: datetime, other: datetime) -> datetime:
    return moment if moment.tzinfo == other.tzinfo else moment.replace(tzinfo=other.tzinfo)
