"""The behaviours or outcomes in a field as chips: their display names, and how many users do them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from events.catalogue import labels
from events.catalogue.refresh import ready_catalogue
from events.metric_sentences import sentence
from events.metrics import Behaviour, parse_behaviour, parse_metric
from events.pickers.catalogue_metrics import title_and_note
from events.pickers.known_names import unknown_in_definition
from events.pickers.offered_names import event_note
from runs.refusals import Refused


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


def behaviour_title(behaviour: Behaviour) -> str:
    """A behaviour by its display names: "Friend invite · platform = ios"."""
    event = labels.label(behaviour.event)
    if behaviour.where is not None:
        event = f"{event} · {labels.label(behaviour.event, behaviour.where[0])} = {behaviour.where[1]}"
    if behaviour.distinct is not None:
        name = labels.label(behaviour.event, behaviour.distinct)
        return _("different %(name)s of %(event)s") % {"name": name, "event": event}
    return event
