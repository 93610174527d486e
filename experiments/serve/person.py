"""Join two ids of a person when the context has `anonymousId` beside the unit (docs/identity.md)."""

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
    """Join the visitor in the context with the user, before an event does.

    A client key may do this only where its source trusts logins from client keys. While the database is unavailable
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
    """The other id for those of these units that draw by one; no query on a site without logins."""
    if not config.current().some_drawn_as:
        return {}
    return dict(DrawnAs.objects.filter(unit__in=units).values_list("unit", "drawn_as"))
