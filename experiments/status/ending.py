"""When the result of an experiment is there; which events, moments and segments are needed until then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.data_retention import Hold
from events.upkeep.archive import UsedBy
from experiments.models import Analysis, AudienceRow, Experiment, HoldoutPlan, HoldoutReading, Rollout
from experiments.plan.derived import result_on
from experiments.plan.fields import ClockZero, Enrolment, Primary
from experiments.plan.lifecycle import LIVE, Status
from runs.site_zone import site_date

# When the result of an experiment is available: the date that lists, home, admin and pages show.
#
# A unit enrolled on the last day has its outcome some days later: the result opens then, not on the day that
# enrolment ends. Both days are shown together, so that they aren't confused.


@dataclass(frozen=True)
class Ending:
    """The end of an experiment.

    Attributes:
        enrolment: the day on which enrolment ends as planned, or has ended; None without a planned end.
        result: the day from which every outcome is known; None while unknown.
        days_left: whole days until the result, 0 from that day on; None while unknown.
        overdue: True when the planned end of enrolment has passed and enrolment continues.
        ended: True when enrolment has ended.
    """

    enrolment: date | None
    result: date | None
    days_left: int | None
    overdue: bool
    ended: bool

    @property
    def left(self) -> str:
        """Days until the result in words; "" once it is available, or while the date is unknown."""
        if not self.days_left:
            return ""
        return ngettext("{n} day left", "{n} days left", self.days_left).format(n=self.days_left)

    @property
    def said(self) -> str:
        """Planned end of enrolment and day of the result, as a sentence."""
        if self.enrolment is None:
            return _("No end is planned yet.")
        days = {"enrolment": date_format(self.enrolment), "left": self.left}
        if self.result is None:
            return _("Enrolment until {enrolment}.").format(**days)
        days["result"] = date_format(self.result)
        if self.overdue:
            text = _("Enrolment was to end on {enrolment}. If it ends today, the result is complete on {result}.")
            return text.format(**days)
        if not self.ended:
            return _("Result on {result} ({left}); enrolment until {enrolment}.").format(**days)
        if self.left:
            return _("Result on {result} ({left}); enrolment ended on {enrolment}.").format(**days)
        return _("Result since {result}; enrolment ended on {enrolment}.").format(**days)


def end_note(*, before_05: date | None, planned: date | None, ended: date | None) -> str:
    """A reminder to check a planned end set before 0.5; "" for any other, and once enrolment has ended.

    The button of 0.4 filled in the day of the result. Which ends came from it isn't recorded, so none is changed.
    """
    if before_05 is None or before_05 != planned or ended is not None:
        return ""
    text = _("Before 0.5 the button filled in the day of the result. Check that enrolment should end on {end}.")
    return text.format(end=date_format(before_05))


def ending(*, planned: date | None, ended: date | None, outcomes: Sequence[str], today: date) -> Ending:
    """The end, computed like the outcome lock (`experiments.analyse.outcome_lock`).

    Args:
        planned: end of enrolment in the plan.
        ended: local day on which enrolment was closed or the experiment stopped; None while it runs.
        outcomes: primary outcomes, as their text.
        today: local date.
    """
    last = ended if ended is not None else planned
    if last is None:
        return Ending(None, None, None, overdue=False, ended=False)
    overdue = ended is None and last < today and bool(outcomes)
    result = result_on(today if overdue else last, outcomes)
    left = None if result is None else max((result - today).days, 0)
    return Ending(last, result, left, overdue=overdue, ended=ended is not None)


# Events that retention must keep because undecided plans need them.

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
    needs_signup = row.clock == ClockZero.SIGNUP or row.covariates or row.primary != Primary.UNADJUSTED
    if row.started_at is None or (needs_signup and row.enrolment == Enrolment.ALL):
        return None
    # One day more: dates of the store are UTC, days of a plan may be local.
    return row.started_at.astimezone(UTC).date() - timedelta(days=row.active_days_before) - DAY


def _until(row: Experiment) -> date | None:
    ended = row.enrolment_closed_at or row.stopped_at
    last = site_date(ended, row.zone) if ended else None
    return ending(
        planned=row.planned_end, ended=last, outcomes=row.primary_metrics, today=site_date(zone=row.zone)
    ).result


# Events that retention must keep because holdout reports with readings to come need them.


def needed_readings() -> Iterator[Hold]:
    """The events needed by each plan without its last reading.

    Each needs the complete log: a unit's oldest event decides whether it is new, or was seen before the date.
    """
    final = HoldoutReading.objects.filter(final=True, status=HoldoutReading.Status.DONE).values("plan")
    for plan in HoldoutPlan.objects.exclude(pk__in=final).select_related("holdout"):
        last = date.fromisoformat(plan.readings[-1])
        yield Hold(str(plan), reverse("experiments:holdout", args=[plan.pk]), None, last)


# Moments and segments that live experiments use.


def uses_of_experiments() -> Iterator[UsedBy]:
    """Moments that live experiments test, and segments in their audiences and in rollouts."""
    rows = Experiment.objects.filter(status__in=LIVE).select_related("moment").defer("moment__evidence")
    names = {}
    for row in rows:
        text = _("experiment “{name}” ({state})")
        names[row.pk] = text.format(name=row.title, state=row.get_status_display())
        if row.moment is not None:
            yield UsedBy("moment", row.moment.key, names[row.pk])
    for key, experiment in AudienceRow.objects.exclude(segment_key=None).values_list("segment_key", "experiment_id"):
        if experiment in names:
            yield UsedBy("segment", str(key).partition(".v")[0], names[experiment])
    for rollout in Rollout.objects.exclude(state=Rollout.State.BACK).select_related("experiment"):
        by = _("rollout of “{name}”").format(name=rollout.experiment.title)
        for segment in {row["segment"] for row in rollout.rows if row.get("segment")}:
            yield UsedBy("segment", str(segment).partition(".v")[0], by)
