"""The address of the event stream that a caller of the bulk evaluation endpoint may subscribe to."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from events.schema import Caller
from insight_site.access.permissions import key_in_headers
from insight_site.access.stream_tokens import token_of

PATH = "/ofrep/v1/streams/"
ALIVE = f"{PATH}healthz"  # of the process that serves streams; its proxy forwards only these paths to it
HIDDEN_SECONDS = 120  # a page hidden for this long closes its stream; the protocol's own default


def event_streams(request: HttpRequest) -> list[dict[str, Any]]:
    """`eventStreams` of a bulk answer: one address for this caller; empty where no process serves streams.

    It stays the same for hours, because the answer's ETag covers it.
    """
    caller: Caller | None = getattr(request, "caller", None)
    if not settings.EVENT_STREAMS_URL or caller is None:
        return []
    opens = key_in_headers(request) if caller.kind == "client" else token_of(caller)
    url = f"{settings.EVENT_STREAMS_URL}{PATH}{opens}"
    return [{"type": "sse", "url": url, "inactivityDelaySec": HIDDEN_SECONDS}]
