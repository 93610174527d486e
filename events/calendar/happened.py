"""What happened between two dates: the entries that were written down, and what the site knows by itself.

An app names where it knows something from in its configuration (`calendar_sources` in `apps.py`), by dotted names: so
no app imports one above it.
"""

import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.apps import apps
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from events.models import CalendarEntry
from reporting.date_marks import DateMark

ALWAYS = (date.min, date.max)


@dataclass(frozen=True)
class Happening:
    """One thing that happened.

    Attributes:
        kind: one of `CalendarEntry.Kind`, or one that an app adds, such as "experiment".
        kind_words: for people.
        title: what it was.
        starts, ends: local dates of the site, both inclusive; `ends` None where it isn't known yet.
        owner: a team or a person; "" for nobody.
        link: address of a page about it, of this site or another one; "" for none.
        note: what else is known.
        row: the entry, where somebody wrote it down.
    """

    kind: str
    kind_words: str | Promise
    title: str
    starts: date
    ends: date | None
    owner: str = ""
    link: str = ""
    note: str = ""
    row: CalendarEntry | None = None

    def document(self) -> dict[str, str | None]:
        """For other programs; an entry that somebody wrote down has its reference."""
        return {
            "kind": self.kind,
            "title": self.title,
            "starts": self.starts.isoformat(),
            "ends": None if self.ends is None else self.ends.isoformat(),
            "owner": self.owner,
            "link": self.link,
            "note": self.note,
            "reference": None if self.row is None else self.row.reference,
        }

    def matches(self, text: str) -> bool:
        """Whether title, owner or note holds the text, whatever its case."""
        wanted = text.casefold()
        return any(wanted in part.casefold() for part in (self.title, self.owner, self.note))


def happened(since: date = ALWAYS[0], until: date = ALWAYS[1]) -> list[Happening]:
    """All that touches the dates from `since` to `until`, both inclusive, the newest first."""
    rows = CalendarEntry.objects.filter(starts__lte=until)
    rows = rows.filter(Q(ends__gte=since) | Q(ends=None, starts__gte=since))
    found = [_written(row) for row in rows] + [
        one for one in _known() if one.starts <= until and (one.ends is None or one.ends >= since)
    ]
    return sorted(found, key=lambda one: (one.starts, one.title), reverse=True)


def written(*words: str) -> QuerySet[CalendarEntry]:
    """The entries whose title, owner or note hold every word, the newest first."""
    rows = CalendarEntry.objects.all()
    for word in words:
        here = Q()
        for form in {word, unicodedata.normalize("NFD", word)}:  # some machines type Korean as single Jamo
            here |= Q(title__icontains=form) | Q(owner__icontains=form) | Q(note__icontains=form)
        rows = rows.filter(here)
    return rows


def marks(since: date, until: date, *, without: Collection[str] = ()) -> list[DateMark]:
    """What happened, as marks on a curve of these dates: first what somebody wrote down, then the newest first.

    Args:
        since, until: of the curve, both inclusive.
        without: addresses of what the curve is about itself, such as the experiment's own page.
    """
    found = [one for one in happened(since, until) if one.link not in without or one.row is not None]
    made = [
        DateMark(one.starts, one.ends, one.title, str(one.kind_words), one.link)
        for one in sorted(found, key=lambda one: one.row is None)
    ]
    return [mark for mark in made if mark.touches(since, until)]


def _written(row: CalendarEntry) -> Happening:
    return Happening(
        row.kind,
        row.get_kind_display(),
        row.title,
        row.starts,
        row.ends or row.starts,
        row.owner,
        row.link,
        row.note,
        row,
    )


def _known() -> Iterator[Happening]:
    for app in apps.get_app_configs():
        for named in getattr(app, "calendar_sources", ()):
            yield from import_string(named)()
