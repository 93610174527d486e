"""Table of all machine endpoints except the management API: path, access rule and handler.

An endpoint is one row here. Its errors have the format that `insight_site.access.permissions.error` gives its path.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.http import HttpRequest, HttpResponse

from events.ingest import ingest
from experiments.serve import ofrep, sdk
from insight_site.access.permissions import Rule, error, event_streams
from insight_site.operate import probes
from insight_site.operate.request_lines import write_now


@dataclass(frozen=True)
class Door:
    """One endpoint.

    Attributes:
        path: the whole path, with or without a slash at its end: a redirected POST would lose its body.
        rule: methods, scope and limits; `insight_site.access.permissions.refusal` holds callers to it.
        handler: called with the request and the named groups of `path`.
    """

    path: re.Pattern[str]
    rule: Rule
    handler: Callable[..., HttpResponse]


def served_elsewhere(request: HttpRequest, client_key: str) -> HttpResponse:
    """Answer to stream requests in a web process: `manage.py event_streams` serves them."""
    return error(request, 404, "not_found", "event streams are held by another process: send this path to it")


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of this process, with all requests answered so far."""
    write_now()
    return probes.metrics(request)


STREAM_DOOR = Door(
    re.compile(r"/ofrep/v1/streams/(?P<client_key>[^/]+)/?"),
    Rule("streams", "assign:read", ("GET",), key_in_path=True, token_in_path=True),
    served_elsewhere,
)
DOORS = (
    Door(
        re.compile(r"/ofrep/v1/evaluate/flags(?:/(?P<key>[^/]+))?/?"),
        Rule("evaluation", "assign:read", ("POST",)),
        partial(ofrep.evaluate, event_streams=event_streams),
    ),
    Door(
        re.compile(r"/v1/(?P<kind>batch|import|track|identify|page|screen|group|alias|[btipsga])/?"),
        Rule("ingest", "events:write", ("POST",), key_in_body=True),
        ingest,
    ),
    Door(
        re.compile(r"/api/features/(?P<client_key>[^/]+)/?"),
        Rule("payload", "config:read", ("GET",), key_in_path=True),
        sdk.features,
    ),
    Door(
        re.compile(r"/api/eval/(?P<client_key>[^/]+)/?"),
        Rule("evaluation", "assign:read", ("POST",), key_in_path=True),
        sdk.remote_eval,
    ),
    STREAM_DOOR,
    Door(re.compile(r"/metrics"), Rule("metrics", "metrics:read", ("GET",), internal=True), metrics),
    Door(
        re.compile(r"/healthz/parts(?:/(?P<name>[a-z]+))?/?"),
        Rule("metrics", "metrics:read", ("GET", "HEAD"), internal=True),
        probes.part,
    ),
)
