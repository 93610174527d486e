"""Check typed names against the log, and suggest the nearest known one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from events.catalogue.refresh import ready_catalogue
from events.metrics import Behaviour, Count, Expression, Funnel, Metric, MinEvents, Ratio, Total
from events.pickers.in_the_log import is_in_log
from events.pickers.mends import Mend, Mendable

if TYPE_CHECKING:
    from events.catalogue.listing import EventEntry

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
    return Mendable(text, Mend(whole(nearest), _("Use %(name)s") % {"name": nearest}))


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
    match definition:
        case MinEvents(event, window, times):
            return unknown_event(event, lambda right: str(MinEvents(right, window, times)))
        case Count(behaviour, window):
            return unknown_behaviour(behaviour, lambda right: f"count:{right}:{window}")
        case Total(event, name, window):
            return unknown_event(event, lambda right: str(Total(right, name, window)))
        case Ratio(numerator, denominator):
            return unknown_in_definition(numerator) or unknown_in_definition(denominator)
        case Funnel(steps):
            return next(filter(None, (_unknown_step(definition, at) for at in range(len(steps)))), None)
        case Expression():
            return next(filter(None, (_unknown_in_select(definition, name) for name in definition.events)), None)
    of = getattr(definition, "of", None)
    return None if of is None else unknown_in_definition(of)


def _unknown_step(funnel: Funnel, at: int) -> Mendable | None:
    before, after = funnel.steps[:at], funnel.steps[at + 1 :]

    def with_step(right: str) -> str:
        return ":".join(("funnel", *map(str, before), right, *map(str, after), str(funnel.window)))

    return unknown_behaviour(funnel.steps[at], with_step)


def _unknown_in_select(metric: Expression, name: str) -> Mendable | None:
    def quoted(event: str) -> str:
        return "'" + event.replace("'", "''") + "'"

    return unknown_event(name, lambda right: str(metric).replace(quoted(name), quoted(right)))


def _unknown_property(
    entry: "EventEntry", behaviour: Behaviour, name: str, whole: Callable[[str], str]
) -> Mendable | None:
    names = ", ".join(one.name for one in entry.properties[:SOME])
    plain = Mend(whole(str(Behaviour(behaviour.event))), _("Use %(name)s alone") % {"name": behaviour.event})
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
        Mend(whole(str(Behaviour(behaviour.event, (name, text), behaviour.distinct))), f"{name} = {text}")
        for text in shown[:3]
    ]
    return Mendable(_("%(name)s of %(event)s is never “%(value)s”. Its values are %(values)s.") % fields, *mends)


def _properties(behaviour: Behaviour) -> list[str]:
    return [name for name in (behaviour.where and behaviour.where[0], behaviour.distinct) if name]


def _has_value(entry: "EventEntry", name: str, value: str) -> bool:
    listed = entry.find(name)
    return listed is not None and value in [text for text, _events in listed.values]
