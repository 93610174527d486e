"""Autocomplete for outcomes of any kind: the typed text, usual retentions, counts of events."""

from contextlib import suppress

from events.catalogue.refresh import ready_catalogue
from events.metric_sentences import sentence
from events.metrics import Behaviour, Metric, parse_metric
from events.pickers.catalogue_metrics import metrics
from events.pickers.definition_parts import Parts, definition_of
from events.pickers.offered_names import event_note
from events.pickers.people_words import read_definition
from events.pickers.sources import MOST, Choice
from runs.refusals import Refused

USUAL = ("window:14-20", "on_day:7", "on_day:14", "week:2", "min_days:14-20:2", "active_days:0-6")
DAYS = ((0, 6), (0, 13))  # windows offered; the line can specify others


def outcomes(typed: str, _of: str) -> list[Choice]:
    """Outcomes: what the text itself specifies, then catalogue and usual outcomes, then counts of matching events."""
    found = []
    with suppress(Refused):
        found.append(_choice(read_definition(typed)))
    found += metrics(typed, "")[: MOST // 2]
    usual = (_choice(parse_metric(line)) for line in USUAL)
    wanted = typed.casefold()
    found += [one for one in usual if wanted in f"{one.value} {one.title}".casefold()]
    for entry in ready_catalogue().search(typed, limit=MOST // len(DAYS)):
        for first, last in DAYS:
            parts = Parts("count", first, last, behaviour=str(Behaviour(entry.name)))
            found.append(_choice(definition_of(parts), event_note(entry)))
    return list({choice.value: choice for choice in reversed(found)}.values())[::-1]


def _choice(metric: Metric, note: str = "") -> Choice:
    line = str(metric)
    return Choice(line, sentence(metric).rstrip("."), f"{line} · {note}" if note else line)
