"""Experiments with results of their latest successful analysis, for lists: no payload is read."""

from django.db.models import OuterRef, QuerySet, Subquery

from experiments.models import Analysis, Experiment


def with_findings() -> QuerySet[Experiment]:
    """Experiments, also archived ones, the latest first, each with `found_pk`, `found_verdict`, `found_final`,
    `found_as_of` and `found_fraction` of its latest successful analysis.
    """
    done = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")

    def latest(name: str) -> Subquery:
        return Subquery(done.values(name)[:1])

    return (
        Experiment.objects.select_related("moment")
        .defer("moment__evidence")
        .annotate(
            found_pk=latest("pk"),
            found_verdict=latest("verdict"),
            found_final=latest("final"),
            found_peek=latest("peek"),
            found_as_of=latest("as_of"),
            found_fraction=latest("fraction"),
        )
        .order_by("-started_at", "-pk")
    )


def history_of(experiment: Experiment) -> QuerySet[Analysis]:
    """All its analyses, the newest first, without their payloads."""
    return Analysis.objects.light("created_by").filter(experiment=experiment).order_by("-pk")
