"""Experiments with what their latest good analysis says, for lists: no payload is read whole."""

from typing import Any

from django.db.models import FloatField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from experiments.models import Analysis, Experiment


def with_findings() -> QuerySet[Experiment]:
    """Experiments but archived ones, the latest first, each with `found_pk`, `found_verdict`, `found_final`,
    `found_as_of` and `found_fraction` of its latest good analysis.
    """
    done = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")
    # Cast on every database: SQLite gives a number where Django expects JSON text.
    fraction: Any = Cast(KeyTransform("fraction", KeyTransform("standing", "payload")), FloatField())

    def latest(name: str) -> Subquery:
        return Subquery(done.values(name)[:1])

    return (
        Experiment.objects.exclude(status=Experiment.Status.ARCHIVED)
        .select_related("moment")
        .annotate(
            found_pk=latest("pk"),
            found_verdict=latest("verdict"),
            found_final=latest("final"),
            found_peek=latest("peek"),
            found_as_of=latest("as_of"),
            found_fraction=Subquery(done.annotate(reached=fraction).values("reached")[:1]),
        )
        .order_by("-started_at", "-pk")
    )


def history_of(experiment: Experiment) -> QuerySet[Analysis]:
    """All its analyses, the newest first, without their payloads."""
    return Analysis.objects.filter(experiment=experiment).select_related("created_by").defer("payload").order_by("-pk")
