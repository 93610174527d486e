"""Labels of events and properties: display name and description in both languages, and whether they are hidden.

During a person's request the table is read once, when the first name is shown (`shown_here`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import DatabaseError, transaction
from django.utils.translation import get_language

from events.models import EventLabel
from reporting import words
from runs.queue.jobs import put

FORGET_PICTURES = "insight_site.tasks.forget_pictures"  # by name: pictures belong to the site
type Table = Mapping[tuple[str, str], EventLabel]
_here: ContextVar[dict[str, Table] | None] = ContextVar("event_labels", default=None)


def label(event: str, property: str = "") -> str:
    """The display name in the active language, or the name itself if there is none."""
    return _name(event, property) or property or event


def description(event: str, property: str = "") -> str:
    """The description in the active language; empty if there is none."""
    row = table().get((event, property))
    return "" if row is None else row.description(_language())


def table() -> Table:
    """Every label by (event, property or ""): read once per request, and on every call elsewhere."""
    cached = _here.get()
    if cached is None:
        return _load()
    if "table" not in cached:
        cached["table"] = _load()
    return cached["table"]


@contextmanager
def shown_here() -> Iterator[None]:
    """Until the block ends, `reporting.words` shows display names; the table is read at most once."""
    token = _here.set({})
    try:
        with words.names_from(_name):
            yield
    finally:
        _here.reset(token)


def save_label(row: EventLabel, *, renamed: bool) -> None:
    """Store a label; an empty one is deleted.

    Args:
        row: with its new fields.
        renamed: a display name has changed, so charts that show it must be rendered again.
    """
    with transaction.atomic():
        if any([row.name_en, row.name_ko, *row.descriptions(), row.hidden]):
            row.save()
        elif row.pk:
            row.delete()
        if renamed:
            put(FORGET_PICTURES)
    cached = _here.get()
    if cached is not None:
        cached.clear()


def _name(event: str, property: str) -> str:
    """The display name, followed by the name as sent if two share it; "" if there is none."""
    known, language = table(), _language()
    row = known.get((event, property))
    name = "" if row is None else row.name(language)
    if not name:
        return ""
    alike = [
        entry
        for (of, prop), entry in known.items()
        if bool(prop) == bool(property) and (not prop or of == event) and entry.name(language) == name
    ]
    return name if len(alike) == 1 else f"{name} ({property or event})"


def _load() -> Table:
    try:
        with transaction.atomic():
            return {(row.event, row.property): row for row in EventLabel.objects.all()}
    except DatabaseError:  # a database that isn't migrated yet, or none: no display names
        return {}


def _language() -> str:
    return (get_language() or "en").split("-")[0]
