"""Plans that still need old events; apps list functions that return them (`retention_holds` in `apps.py`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.apps import apps
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Hold:
    """One plan that needs events.

    Attributes:
        name: shown to people.
        url: of its page.
        since: events from this UTC date on; None for all.
        until: the planned day from which it no longer needs them; None while that is open.
    """

    name: str
    url: str
    since: date | None
    until: date | None


def all_holds() -> Iterator[Hold]:
    """The holds of all apps."""
    for app in apps.get_app_configs():
        for name in getattr(app, "retention_holds", ()):
            yield from import_string(name)()
