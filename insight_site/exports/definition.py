"""The definition of a plan as exchanged between sites: everything that determines assignment, with its history.

Units, events, keys and results are left out: results in one environment say nothing about users in the next.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min
from django.utils import timezone

from experiments.api.serializers import ExperimentSerializer
from experiments.models import Assignment, Experiment
from experiments.plan.record import AMENDABLE, FROZEN
from insight_site.models import Promotion

FORMAT = 1
# Fields that name rows of this site, or that are decided where the plan starts.
LEFT_BEHIND = ("sources", "holdout", "owner", "tags", "metrics", "drafted_by_agent")


def definition_of(experiment: Experiment) -> dict[str, Any]:
    """The definition of an experiment, in any state.

    Returns:
        JSON: `plan` as REST takes it, `draw` (seed and version of the hash: with both, every unit gets the same arm in
            each environment), `history` from its creation, `tried` (assignments made here), and a `digest` of the rest.
    """
    plan = dict(ExperimentSerializer(experiment).data)
    fields = set(ExperimentSerializer.Meta.fields) - set(ExperimentSerializer.Meta.read_only_fields)
    fields -= {"status", "created_by", *LEFT_BEHIND}
    document = {
        "format": FORMAT,
        "environment": settings.ENVIRONMENT,
        "made_at": timezone.now().isoformat(timespec="seconds"),
        "plan": {name: value for name, value in plan.items() if name in fields},
        "draw": {"seed": experiment.seed, "hash_version": experiment.hash_version},
        "version": experiment.version,
        "status": experiment.status,
        "history": [*_before(experiment), *_history(experiment)],
        "tried": _tried(experiment),
    }
    plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return {**plain, "digest": digest_of(plain)}


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 of the document without its digest, in canonical JSON."""
    rest = {name: value for name, value in document.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _before(experiment: Experiment) -> list[dict[str, Any]]:
    """Its history in the environments before this one."""
    came = Promotion.objects.filter(experiment=experiment).first()
    return list(came.history) if came else []


def _history(experiment: Experiment) -> list[dict[str, Any]]:
    """Each state with who, when and why; and which fields of the plan changed."""
    states: list[dict[str, Any]] = []
    earlier: dict[str, Any] | None = None
    for row in experiment.history.select_related("history_user").order_by("history_date", "history_id"):
        plan = {name: getattr(row, name) for name in (*FROZEN, *AMENDABLE)}
        changed: list[str] = (
            [] if earlier is None else sorted(name for name, value in plan.items() if earlier[name] != value)
        )
        states.append(
            {
                "environment": settings.ENVIRONMENT,
                "at": row.history_date.isoformat(timespec="seconds"),
                "by": row.history_user.username if row.history_user else None,
                "why": row.history_change_reason or "",
                "status": row.status,
                "version": row.version,
                "changed": changed,
            }
        )
        earlier = plan
    return states


def _tried(experiment: Experiment) -> dict[str, Any]:
    """Assignments made here: number of units, how many were exposed, first and last time."""
    rows = Assignment.objects.filter(experiment=experiment).aggregate(
        units=Count("pk"), exposed=Count("exposed_at"), first=Min("assigned_at"), last=Max("assigned_at")
    )
    return {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in rows.items()
    }
