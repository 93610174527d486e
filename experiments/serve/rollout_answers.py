"""Answers of rollouts for many units; reads rows only where the hash can't decide. Stores nothing, exposes no unit."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

import structlog
from django.utils import timezone

from events.models import UnitTraits
from events.outbox import away
from experiments.draw import rolled_out
from experiments.draw.evaluation import Evaluation, Failed, Flag
from experiments.draw.rollout_record import RolloutRecord
from experiments.draw.whole_clusters import cluster_id
from experiments.serve import remembered
from experiments.serve.config import AWAY
from experiments.serve.keeping import stored_rows
from experiments.serve.person import drawing_ids
from experiments.serve.remembered import Pair, Stamp, Stored
from experiments.serve.unit_facts import segment_of, traits_with
from segments.published.members import slugs_of

log = structlog.get_logger()

type Contexts = Mapping[str, Mapping[str, Any]]  # by unit
type Shipped = tuple[str, Flag, RolloutRecord]


def rollout_answers(
    pairs: Sequence[Shipped], contexts: Contexts, stamp: Stamp, *, patient: bool
) -> dict[Pair, Evaluation | Failed]:
    """The answer of each unit for each rolled-out flag.

    Args:
        pairs: unit, flag and its rollout.
        contexts: attributes by unit.
        stamp: of the flags' configuration.
        patient: while the database is unavailable, answer by the hash where possible, else `Failed`.

    Raises:
        django.db.Error: the database is unavailable, unless patient.
    """
    now = timezone.now()
    answers: dict[Pair, Evaluation | Failed] = {}
    unsure: list[Shipped] = []
    drawing = _drawing_ids({unit for unit, _flag, _rollout in pairs}, patient=patient)
    for unit, flag, rollout in pairs:
        found = rolled_out.by_hash_alone(flag, rollout, drawing.get(unit, unit), now)
        if found is None:
            unsure.append((unit, flag, rollout))
        else:
            answers[unit, flag.pk] = found
    if not unsure:
        return answers
    began = time.monotonic()
    try:
        away.refuse_if_silent()
        return answers | _read(unsure, contexts, drawing, stamp if patient else None, now)
    except AWAY as trouble:
        if not patient:
            raise
        away.note(began)
        log.warning("rollout.database_away", error=type(trouble).__name__)
        why = "the database is away, and this flag needs what is stored about the unit"
        return answers | {(unit, flag.pk): Failed(flag, why) for unit, flag, _ in unsure}


def _drawing_ids(units: set[str], *, patient: bool) -> Mapping[str, str]:
    """The id by which each unit draws, as in the experiment; while the database is unavailable its own."""
    try:
        return drawing_ids(units)
    except AWAY:
        if not patient:
            raise
        return {}


def _read(
    pairs: Sequence[Shipped], contexts: Contexts, drawing: Mapping[str, str], stamp: Stamp | None, now: datetime
) -> dict[Pair, Evaluation]:
    had = _had(pairs, stamp)
    wanted = {unit for unit, _flag, _rollout in pairs}
    rows = UnitTraits.objects.filter(user_id__in=wanted).values_list("user_id", "traits")
    about: dict[str, dict[str, Any]] = dict(rows)
    published = cache(slugs_of)  # once per unit, whatever the flags
    answers = {}
    for unit, flag, rollout in pairs:
        traits = traits_with(about.get(unit, {}), contexts[unit])
        segments = partial(published, unit)
        answers[unit, flag.pk] = rolled_out.answer(
            flag,
            rollout,
            drawing.get(unit, unit),
            now,
            had=had.get((unit, flag.pk)) == flag.arms[rollout.arm].pk,
            row=segment_of(traits, rollout.rows, segments),
            audience=segment_of(traits, flag.rows, segments),
            cluster=cluster_id(traits.get(flag.cluster)) if flag.cluster else None,
        )
    return answers


def _had(pairs: Sequence[Shipped], stamp: Stamp | None) -> dict[Pair, int]:
    """The stored variant of units that have one. Without a stamp nothing is cached: a batch would evict other units."""
    known: dict[Pair, Stored] = {}
    for unit, flag, _rollout in pairs:
        if stamp is not None and (row := remembered.recall((unit, flag.pk), stamp)) is not None:
            known[unit, flag.pk] = row
    open_pairs = [(unit, flag) for unit, flag, _ in pairs if (unit, flag.pk) not in known]
    stored = stored_rows(open_pairs) if open_pairs else {}
    if stamp is not None:
        remembered.keep(stored, stamp)
    return {pair: row.variant_id for pair, row in {**known, **stored}.items()}
