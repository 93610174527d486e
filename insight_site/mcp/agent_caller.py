"""Who an agent is, and who may come in: the keys, scopes and limits of other doors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from events.schema import Caller
from insight_site.access.permissions import Rule, as_machine, error, refusal
from insight_site.addresses import client_address
from insight_site.made_requests import environ_of, request_of
from insight_site.request_lines import ids_of

# Every tool needs the scope of the door; those that change something, or see more, ask for one more.
DOOR = Rule("agents", "reports:read", ("POST",))


@dataclass(frozen=True)
class AgentCaller:
    """An agent that may come in.

    Attributes:
        caller: what its key says. The name that people gave the key is the agent's name.
        address: where the call comes from.
        request_id: of the call; log lines and the audit log carry it.
    """

    caller: Caller
    address: str
    request_id: str

    @property
    def name(self) -> str:
        """The agent's name, as the audit log and the plans that it drafts show it."""
        return self.caller.key_name or self.caller.key_prefix


class ToolRefusal(Exception):  # noqa: N818 - named as `runs.refusals.Refused` is
    """A tool says no. `problem` is what the agent is told: JSON as REST says it (RFC 9457), with a sentence."""

    def __init__(self, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = {"code": code, "detail": detail, **(problem or {})}


log = structlog.get_logger()


def let_in(scope: Any, body: bytes) -> AgentCaller | HttpResponse:
    """The agent behind a message over HTTP, or the refusal to send back.

    The host must be one of ours, so that a page of another site can't reach this server by a name of its own (DNS
    rebinding); and a browser is refused unless the key names the page's origin: agents aren't pages.
    """
    return _asked(request_of(environ_of(scope), body))


def with_key(key: str) -> AgentCaller | HttpResponse:
    """The agent behind a message over standard input: whoever started the process gave it this key."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/mcp",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.url_scheme": "https",  # no wire is used
    }
    return _asked(request_of(environ), over_wire=False)


def _asked(request: Any, *, over_wire: bool = True) -> AgentCaller | HttpResponse:
    found: list[Caller] = []

    def answer(request: HttpRequest) -> HttpResponse:
        if over_wire and (wrong := _wrong_place(request)) is not None:
            return wrong
        refused = refusal(request, DOOR, {})
        if refused is not None:
            return refused
        caller: Caller = request.caller  # type: ignore[attr-defined]
        origin = request.headers.get("Origin")
        if origin is not None and origin not in caller.allowed_origins:
            return error(request, 403, "origin_not_allowed", "this key may not be used from this origin")
        found.append(caller)
        return HttpResponse()

    response = as_machine(request, answer)
    if not found:
        log.info("agent.refused", status=response.status_code)
        return response
    ids = ids_of(request.META.get("HTTP_X_REQUEST_ID", ""), request.META.get("HTTP_TRACEPARENT", ""))
    return AgentCaller(found[0], client_address(request), ids["request_id"])


def _wrong_place(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return error(request, 421, "wrong_host", "this site has another name")
    return None
