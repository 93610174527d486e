"""Convert stored rollouts to and from the records that are served."""

from datetime import datetime
from typing import Any

from experiments.draw.rollout_record import RolloutRecord, RolloutRow, Step, rollout_seed
from experiments.models import Experiment, Rollout


def rollout_of(experiment: Experiment) -> RolloutRecord | None:
    """The rollout of a stored experiment; None without an active one.

    Args:
        experiment: with prefetched variants and rollout.
    """
    stored: Rollout | None = getattr(experiment, "rollout", None)
    if stored is None or not stored.is_on:
        return None
    return record_of(stored, [variant.pk for variant in experiment.variants.all()].index(stored.variant_id))


def record_of(stored: Rollout, arm: int) -> RolloutRecord:
    """The row as a record; `arm` is the index of its variant."""
    return RolloutRecord(
        arm=arm,
        state=stored.state,
        seed=rollout_seed(stored.experiment.seed),
        rows=rows_of(stored.rows),
        held_at=stored.held_at,
    )


def rows_of(document: list[dict[str, Any]]) -> tuple[RolloutRow, ...]:
    """JSON rows as records."""
    return tuple(
        RolloutRow(
            row["segment"],
            row["rule"],
            tuple(Step(datetime.fromisoformat(step["at"]), step["share"]) for step in row["steps"]),
        )
        for row in document
    )


def document_of(rows: tuple[RolloutRow, ...]) -> list[dict[str, Any]]:
    """Records as JSON rows."""
    return [
        {
            "segment": row.segment,
            "rule": row.rule,
            "steps": [{"at": step.at.isoformat(), "share": step.share} for step in row.steps],
        }
        for row in rows
    ]
