"""The first page of the data section: status of sources and of the pipeline to the store, and how to begin."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from events.catalogue import labels, refresh
from events.catalogue.listing import Catalogue, PropertyEntry
from events.erasing import retention
from events.identity.link_counts import counts
from events.inflow.source_pulse import pulses
from events.inflow.store_health import store_health
from events.report import event_rows, identity_part, source_words
from reporting.words import Message
from runs.refusals import Refused
from runs.web import may


@login_required
@may("events.view_source")
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Overview of sources, store and list of events; an empty site shows how to send the first event."""
    found, trouble = ready()
    found_pulses = pulses()
    sources = [
        {"pulse": pulse, "light": source_words.LIGHTS[pulse.state], "state": source_words.state_words(pulse.state)}
        for pulse in found_pulses
    ]
    limits = retention.limits_now()
    kept = [(pulse.source.name, limits.by_source.get(pulse.source.pk)) for pulse in found_pulses]
    context: dict[str, Any] = {"catalogue": found, "trouble": trouble, "sources": sources, "health": store_health()}
    context |= {"kept": kept, "limits": limits, "identity": identity_part.rows(counts())}
    return render(request, "events/overview.html", context)


def ready() -> tuple[Catalogue, str | Message]:
    """The list of events; an empty one and the reason if the store can't be read."""
    try:
        return refresh.ready_catalogue(), ""
    except Refused as refusal:
        return Catalogue(), refusal.sentence


def labelled(event: str, entries: Iterable[PropertyEntry]) -> list[dict[str, Any]]:
    """Properties of an event with their numbers as text, and their display names."""
    known = labels.table()
    return [
        {
            "row": event_rows.property_row(entry),
            "known": known.get((event, entry.name)),
            "label": labels.label(event, entry.name),
        }
        for entry in entries
    ]
