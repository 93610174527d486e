"""Names that people type: what a combobox offers, what the log knows of one, what a field holds, as chips."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.catalogue import labels
from events.catalogue.references import named_version
from events.catalogue.refresh import ready_catalogue
from events.metrics import (
    Behaviour,
    Metric,
    behaviours_of,
    parse_behaviour,
    parse_metric,
    window_of,
    with_behaviour,
    with_window,
)
from events.metrics.sentences import sentence
from events.pickers.catalogue_metrics import metrics, title_and_note
from events.pickers.definition_parts import Parts, definition_of, read_definition, row_facts
from events.pickers.quick_fixes import Mendable, QuickFix
from events.pickers.sources import MOST, Choice
from events.warehouse import queries
from events.warehouse.session import WarehouseSession, questions
from events.windows import Window
from reporting.numbers import percent, short_count
from runs.refusals import Refused

if TYPE_CHECKING:
    from events.catalogue.listing import EventEntry, PropertyEntry


# Check whether a behaviour ever occurred, by querying the warehouse: for names missing from the list of events.


def is_in_log(behaviour: Behaviour) -> bool:
    """Whether some event of the log matches the behaviour; False also if there are no events at all."""
    try:
        with questions() as store:
            return not never_done(store, [behaviour])
    except Refused:
        return False


def never_done(store: WarehouseSession, behaviours: list[Behaviour]) -> list[Behaviour]:
    """The behaviours that no event of the log matches."""
    if not behaviours:
        return []
    log = queries.matching(store.log, behaviours, store.basis)
    log = log.mutate(
        counts=log.value.notnull()
        | ~log.behaviour.isin([str(behaviour) for behaviour in behaviours if behaviour.distinct])
    )
    rows = store.run(log.filter(log.counts).select("behaviour").distinct())
    done = set(rows.behaviour)
    return [behaviour for behaviour in behaviours if str(behaviour) not in done]


# Autocomplete for events, properties and behaviours. Registered in `events.apps`.


def events(typed: str, _of: str) -> list[Choice]:
    """Events, best matches first."""
    return [Choice(entry.name, entry.label, event_note(entry)) for entry in ready_catalogue().search(typed, limit=MOST)]


def starts(typed: str, of: str) -> list[Choice]:
    """Events that can start a user's clock: the guessed signup first, then all, then the first event of any kind."""
    choices = events(typed, of)
    guess = ready_catalogue().guess_signup()
    choices.sort(key=lambda choice: choice.value != guess)
    return [*choices, Choice("*", _("each user's first event of any kind"))]


def traits(typed: str, _of: str) -> list[Choice]:
    """Traits that users have, those of the most users first."""
    listed = ready_catalogue()
    wanted = typed.casefold()
    return [
        Choice(trait.name, trait.name, trait_note(trait)) for trait in listed.traits if wanted in trait.name.casefold()
    ]


SHARED = 5  # users who have a value that is shown: one of a single user may be an address


def trait_note(trait: "PropertyEntry") -> str:
    """How many values it has, and the most frequent ones: those of so many users that they name nobody."""
    some = [str(value) for value, users in trait.values if users >= SHARED][:3]
    fields = {"n": short_count(trait.different), "some": ", ".join(some)}
    return _("different values: %(n)s, such as %(some)s") % fields if some else ""


def properties(typed: str, of: str) -> list[Choice]:
    """Properties of an event."""
    entry = ready_catalogue().find(of)
    if entry is None:
        return []
    return [Choice(prop.name, property_label(entry, prop), property_note(prop)) for prop in _fitting(entry, typed)]


def behaviours(typed: str, _of: str) -> list[Choice]:
    """Events; after "[" the properties of an event; after "=" the values of a property."""
    event, bracket, rest = typed.partition("[")
    entry = ready_catalogue().find(event) if bracket else None
    if entry is None:
        exact = ready_catalogue().find(typed)
        choices = [replace(choice, value=str(Behaviour(choice.value))) for choice in events(typed, "")]
        return choices if exact is None else [*choices[:1], *_narrower(exact), *choices[1:]]
    name, equals, value = rest.rstrip("]").partition("=")
    of = next((prop for prop in entry.properties if prop.name == name), None)
    if equals and of is not None:
        return _values(entry, of, value)
    return [
        choice
        for prop in _fitting(entry, name)
        for choice in (
            Choice(
                f"{event}[{prop.name}=",
                _("only where %(name)s is …") % {"name": property_label(entry, prop)},
                property_note(prop),
                True,
            ),
            Choice(
                str(Behaviour(event, distinct=prop.name)),
                _("different values of %(name)s") % {"name": property_label(entry, prop)},
            ),
        )
    ]


def event_note(entry: "EventEntry") -> str:
    """How many users do it."""
    users = ngettext("%(n)s user", "%(n)s users", entry.users) % {"n": short_count(entry.users)}
    if entry.reach is None:
        return users
    return _("%(reach)s of new users · %(users)s") % {"reach": percent(entry.reach), "users": users}


def property_note(prop: "PropertyEntry") -> str:
    """Its most frequent values."""
    return ", ".join(str(value) for value, _n in prop.values[:3])


def _narrower(entry: "EventEntry") -> list[Choice]:
    if not entry.properties:
        return []
    text = _("%(name)s with a property …") % {"name": entry.label}
    return [
        Choice(f"{entry.name}[", text, ", ".join(property_label(entry, prop) for prop in entry.properties[:3]), True)
    ]


def _values(entry: "EventEntry", of: "PropertyEntry", typed: str) -> list[Choice]:
    values = [(str(value), n) for value, n in of.values if typed.lower() in str(value).lower()]
    if typed and typed not in [value for value, _n in values]:
        values.append((typed, 0))
    return [
        Choice(
            str(Behaviour(entry.name, (of.name, value))),
            f"{property_label(entry, of)} = {value}",
            ngettext("%(n)s event", "%(n)s events", n) % {"n": short_count(n)} if n else "",
        )
        for value, n in values
    ]


def property_label(entry: "EventEntry", prop: "PropertyEntry") -> str:
    """The property's display name."""
    return labels.label(entry.name, prop.name)


def _fitting(entry: "EventEntry", typed: str) -> list["PropertyEntry"]:
    return [prop for prop in entry.properties if typed.lower() in f"{prop.name} {property_label(entry, prop)}".lower()]


# Autocomplete for outcomes of any kind: the typed text, usual retentions, counts of events.

USUAL = ("window:14-20", "on_day:7", "on_day:14", "week:2", "min_days:14-20:2", "active_days:0-6")
DAYS = ((0, 6), (0, 13))  # windows offered; the line can specify others


def outcomes(typed: str, of: str) -> list[Choice]:
    """Outcomes: what the text itself specifies, then catalogue and usual outcomes, then counts of matching events.

    Args:
        of: days such as ``0-6``, to which the outcome that the text specifies is moved; "" for its own.
    """
    choices = []
    with suppress(Refused):
        choices.append(_choice(over_days(read_definition(typed), of)))
    choices += metrics(typed, "")[: MOST // 2]
    usual = (_choice(parse_metric(line)) for line in USUAL)
    wanted = typed.casefold()
    choices += [choice for choice in usual if wanted in f"{choice.value} {choice.title}".casefold()]
    for entry in ready_catalogue().search(typed, limit=MOST // len(DAYS)):
        for first, last in DAYS:
            parts = Parts("count", first, last, behaviour=str(Behaviour(entry.name)))
            choices.append(_choice(definition_of(parts), event_note(entry)))
    return list({choice.value: choice for choice in reversed(choices)}.values())[::-1]


def _choice(metric: Metric, note: str = "") -> Choice:
    return Choice(str(metric), sentence(metric).rstrip("."), note, fills=row_facts(metric))


def over_days(metric: Metric, days: str) -> Metric:
    """The metric over days such as ``0-6``; itself for other texts, and for a metric without a window.

    Raises:
        Refused: the days run backwards, or are too few.
    """
    first, _dash, last = days.partition("-")
    window = window_of(metric)
    if window is None or not (first.isdecimal() and last.isdecimal()) or str(window) == days:
        return metric
    return with_window(metric, Window(int(first), int(last)))


def metric_title(text: str) -> str:
    """Name of an outcome in a field: the catalogue's, else its sentence; the text where it can't be read."""
    version = named_version(text)
    if version is not None:
        return version.metric.title
    try:
        return sentence(parse_metric(text)).rstrip(".")
    except Refused:
        return text


# Check typed names against the log, and suggest the nearest known one.

SOME = 6


def unknown_event(name: str, whole: Callable[[str], str] = str) -> Mendable | None:
    """The error for an event that the log doesn't have; None for one that it has.

    Args:
        name: as typed.
        whole: function from a replacement of this name to the field's new value.
    """
    listed = ready_catalogue()
    if listed.find(name) is not None or is_in_log(Behaviour(name)):  # the list may be some minutes old
        return None
    if listed.is_empty:
        return Mendable(_("There are no events yet: send some, or upload a file."))
    nearest = listed.nearest(name)
    if nearest is None:
        some = ", ".join(entry.name for entry in listed.search("", SOME))
        return Mendable(
            _("There is no event “%(name)s”. The most frequent are %(some)s.") % {"name": name, "some": some}
        )
    text = _("There is no event “%(name)s”. Did you mean %(nearest)s?") % {"name": name, "nearest": nearest}
    return Mendable(text, QuickFix(whole(nearest), _("Use %(name)s") % {"name": nearest}))


def unknown_behaviour(behaviour: Behaviour, whole: Callable[[str], str] = str) -> Mendable | None:
    """The same for a behaviour: its event, its property, and a value that no event has."""

    def with_event(event: str) -> str:
        return whole(str(Behaviour(event, behaviour.where, behaviour.distinct)))

    wrong = unknown_event(behaviour.event, with_event)
    entry = ready_catalogue().find(behaviour.event)
    if wrong is not None or entry is None or (behaviour.where is None and behaviour.distinct is None):
        return wrong
    unlisted = [name for name in _properties(behaviour) if entry.find(name) is None]
    if not unlisted and behaviour.where is not None and _has_value(entry, *behaviour.where):
        return None
    if is_in_log(behaviour):  # the list of properties and values is based on a sample
        return None
    return (
        _unknown_property(entry, behaviour, unlisted[0], whole) if unlisted else _unknown_value(entry, behaviour, whole)
    )


def unknown_in_definition(definition: Metric) -> Mendable | None:
    """The same for the events and properties of a retention or another outcome."""
    places = range(len(behaviours_of(definition)))
    return next(filter(None, (_unknown_at(definition, at) for at in places)), None)


def _unknown_at(definition: Metric, at: int) -> Mendable | None:
    def whole(right: str) -> str:
        return str(with_behaviour(definition, at, parse_behaviour(right)))

    return unknown_behaviour(behaviours_of(definition)[at], whole)


def _unknown_property(
    entry: "EventEntry", behaviour: Behaviour, name: str, whole: Callable[[str], str]
) -> Mendable | None:
    names = ", ".join(prop.name for prop in entry.properties[:SOME])
    plain = QuickFix(whole(str(Behaviour(behaviour.event))), _("Use %(name)s alone") % {"name": behaviour.event})
    fields = {"event": behaviour.event, "name": name, "names": names}
    if not names:
        return Mendable(_("%(event)s has no property “%(name)s”; it has none at all.") % fields, plain)
    return Mendable(_("%(event)s has no property “%(name)s”. It has %(names)s.") % fields, plain)


def _unknown_value(entry: "EventEntry", behaviour: Behaviour, whole: Callable[[str], str]) -> Mendable | None:
    if behaviour.where is None:
        return None
    name, value = behaviour.where
    shown = [text for text, _events in listed.values[:SOME]] if (listed := entry.find(name)) else []
    fields = {"event": behaviour.event, "name": name, "value": value, "values": ", ".join(shown)}
    mends = [
        QuickFix(whole(str(Behaviour(behaviour.event, (name, text), behaviour.distinct))), f"{name} = {text}")
        for text in shown[:3]
    ]
    return Mendable(_("%(name)s of %(event)s is never “%(value)s”. Its values are %(values)s.") % fields, *mends)


def _properties(behaviour: Behaviour) -> list[str]:
    return [name for name in (behaviour.where and behaviour.where[0], behaviour.distinct) if name]


def _has_value(entry: "EventEntry", name: str, value: str) -> bool:
    listed = entry.find(name)
    return listed is not None and value in [text for text, _events in listed.values]


# The behaviours or outcomes in a field as chips: their display names, and how many users do them.


@dataclass(frozen=True)
class Chip:
    """One line of a field.

    Attributes:
        value: its line.
        title: display name.
        note: reach and users of its event; the specification of an outcome.
        wrong: it is invalid, or the log doesn't have its event.
    """

    value: str
    title: str
    note: str
    wrong: bool = False


def chips_of(lines: Iterable[str], kind: str = "behaviour") -> list[Chip]:
    """A chip for each line; with the kind ``outcome`` lines are outcomes, else behaviours."""
    made = outcome_chip if kind == "outcome" else chip_of
    return [made(line) for line in dict.fromkeys(lines)]


def outcome_chip(line: str) -> Chip:
    """The chip of an outcome: its sentence and its specification, or the metric of the catalogue that it refers to."""
    named = title_and_note(line)
    if named is not None:
        return Chip(line, *named)
    try:
        metric = parse_metric(line)
    except Refused:
        return Chip(line, line, _("can't be read"), wrong=True)
    unknown = unknown_in_definition(metric) is not None
    return Chip(line, sentence(metric).rstrip("."), _("unknown event") if unknown else str(metric), wrong=unknown)


def chip_of(line: str) -> Chip:
    """The chip of one line."""
    try:
        behaviour = parse_behaviour(line)
    except Refused:
        return Chip(line, line, _("can't be read"), wrong=True)
    entry = ready_catalogue().find(behaviour.event)
    if entry is None:
        return Chip(line, behaviour_title(behaviour), _("unknown event"), wrong=True)
    return Chip(line, behaviour_title(behaviour), event_note(entry))


def title_of_behaviour(text: str) -> str:
    """A behaviour that a field holds, by its display names; the text where it can't be read."""
    try:
        return behaviour_title(parse_behaviour(text))
    except Refused:
        return text


def behaviour_title(behaviour: Behaviour) -> str:
    """A behaviour by its display names: "Friend invite · platform = ios"."""
    event = labels.label(behaviour.event)
    if behaviour.where is not None:
        event = f"{event} · {labels.label(behaviour.event, behaviour.where[0])} = {behaviour.where[1]}"
    if behaviour.distinct is not None:
        name = labels.label(behaviour.event, behaviour.distinct)
        return _("different %(name)s of %(event)s") % {"name": name, "event": event}
    return event
