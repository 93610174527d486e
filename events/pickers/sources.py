"""The kinds of things that a combobox searches; each app registers its own, so that no app imports one above it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps
from django.utils.module_loading import import_string

MOST = 50


@dataclass(frozen=True)
class Choice:
    """One line of a list.

    Attributes:
        value: what the field holds when it is chosen.
        title: how people call it.
        note: what helps to choose: reach, users, values.
        goes_on: choosing it searches on for what `value` begins, instead of filling the field.
    """

    value: str
    title: str
    note: str = ""
    goes_on: bool = False


@dataclass(frozen=True)
class PickSource:
    """A kind of things to pick; an app lists its own in `pick_sources` of its configuration.

    Attributes:
        kind: its name in the address `/pick/<kind>/`.
        search: dotted name of a function of the typed text and of what it belongs to ("" for nothing), to choices.
        permission: what a person needs; "" when every account may.
    """

    kind: str
    search: str
    permission: str = ""

    def choices(self, typed: str, of: str) -> list[Choice]:
        """The choices for what was typed."""
        found: Iterable[Choice] = import_string(self.search)(typed, of)
        return list(found)[:MOST]


def find_source(kind: str) -> PickSource | None:
    """The source of a kind, of whatever app; None when there is none."""
    sources = (source for app in apps.get_app_configs() for source in getattr(app, "pick_sources", ()))
    return next((source for source in sources if source.kind == kind), None)
