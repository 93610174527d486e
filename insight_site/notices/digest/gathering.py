"""Collect one week's digest from the database. Uses what lists and pages already store, and not the warehouse."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone

from aha.moments import reach
from experiments.models import Analysis, Experiment
from experiments.plan.lifecycle import LIVE, Status
from experiments.standing.overview import moments, standings
from insight_site.models import ToldState
from insight_site.notices.digest.digest_record import Decided, DigestRecord, MomentShares, MomentWeek, NeedsHand, Ran
from insight_site.notices.falling_moment import newest_fall
from insight_site.notices.subjects import EXPERIMENT, MOMENT
from runs.queue.enqueue import OVER
from stats.results import computable

DAYS = 7
MOST, MOST_MOMENTS, MOST_WEEKS = 25, 6, 12
ALARMS = ("sample_ratio", "guardrail")


def gather(first: date) -> DigestRecord:
    """The record of the week that begins on a local day."""
    begin = timezone.make_aware(datetime.combine(first, time()))
    end = timezone.make_aware(datetime.combine(first + timedelta(days=DAYS), time()))
    ran = _ran(begin, end)
    return DigestRecord(
        first=first,
        last=first + timedelta(days=DAYS - 1),
        ran=tuple(ran[:MOST]),
        decided=tuple(_decided(begin, end)),
        moments=tuple(_moments()),
        hands=(*_alarms(), *_left_open()),
        more=max(len(ran) - MOST, 0),
    )


def _ran(begin: datetime, end: datetime) -> list[Ran]:
    rows = Experiment.objects.filter(Q(stopped_at=None) | Q(stopped_at__gte=begin), started_at__lt=end)
    found = rows.order_by("-started_at").select_related("moment").prefetch_related("variants", "audience")
    return [
        Ran(
            one.experiment.pk,
            one.experiment.status,
            timezone.localdate(one.experiment.started_at),
            one.exposed,
            one.planned,
        )
        for one in standings(found)
    ]


def _decided(begin: datetime, end: datetime) -> Iterator[Decided]:
    """Final analyses: the plan's last look is taken, and nobody peeked."""
    done = Analysis.objects.filter(
        status=Analysis.Status.DONE, final=True, peek=False, finished_at__gte=begin, finished_at__lt=end
    ).exclude(verdict="")
    for experiment, verdict in done.order_by("finished_at").values_list("experiment_id", "verdict"):
        yield Decided(experiment, verdict)


def _moments() -> Iterator[MomentShares]:
    for moment in moments(MOST_MOMENTS):
        found = reach.weeks_of(moment)
        weeks = [row for row in found.weeks if row.complete][-MOST_WEEKS:] if found else []
        known = tuple(
            MomentWeek(row.week, row.eligible, row.share.estimate, row.share.low, row.share.high)
            for row in weeks
            if computable(row.share)
        )
        fall = newest_fall(found) if found else None
        if known:
            yield MomentShares(moment.pk, known, fallen=fall is not None and fall.fall.fallen)


def _alarms() -> Iterator[NeedsHand]:
    """Alarms that were notified and still hold, of experiments that are live or wait for a conclusion."""
    open_rows = set(
        Experiment.objects.filter(status__in=[*(one.value for one in LIVE), Status.STOPPED.value]).values_list(
            "pk", flat=True
        )
    )
    told = ToldState.objects.filter(kind__in=ALARMS).exclude(state=OVER).order_by("kind", "pk")
    for kind, subject in told.values_list("kind", "subject"):
        label, _colon, row = subject.rpartition(":")
        if label == EXPERIMENT and int(row) in open_rows:
            yield NeedsHand(kind, label, int(row))
    falling = ToldState.objects.filter(kind="share_falling", subject__startswith=f"{MOMENT}:").exclude(state=OVER)
    for subject in falling.order_by("pk").values_list("subject", flat=True):
        yield NeedsHand("share_falling", MOMENT, int(subject.rpartition(":")[2]))


def _left_open() -> Iterator[NeedsHand]:
    """Experiments past their planned end, and stopped ones that wait for a conclusion."""
    live = Experiment.objects.filter(status__in=[one.value for one in LIVE], planned_end__lt=timezone.localdate())
    for pk in live.order_by("planned_end").values_list("pk", flat=True)[:MOST]:
        yield NeedsHand("past_end", EXPERIMENT, pk)
    stopped = Experiment.objects.filter(status=Status.STOPPED.value).order_by("stopped_at")
    for pk in stopped.values_list("pk", flat=True)[:MOST]:
        yield NeedsHand("to_conclude", EXPERIMENT, pk)
