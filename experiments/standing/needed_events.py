"""Events that retention must keep because undecided plans need them."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta

from django.urls import reverse
from django.utils import timezone

from events.erasing.holds import Hold
from experiments.models import Analysis, Experiment
from experiments.plan.lifecycle import LIVE, Status
from experiments.standing.ending import ending

DAY = timedelta(days=1)


def needed_events() -> Iterator[Hold]:
    """The events needed by each plan that runs, is stopped, or is concluded without a final analysis."""
    final = Analysis.objects.filter(final=True, status=Analysis.Status.DONE).values("experiment")
    open_ones = Experiment.objects.filter(status__in=[*LIVE, Status.STOPPED]) | Experiment.objects.filter(
        status=Status.CONCLUDED
    ).exclude(pk__in=final)
    for row in open_ones.filter(started_at__isnull=False).select_related("moment"):
        yield Hold(row.title, reverse("experiments:report", args=[row.key]), _since(row), _until(row))


def _since(row: Experiment) -> date | None:
    """First date needed; None for all history: signups may precede the start, unless only new units are enrolled."""
    needs_signup = row.clock == row.ClockZero.SIGNUP or row.covariates or row.primary != row.Primary.UNADJUSTED
    if row.started_at is None or (needs_signup and row.enrolment == row.Enrolment.ALL):
        return None
    # One day more: dates of the store are UTC, days of a plan may be local.
    return row.started_at.astimezone(UTC).date() - timedelta(days=row.active_days_before) - DAY


def _until(row: Experiment) -> date | None:
    ended = row.enrolment_closed_at or row.stopped_at
    last = timezone.localdate(ended) if ended else None
    return ending(planned=row.planned_end, ended=last, outcomes=row.primary_metrics, today=timezone.localdate()).result
