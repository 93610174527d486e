"""What people call events and properties: a name to show and a description in both languages, and what is hidden.

Inside a person's request the table is read once, at the first name that is shown (`shown_here`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import DatabaseError, transaction
from django.utils.translation import get_language

from events.models import EventLabel
from reporting import words
from runs.queue.enqueue import put

FORGET_PICTURES = "insight_site.tasks.forget_pictures"  # by name: pictures belong to the site
type Table = Mapping[tuple[str, str], EventLabel]
_here: ContextVar[dict[str, Table] | None] = ContextVar("event_labels", default=None)


def label(event: str, property: str = "") -> str:
    """The display name in the language that is active, or the name itself where nobody gave one."""
    return _name(event, property) or property or event


def description(event: str, property: str = "") -> str:
    """The description in the language that is active; empty where there is none."""
    row = table().get((event, property))
    return "" if row is None else row.description(_language())


def table() -> Table:
    """Every label by (event, property or ""): read once in a request, and anew elsewhere."""
    kept = _here.get()
    if kept is None:
        return _load()
    if "table" not in kept:
        kept["table"] = _load()
    return kept["table"]


@contextmanager
def shown_here() -> Iterator[None]:
    """Until the block ends, `reporting.words` shows display names, and the table is read at most once."""
    token = _here.set({})
    try:
        with words.names_from(_name):
            yield
    finally:
        _here.reset(token)


def save_label(row: EventLabel, *, renamed: bool) -> None:
    """Keep what people call something; an empty row is no row.

    Args:
        row: with its new fields.
        renamed: a display name has changed, so charts that show it are to be rendered anew.
    """
    with transaction.atomic():
        if any([row.name_en, row.name_ko, *row.descriptions(), row.hidden]):
            row.save()
        elif row.pk:
            row.delete()
        if renamed:
            put(FORGET_PICTURES)
    kept = _here.get()
    if kept is not None:
        kept.clear()


def _name(event: str, property: str) -> str:
    """The display name, with the name as sent behind it where two are called alike; "" where there is none."""
    known, language = table(), _language()
    row = known.get((event, property))
    name = "" if row is None else row.name(language)
    if not name:
        return ""
    alike = [
        one
        for (of, prop), one in known.items()
        if bool(prop) == bool(property) and (not prop or of == event) and one.name(language) == name
    ]
    return name if len(alike) == 1 else f"{name} ({property or event})"


def _load() -> Table:
    try:
        with transaction.atomic():
            return {(row.event, row.property): row for row in EventLabel.objects.all()}
    except DatabaseError:  # a database that was not migrated yet, or none: names stand for themselves
        return {}


def _language() -> str:
    return (get_language() or "en").split("-")[0]
