"""What people call events and properties: a name to show and a description in both languages, and what is hidden.

Inside a person's request the table is read once, at the first name that is shown (`shown_here`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import DatabaseError, transaction
from django.utils.translation import get_language

from events.models import EventLabel
from reporting import shown_names

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
    """Until the block ends, `reporting.shown_names` shows display names, and the table is read at most once."""
    token = _here.set({})
    try:
        with shown_names.names_from(_name):
            yield
    finally:
        _here.reset(token)


def forget_read_labels() -> None:
    """Read the table anew in this request: something has changed."""
    kept = _here.get()
    if kept is not None:
        kept.clear()


def _name(event: str, property: str) -> str:
    row = table().get((event, property))
    return "" if row is None else row.name(_language())


def _load() -> Table:
    try:
        with transaction.atomic():
            return {(row.event, row.property): row for row in EventLabel.objects.all()}
    except DatabaseError:  # a database that was not migrated yet, or none: names stand for themselves
        return {}


def _language() -> str:
    return (get_language() or "en").split("-")[0]
