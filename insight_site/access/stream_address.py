"""Where a caller of the bulk door may hear of changes."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from events.schema import Caller
from insight_site.access.permissions import key_in_headers
from insight_site.access.stream_tokens import token_of

PATH = "/ofrep/v1/streams/"
ALIVE = f"{PATH}healthz"  # of the process that holds streams, where its proxy sends it nothing but these paths
HIDDEN_SECONDS = 120  # a page that is hidden for so long closes its stream; the protocol's own default


def event_streams(request: HttpRequest) -> list[dict[str, Any]]:
    """`eventStreams` of a bulk answer: one address for this caller, and none where no process holds streams.

    It stays the same for hours: the tag of the answer covers it.
    """
    caller: Caller | None = getattr(request, "caller", None)
    if not settings.EVENT_STREAMS_URL or caller is None:
        return []
    opens = key_in_headers(request) if caller.kind == "client" else token_of(caller)
    url = f"{settings.EVENT_STREAMS_URL}{PATH}{opens}"
    return [{"type": "sse", "url": url, "inactivityDelaySec": HIDDEN_SECONDS}]
