"""Authenticates agents, with the same keys, scopes and rate limits as other endpoints."""

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

# Every tool needs the scope of the endpoint; tools that change something, or show more, need one more.
DOOR = Rule("agents", "reports:read", ("POST",))


@dataclass(frozen=True)
class AgentCaller:
    """An authenticated agent.

    Attributes:
        caller: the caller of its key, whose name is the agent's name.
        address: where the call comes from.
        request_id: of the call, as in log lines and the audit log.
    """

    caller: Caller
    address: str
    request_id: str

    @property
    def name(self) -> str:
        """The agent's name in the audit log and on the plans that it drafts."""
        return self.caller.key_name or self.caller.key_prefix


class ToolRefusal(Exception):  # noqa: N818 - named as `runs.refusals.Refused` is
    """A tool refuses. `problem` is sent to the agent: JSON in REST's format (RFC 9457), with a sentence."""

    def __init__(self, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = {"code": code, "detail": detail, **(problem or {})}


log = structlog.get_logger()


def let_in(scope: Any, body: bytes) -> AgentCaller | HttpResponse:
    """The agent behind an HTTP message, or the error response to send.

    The host must be in ALLOWED_HOSTS, so that a page of another site can't reach this server by a host name that it
    controls (DNS rebinding); and a browser is refused unless the key names the page's origin: agents aren't pages.
    """
    return _asked(request_of(environ_of(scope), body))


def with_key(key: str) -> AgentCaller | HttpResponse:
    """The agent behind a message over standard input: the person who started the process gave it this key."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/mcp",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "wsgi.url_scheme": "https",  # no network connection
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
