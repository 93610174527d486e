"""Experiments and rollouts as entries of the calendar of what happened: they enter it by themselves."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from events.calendar.happened import Happening
from experiments.models import Experiment, Rollout
from runs.site_zone import site_date


def experiments() -> Iterator[Happening]:
    """Every experiment that has started: from its start to its end."""
    rows = Experiment.objects.filter(started_at__isnull=False).select_related("moment", "owner", "created_by")
    for row in rows.defer("moment__evidence"):
        ended = row.stopped_at or row.concluded_at
        yield Happening(
            kind="experiment",
            kind_words=_("experiment"),
            title=row.title,
            starts=site_date(row.started_at),
            ends=None if ended is None else site_date(ended),
            owner=_owner(row),
            link=reverse("experiments:report", args=[row.key]),
            note=row.key,
        )


def rollouts() -> Iterator[Happening]:
    """Every rollout: from its first step to the way back, or on and on."""
    rows = Rollout.objects.select_related(
        "experiment__moment", "experiment__owner", "experiment__created_by", "variant"
    )
    for row in rows.defer("experiment__moment__evidence").prefetch_related("experiment__rollout_moves"):
        back = [move.at for move in row.experiment.rollout_moves.all() if move.kind == "back"]
        yield Happening(
            kind="rollout",
            kind_words=_("rollout"),
            title=row.experiment.title,
            starts=site_date(row.first_at),
            ends=None if row.is_on or not back else site_date(max(back)),
            owner=_owner(row.experiment),
            link=reverse("experiments:rollout", args=[row.experiment.key]),
            note=row.variant.key,
        )


def _owner(row: Experiment) -> str:
    person = row.owner or row.created_by
    return "" if person is None else person.get_username()
