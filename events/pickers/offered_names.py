"""Autocomplete for events, properties and behaviours. Registered in `events.apps`."""

from dataclasses import replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.catalogue import labels
from events.catalogue.refresh import ready_catalogue as catalogue
from events.metrics import Behaviour
from events.pickers.sources import MOST, Choice
from reporting.numbers import percent, short_count

if TYPE_CHECKING:
    from events.catalogue.listing import EventEntry, PropertyEntry


def events(typed: str, _of: str) -> list[Choice]:
    """Events, best matches first."""
    return [Choice(entry.name, entry.label, event_note(entry)) for entry in catalogue().search(typed, limit=MOST)]


def starts(typed: str, of: str) -> list[Choice]:
    """Events that can start a user's clock: the guessed signup first, then all, then the first event of any kind."""
    found = events(typed, of)
    guess = catalogue().guess_signup()
    found.sort(key=lambda choice: choice.value != guess)
    return [*found, Choice("*", _("each user's first event of any kind"))]


def properties(typed: str, of: str) -> list[Choice]:
    """Properties of an event."""
    entry = catalogue().find(of)
    if entry is None:
        return []
    return [Choice(one.name, property_label(entry, one), property_note(one)) for one in _fitting(entry, typed)]


def behaviours(typed: str, _of: str) -> list[Choice]:
    """Events; after "[" the properties of an event; after "=" the values of a property."""
    event, bracket, rest = typed.partition("[")
    entry = catalogue().find(event) if bracket else None
    if entry is None:
        exact = catalogue().find(typed)
        found = [replace(choice, value=str(Behaviour(choice.value))) for choice in events(typed, "")]
        return found if exact is None else [*found[:1], *_narrower(exact), *found[1:]]
    name, equals, value = rest.rstrip("]").partition("=")
    of = next((one for one in entry.properties if one.name == name), None)
    if equals and of is not None:
        return _values(entry, of, value)
    return [
        choice
        for one in _fitting(entry, name)
        for choice in (
            Choice(
                f"{event}[{one.name}=",
                _("only where %(name)s is …") % {"name": property_label(entry, one)},
                property_note(one),
                True,
            ),
            Choice(
                str(Behaviour(event, distinct=one.name)),
                _("different values of %(name)s") % {"name": property_label(entry, one)},
            ),
        )
    ]


def event_note(entry: "EventEntry") -> str:
    """How many users do it."""
    users = ngettext("%(n)s user", "%(n)s users", entry.users) % {"n": short_count(entry.users)}
    if entry.reach is None:
        return users
    return _("%(reach)s of new users · %(users)s") % {"reach": percent(entry.reach), "users": users}


def property_note(one: "PropertyEntry") -> str:
    """Its most frequent values."""
    return ", ".join(str(value) for value, _n in one.values[:3])


def _narrower(entry: "EventEntry") -> list[Choice]:
    if not entry.properties:
        return []
    text = _("%(name)s with a property …") % {"name": entry.label}
    return [Choice(f"{entry.name}[", text, ", ".join(property_label(entry, one) for one in entry.properties[:3]), True)]


def _values(entry: "EventEntry", of: "PropertyEntry", typed: str) -> list[Choice]:
    found = [(str(value), n) for value, n in of.values if typed.lower() in str(value).lower()]
    if typed and typed not in [value for value, _n in found]:
        found.append((typed, 0))
    return [
        Choice(
            str(Behaviour(entry.name, (of.name, value))),
            f"{property_label(entry, of)} = {value}",
            ngettext("%(n)s event", "%(n)s events", n) % {"n": short_count(n)} if n else "",
        )
        for value, n in found
    ]


def property_label(entry: "EventEntry", one: "PropertyEntry") -> str:
    """The property's display name."""
    return labels.label(entry.name, one.name)


def _fitting(entry: "EventEntry", typed: str) -> list["PropertyEntry"]:
    return [one for one in entry.properties if typed.lower() in f"{one.name} {property_label(entry, one)}".lower()]
