"""Launches as entries of the calendar of what happened: they enter it by themselves."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from events.calendar.happened import Happening
from launches.models import Launch


def launches() -> Iterator[Happening]:
    """Every launch as an entry of the calendar: it is there from its date on."""
    for row in Launch.objects.select_related("created_by"):
        yield Happening(
            kind="launch",
            kind_words=_("launch"),
            title=row.title,
            starts=row.began,
            ends=row.began,
            owner="" if row.created_by is None else row.created_by.get_username(),
            link=reverse("launches:launch", args=[row.key]),
            note=row.key,
        )
