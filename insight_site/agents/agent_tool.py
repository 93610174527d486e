"""Who an agent is, what a tool is, and how it asks the management API; no tool counts exposures."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from events.catalogue.references import named_version
from events.metrics import facts
from events.schema import Caller
from insight_site.access.audit import audit
from insight_site.access.callers import client_address, environ_of, request_of
from insight_site.access.permissions import Rule, as_machine, error, refusal
from insight_site.operate.request_lines import ids_of
from runs.refusals import Refused
from segments.published.members import find_segment

# Authenticates agents, with the same keys, scopes and rate limits as other endpoints.

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
    callers: list[Caller] = []

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
        callers.append(caller)
        return HttpResponse()

    response = as_machine(request, answer)
    if not callers:
        log.info("agent.refused", status=response.status_code)
        return response
    ids = ids_of(request.META.get("HTTP_X_REQUEST_ID", ""), request.META.get("HTTP_TRACEPARENT", ""))
    return AgentCaller(callers[0], client_address(request), ids["request_id"])


def _wrong_place(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return error(request, 421, "wrong_host", "this site has another name")
    return None


# Tools for agents, which call the management API inside this process.
#
# They get the same views, refusals and entries of the audit log as over HTTP. The route's access rule isn't applied,
# since it is for programs' keys: each tool has its own scope, which `insight_site.agents.agent_server` checks before.
# Paths are fixed in the code; agents provide only their arguments.

Json = dict[str, Any]
MOST = 2**53
LIMITS: dict[str, Json] = {  # of arguments for which REST sets no limit
    "string": {"maxLength": 4_000},
    "array": {"maxItems": 200},
    "integer": {"minimum": 0, "maximum": MOST},
}


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool: the agent, the tool, and its arguments; absent arguments read as None."""

    who: AgentCaller
    tool: str
    arguments: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    def may(self, scope: str) -> bool:
        """Whether the agent's key has this scope."""
        return self.who.caller.may(scope)


@dataclass(frozen=True)
class AgentTool:
    """One tool.

    Attributes:
        name: identifier for agents.
        title: name for people, in their agent's list of tools.
        run: returns the answer as a JSON object; raises `ToolRefusal` or `Refused`.
        operation: `operationId` of the matching REST operation in docs/openapi.yaml; "" for none. The tool's
            description and the parameters in `takes` come from there.
        note: addition to the description; the whole description if there is no operation.
        takes: names of the operation's parameters that agents may give.
        own: JSON schemas of arguments that REST lacks, or defines differently.
        needs: names of required arguments.
        scope: scope that the key needs besides that of the endpoint; "" for none.
        changes: whether it writes something.
    """

    name: str
    title: str
    run: Callable[[ToolCall], Json]
    operation: str = ""
    note: str = ""
    takes: tuple[str, ...] = ()
    own: Mapping[str, Json] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    scope: str = ""
    changes: bool = False

    @property
    def description(self) -> str:
        """What it does, what it costs, and how to read its answer."""
        return " ".join(filter(None, (operation(self.operation).description if self.operation else "", self.note)))

    @property
    def schema(self) -> Json:
        """JSON schema of all arguments; others are rejected."""
        of_rest = {name: operation(self.operation).parameters[name] for name in self.takes}
        return {
            "type": "object",
            "properties": {**of_rest, **self.own},
            "required": list(self.needs),
            "additionalProperties": False,
        }


# ── REST operations ───────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Operation:
    """A description, and JSON schemas of parameters and of the fields of the body, each with its description."""

    description: str
    parameters: Mapping[str, Json]


def operation(operation_id: str) -> Operation:
    """One operation of the management API.

    Raises:
        KeyError: there is none of this name.
    """
    return _operations()[operation_id]


@cache
def _operations() -> dict[str, Operation]:
    """All operations, from the same document as docs/openapi.yaml."""
    with translation.override("en"):
        generator: Any = SchemaGenerator  # the library has no types
        document = generator().get_schema(request=None, public=True)
    named = document["components"]["schemas"]
    return {
        entry["operationId"]: Operation(" ".join(entry.get("description", "").split()), _parameters(entry, named))
        for path in document["paths"].values()
        for entry in path.values()
        if isinstance(entry, dict) and "operationId" in entry
    }


def _parameters(entry: Json, named: Json) -> dict[str, Json]:
    given = {
        parameter["name"]: {**parameter["schema"], "description": parameter.get("description", "")}
        for parameter in entry.get("parameters", ())
    }
    for content in entry.get("requestBody", {}).get("content", {}).values():
        body = _resolved(content["schema"], named)
        given |= body.get("properties", {})
        given |= body.get("properties", {}).get("inputs", {}).get("properties", {})  # the question of a study
    return {name: _bounded(_resolved(schema, named)) for name, schema in given.items()}


def _resolved(schema: Any, named: Json) -> Any:
    """With references to named schemas resolved; a title is prepended to the description."""
    if isinstance(schema, list):
        return [_resolved(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(named[schema["$ref"].rpartition("/")[2]], named)
    resolved = {name: _resolved(value, named) for name, value in schema.items() if name != "allOf"}
    for part in schema.get("allOf", ()):
        resolved = {**_resolved(part, named), **resolved}
    if isinstance(title := resolved.get("title"), str):  # else it is a field named "title"
        del resolved["title"]
        resolved["description"] = "\n\n".join(filter(None, (title, resolved.get("description"))))
    return resolved


def _bounded(schema: Json) -> Json:
    """Add a limit where REST limits only the size of its body."""
    kinds = schema.get("type", ())
    limits: Json = {}
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        limits |= {} if "enum" in schema else LIMITS.get(kind, {})
    return limits | schema


# ── Arguments of tools alone ──────────────────────────────────────────────────
def text(about: str, longest: int = 400) -> Json:
    """Schema of a text argument."""
    return {"type": "string", "maxLength": longest, "description": about}


def whole(about: str, least: int = 0) -> Json:
    """Schema of an integer argument."""
    return {"type": "integer", "minimum": least, "maximum": MOST, "description": about}


def number(about: str) -> Json:
    """Schema of a number argument."""
    return {"type": "number", "description": about}


def flag(about: str) -> Json:
    """Schema of a boolean argument."""
    return {"type": "boolean", "description": about}


PAGE = {"page": text("next_page of the previous response; omit for the first page", 500)}


def paging(call: ToolCall) -> Json:
    """Pagination parameters: lists that grow use cursors, the others page numbers."""
    page = call["page"] or ""
    return {"page" if page.isdecimal() else "cursor": page}


ROOT = "/api/v1/"
FIRST_FAILURE = 400
SAID = ("status", "errors", "request_id")  # of a problem document, besides code and sentence


def ask(
    who: AgentCaller,
    tool: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Call the management API; returns the response's JSON.

    Args:
        who: the agent.
        tool: the calling tool, for the audit log.
        method, path: of the route, below ``/api/v1/``.
        query: parameters; None and "" are omitted.
        body: JSON.

    Raises:
        ToolRefusal: the API refuses, with its code and its sentence.
    """
    request = _request(who, tool, method, path, query or {}, body)
    response = audit(_answer)(request)
    if response.status_code >= FIRST_FAILURE:
        raise _refusal(response)
    return _paged(json.loads(response.content)) if response.content else {}


def segment(part: object) -> str:
    """Escape a path segment that an agent chose, so that it can't lead to another route."""
    return quote(str(part), safe="") or "-"


def _request(
    who: AgentCaller, tool: str, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None
) -> HttpRequest:
    content = b"" if body is None else json.dumps(body).encode()
    chosen = {name: value for name, value in query.items() if value not in (None, "")}
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": ROOT + path,
        "QUERY_STRING": urlencode(chosen),
        "CONTENT_TYPE": "application/json",
        "SERVER_NAME": _own_host(),
        "SERVER_PORT": "443" if settings.HTTPS else "80",
        "REMOTE_ADDR": who.address,
        "wsgi.url_scheme": "https" if settings.HTTPS else "http",
    }
    request = request_of(environ, content)
    request.caller = who.caller  # type: ignore[attr-defined]
    request.agent, request.agent_tool = who.name, tool  # type: ignore[attr-defined]
    return request


def _answer(request: HttpRequest) -> HttpResponse:
    try:
        match = resolve(request.path_info)
    except Http404:
        raise ToolRefusal("not_found", "There is no such thing.") from None
    request.resolver_match = match
    response: Any = match.func(request, *match.args, **match.kwargs)
    if hasattr(response, "render"):
        response.render()
    return response  # type: ignore[no-any-return]


def _refusal(response: HttpResponse) -> ToolRefusal:
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = {}
    more = {name: problem[name] for name in SAID if name in problem}
    return ToolRefusal(str(problem.get("code", "refused")), str(problem.get("detail", "It was refused.")), more)


def _paged(document: Any) -> Any:
    """Replace the next page's address, which an agent can't open, with the parameters to request it."""
    if not (isinstance(document, dict) and {"results", "next", "previous"} <= document.keys()):
        return document if isinstance(document, dict) else {"results": document}
    query = parse_qs(urlsplit(document["next"] or "").query)
    following = next((query[name][0] for name in ("cursor", "page") if name in query), None)
    rest = {name: value for name, value in document.items() if name not in ("next", "previous")}
    return {**rest, "next_page": following}


def _own_host() -> str:
    """A host name of this site that Django accepts."""
    first = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost"
    return "localhost" if first == "*" else first.lstrip(".")


# Keeps tools from counting exposures, also through a stored metric or segment: see events.metrics.facts.


def refuse_exposures(*given: Any) -> None:
    """Refuse definitions that count exposures, also by way of a metric of the catalogue or of a segment.

    Args:
        given: texts, or lists and objects of them, that define behaviours, outcomes, start events or segments.

    Raises:
        ToolRefusal: one of them does.
    """
    versions = [named_version(text) for text in facts.texts_in(given)]
    try:
        facts.refuse_exposures(given, [version.facts.line for version in versions if version is not None])
    except Refused as refusal:
        raise ToolRefusal("counts_exposures", refusal.sentence) from None


def refuse_exposures_of_segments(*slugs: str | None) -> None:
    """Refuse a segment whose rule counts exposures.

    Raises:
        ToolRefusal: one of them does.
    """
    for slug in filter(None, slugs):
        row = find_segment(slug)
        if row is not None:
            refuse_exposures(row.version.rule)
