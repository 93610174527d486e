"""What changed on the site in the last days, for the first page: verdicts, starts and stops, rollouts, new things."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from aha.models import AhaMoment
from experiments.analyse.codes import Code, code_words
from experiments.models import Analysis, Experiment, RolloutMove
from insight_site.models import Promotion
from segments.models import SegmentVersion

DAYS = timedelta(days=7)
MOST = 10  # lines on the page, of all kinds together


@dataclass(frozen=True)
class Change:
    """One line: the thing, what happened to it, and when."""

    name: str
    url: str
    words: str
    at: datetime


def recent_changes() -> list[Change]:
    """The changes of the last seven days, newest first; one query for each kind."""
    since = timezone.now() - DAYS
    kinds = (_verdicts, _moves, _rollouts, _promotions, _moments, _segments)
    found = [change for kind in kinds for change in kind(since)]
    return sorted(found, key=lambda change: change.at, reverse=True)[:MOST]


def _verdicts(since: datetime) -> Iterator[Change]:
    """Verdicts that were not there before: a nightly analysis with the same verdict is no change."""
    done = Analysis.objects.filter(status=Analysis.Status.DONE).exclude(verdict="")
    first = done.values("experiment_id", "verdict", "final").annotate(at=Min(Coalesce("finished_at", "created_at")))
    rows = list(first.filter(at__gte=since).order_by("-at")[:MOST])
    names = _experiments({row["experiment_id"] for row in rows})
    for row in rows:
        experiment = names[row["experiment_id"]]
        verdict = code_words(Code(row["verdict"]), whole_clusters=experiment.moves_whole_clusters)
        text = gettext("Final verdict: {verdict}") if row["final"] else gettext("Verdict: {verdict}")
        yield _change(experiment, text.format(verdict=verdict), row["at"])


def _moves(since: datetime) -> Iterator[Change]:
    """Starts and stops."""
    rows = Experiment.objects.filter(Q(started_at__gte=since) | Q(stopped_at__gte=since)).select_related("moment")
    for row in rows.defer("moment__evidence").order_by("-started_at")[: 2 * MOST]:
        for at, words in ((row.started_at, gettext("Started")), (row.stopped_at, gettext("Stopped"))):
            if at is not None and at >= since:
                yield _change(row, words, at)


def _rollouts(since: datetime) -> Iterator[Change]:
    """The last move of each rollout."""
    rows = RolloutMove.objects.filter(at__gte=since).select_related("experiment", "experiment__moment")
    newest = {row.experiment_id: row for row in rows.defer("experiment__moment__evidence").order_by("at")}
    for row in newest.values():
        words = gettext("Rollout: {what}").format(what=row.get_kind_display())
        yield Change(row.experiment.title, reverse("experiments:rollout", args=[row.experiment.key]), words, row.at)


def _promotions(since: datetime) -> Iterator[Change]:
    rows = Promotion.objects.filter(brought_at__gte=since).select_related("experiment", "experiment__moment")
    for row in rows.defer("experiment__moment__evidence").order_by("-brought_at")[:MOST]:
        yield _change(row.experiment, gettext("Brought from {place}").format(place=row.environment), row.brought_at)


def _moments(since: datetime) -> Iterator[Change]:
    for row in AhaMoment.objects.light().filter(created_at__gte=since).order_by("-created_at")[:MOST]:
        yield Change(str(row), reverse("aha:moment", args=[row.key]), gettext("New AHA moment"), row.created_at)


def _segments(since: datetime) -> Iterator[Change]:
    rows = SegmentVersion.objects.light("model").filter(published_at__gte=since, model__archived_at=None)
    for row in rows.order_by("-published_at")[:MOST]:
        new = row.number == 1
        words = gettext("New segments") if new else gettext("Segments: version {n}").format(n=row.number)
        yield Change(str(row.model), reverse("segments:model", args=[row.model.key]), words, row.published_at)


def _experiments(numbers: set[int]) -> dict[int, Experiment]:
    rows = Experiment.objects.filter(pk__in=numbers).select_related("moment").defer("moment__evidence")
    return {row.pk: row for row in rows}


def _change(experiment: Experiment, words: str, at: datetime) -> Change:
    return Change(experiment.title, reverse("experiments:report", args=[experiment.key]), words, at)
