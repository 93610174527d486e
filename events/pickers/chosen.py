"""The behaviours that a field holds, as chips: their names for people, and how many users do them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from events.catalogue import labels
from events.catalogue.refresh import ready_catalogue
from events.metrics import Behaviour, parse_behaviour
from events.pickers.offered_names import event_note
from runs.refusals import Refused


@dataclass(frozen=True)
class Chip:
    """One behaviour of a field.

    Attributes:
        value: its line.
        title: how people call it.
        note: reach and users of its event.
        wrong: the log doesn't know its event.
    """

    value: str
    title: str
    note: str
    wrong: bool = False


def chips_of(lines: Iterable[str]) -> list[Chip]:
    """A chip for each line."""
    return [chip_of(line) for line in dict.fromkeys(lines)]


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


def behaviour_title(behaviour: Behaviour) -> str:
    """A behaviour by its display names: "Friend invite · platform = ios"."""
    event = labels.label(behaviour.event)
    if behaviour.where is not None:
        event = f"{event} · {labels.label(behaviour.event, behaviour.where[0])} = {behaviour.where[1]}"
    if behaviour.distinct is not None:
        name = labels.label(behaviour.event, behaviour.distinct)
        return _("different %(name)s of %(event)s") % {"name": name, "event": event}
    return event
