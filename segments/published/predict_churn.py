"""Churn risk of a published segment: a calibrated model on its play pattern, scores and reasons for its units."""

from collections.abc import Iterator
from functools import partial
from itertools import batched
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from events.metrics import Survival, is_display_only, outcome_window, parse_retention
from events.warehouse import queries
from events.warehouse.arm_marks import of_metric, refuse_arm_marks
from events.warehouse.price import Store
from events.warehouse.price import price_of as store_price
from events.warehouse.readings import Reading, cohort, outcomes, user_names
from events.warehouse.session import questions
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress, part
from runs.refusals import Refused
from segments.models import ChurnRun, Membership, Segment
from segments.published import churn_model
from segments.published.churn_model import CHURN, ChurnResult
from segments.published.publish import counted_of
from segments.published.segment_marks import of_segments
from segments.search.features import Floats, UnitTable
from segments.search.gather import read_units
from segments.search.readings import units
from stats.results import NotComputable

BATCH = 5_000


def start_churn(*, segment: Segment, retention: str, seed: int = 1, by: User | None = None) -> ChurnRun:
    """Queue a churn model for a segment.

    Args:
        segment: one of a current version; its units' play in the version's window predicts leaving.
        retention: what "stayed" means, as a SPEC; it must begin after the window.
        seed: of samples, folds and trees.
        by: the user who starts it.

    Raises:
        Refused: a retention that can't be parsed, has no end, or overlaps the window.
    """
    definition = parse_retention(retention)
    if segment.version.origin is not None:
        raise Refused("What these users did decided that they are in this list, so their leaving can't be predicted.")
    last_day = int(segment.version.inputs["last_day"])
    if isinstance(definition, Survival) or is_display_only(definition):
        raise Refused("A churn model needs a retention with a fixed window, for example window:21-27.")
    if outcome_window(definition).start_day <= last_day:
        raise Refused(
            "The retention {retention} begins inside the window of play, which ends on day {day}.",
            retention=retention,
            day=last_day,
        )
    return enqueue(ChurnRun(segment=segment, inputs={"retention": retention}, seed=seed, created_by=by))


def price_of_run(run: ChurnRun) -> Price:
    """What a stored run would read."""
    inputs, behaviours = counted_of(run.segment.version)
    definition = parse_retention(run.inputs["retention"])

    def readings(store: Store) -> Iterator[Reading]:
        yield from units(inputs, store, behaviours)
        yield cohort(store.basis, inputs.signup_event)
        yield from outcomes(store.basis, [definition])
        yield user_names()

    return store_price(readings, day_mode=inputs.day_mode)


def _compute(run: ChurnRun, progress: Progress, _early: Early) -> ChurnResult:
    """The model's quality; the segment's units get their scores."""
    progress("counts", 0.0)
    table, retained = _read(run)
    values, names = _features(table)
    known = ~np.isnan(retained)
    result = partial(ChurnResult, run.inputs["retention"], len(table), int(known.sum()))
    fit = churn_model.fit_churn(
        values[known], retained[known] == 0.0, names=names, seed=run.seed, progress=part(progress, 0.2, 0.9)
    )
    if isinstance(fit, NotComputable):
        _store(run.segment, {})  # delete the scores of an older model when the new one is refused
        return result(fit)
    scores = churn_model.score(fit.model, values)
    probability = scores.probability.copy()
    probability[known] = fit.scores.probability  # out of fold for training units
    reasons = _reasons(fit.model, scores)
    _store(
        run.segment,
        {str(unit): (float(risk), why) for unit, risk, why in zip(table.unit_ids, probability, reasons, strict=True)},
    )
    ChurnRun.objects.filter(pk=run.pk).update(model=churn_model.to_document(fit.model))
    return result(fit.quality, float(probability.mean()))


compute_churn = Computation(ChurnRun, _compute, CHURN.store)


def _read(run: ChurnRun) -> tuple[UnitTable, Floats]:
    """Current units of the segment, and whether each was retained; NaN where its days aren't complete."""
    version = run.segment.version
    inputs, behaviours = counted_of(version)
    members = set(run.segment.members.values_list("unit", flat=True))
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as store:
        outcome_asks = of_metric(parse_retention(run.inputs["retention"]), inputs.signup_event)
        refuse_arm_marks({"": (*of_segments(version, [run.segment]), *outcome_asks)}, store=store)
        table = read_units(store, inputs, behaviours)
        table = table.take(np.array([unit in members for unit in table.unit_ids], dtype=np.bool_))
        users = store.cohort(inputs.signup_event)
        outcome = queries.retention(store.log, users, store.basis, parse_retention(run.inputs["retention"]))
        frame = store.units(outcome.select("user_id", "retained")).set_index("user_id")
    return table, frame.retained.reindex(table.unit_ids).to_numpy(dtype=np.float64)


def _features(table: UnitTable) -> tuple[Floats, tuple[str, ...]]:
    """Play per active day, and the activity block: activity is allowed, since the model only predicts."""
    days = np.maximum(table.active_days, 1)
    per_day = table.counts / days[:, None]
    names = (*table.behaviours, "active days", "sessions per day", "days since last active")
    return np.column_stack([per_day, table.active_days, table.sessions / days, table.recency]), names


def _reasons(model: Any, scores: Any) -> list[list[str]]:
    """Names of the groups that raise each unit's risk, the largest first."""
    labels = [" / ".join(model.names[place] for place in group) for group in model.groups]
    return [
        [labels[group] for group, effect in zip(groups, effects, strict=True) if effect > 0]
        for groups, effects in zip(scores.reason_group.tolist(), scores.reason_effect.tolist(), strict=True)
    ]


def _store(segment: Segment, scored: dict[str, tuple[float, list[str]]]) -> None:
    with transaction.atomic():
        segment.members.update(risk=None, reasons=None)
        rows = [row for row in segment.members.only("pk", "unit") if row.unit in scored]
        for row in rows:
            row.risk, row.reasons = scored[row.unit]
        for batch in batched(rows, BATCH):
            Membership.objects.bulk_update(batch, ["risk", "reasons"])
