"""Callers that know both ids of a person: the context's `anonymousId` beside the unit (docs/identity.md)."""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from django.utils import timezone

from events.identity import joins
from events.schema import Caller
from experiments.models import DrawnAs
from experiments.serve import config

ANONYMOUS = "anonymousId"
log = structlog.get_logger()


def note_person(caller: Caller | None, unit: str, context: Mapping[str, Any]) -> None:
    """Join the visitor that the context names with the user, before any event says so.

    A client key is heard only where its source trusts what its client keys say of logins. While the database is away
    nothing is joined, and the call is answered without it.
    """
    visitor = context.get(ANONYMOUS)
    if caller is None or not isinstance(visitor, str) or not 0 < len(visitor) <= 256 or visitor == unit:
        return
    by_server = caller.kind != "client"
    try:
        if by_server or joins.trusts(caller.source_id):
            joins.join_now(visitor, unit, source_id=caller.source_id, by_server=by_server, now=timezone.now())
    except config.AWAY as trouble:
        log.warning("person.database_away", error=type(trouble).__name__)


def drawing_ids(units: Iterable[str]) -> Mapping[str, str]:
    """For those of these units who draw by another id, that id; a site without logins asks nothing for it."""
    if not config.current().some_drawn_as:
        return {}
    return dict(DrawnAs.objects.filter(unit__in=units).values_list("unit", "drawn_as"))
