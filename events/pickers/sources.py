"""Autocomplete sources; each app registers its own, so that no app imports one above it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.apps import apps
from django.utils.module_loading import import_string

MOST = 50


@dataclass(frozen=True)
class Choice:
    """One suggestion.

    Attributes:
        value: the field's value when it is chosen.
        title: display name.
        note: what helps to choose: reach, users, values.
        goes_on: choosing it continues the search with `value` as its beginning, instead of filling the field.
        fills: what choosing it writes into the other parts of its row, by the part's name.
    """

    value: str
    title: str
    note: str = ""
    goes_on: bool = False
    fills: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PickSource:
    """A kind of things to pick; an app lists its own in `pick_sources` of its configuration.

    Attributes:
        kind: its name in the address `/pick/<kind>/`.
        search: dotted name of a function from the typed text, and the name that it belongs to ("" for none), to
            choices.
        permission: what a person needs; "" when every account may.
    """

    kind: str
    search: str
    permission: str = ""

    def choices(self, typed: str, of: str) -> list[Choice]:
        """The suggestions for a typed text."""
        suggestions: Iterable[Choice] = import_string(self.search)(typed, of)
        return list(suggestions)[:MOST]


def find_source(kind: str) -> PickSource | None:
    """The source of a kind, from any app; None when there is none."""
    sources = (source for app in apps.get_app_configs() for source in getattr(app, "pick_sources", ()))
    return next((source for source in sources if source.kind == kind), None)
