"""Tools for agents, which call the management API inside this process.

They get the same views, refusals and entries of the audit log as over HTTP. The route's access rule isn't applied,
since it is for programs' keys: each tool has its own scope, which `insight_site.mcp.agent_server` checks before. Paths
are fixed in the code; agents provide only their arguments.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from insight_site.audit.around_calls import audit
from insight_site.made_requests import request_of
from insight_site.mcp.agent_caller import AgentCaller, ToolRefusal

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
        said["operationId"]: Operation(" ".join(said.get("description", "").split()), _parameters(said, named))
        for path in document["paths"].values()
        for said in path.values()
        if isinstance(said, dict) and "operationId" in said
    }


def _parameters(said: Json, named: Json) -> dict[str, Json]:
    given = {
        one["name"]: {**one["schema"], "description": one.get("description", "")} for one in said.get("parameters", ())
    }
    for content in said.get("requestBody", {}).get("content", {}).values():
        body = _resolved(content["schema"], named)
        given |= body.get("properties", {})
        given |= body.get("properties", {}).get("inputs", {}).get("properties", {})  # the question of a study
    return {name: _bounded(_resolved(schema, named)) for name, schema in given.items()}


def _resolved(schema: Any, named: Json) -> Any:
    """With references to named schemas resolved; a title is prepended to the description."""
    if isinstance(schema, list):
        return [_resolved(one, named) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(named[schema["$ref"].rpartition("/")[2]], named)
    found = {name: _resolved(value, named) for name, value in schema.items() if name != "allOf"}
    for part in schema.get("allOf", ()):
        found = {**_resolved(part, named), **found}
    if isinstance(title := found.get("title"), str):  # else it is a field named "title"
        del found["title"]
        found["description"] = "\n\n".join(filter(None, (title, found.get("description"))))
    return found


def _bounded(schema: Json) -> Json:
    """Add a limit where REST limits only the size of its body."""
    kinds = schema.get("type", ())
    found: Json = {}
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        found |= {} if "enum" in schema else LIMITS.get(kind, {})
    return found | schema


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


PAGE = {"page": text("next_page of the answer before; leave it out for the first page", 500)}


def paging(asked: ToolCall) -> Json:
    """Pagination parameters: lists that grow use cursors, the others page numbers."""
    page = asked["page"] or ""
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
        said = json.loads(response.content)
    except ValueError:
        said = {}
    more = {name: said[name] for name in SAID if name in said}
    return ToolRefusal(str(said.get("code", "refused")), str(said.get("detail", "It was refused.")), more)


def _paged(found: Any) -> Any:
    """Replace the next page's address, which an agent can't open, with the parameters to request it."""
    if not (isinstance(found, dict) and {"results", "next", "previous"} <= found.keys()):
        return found if isinstance(found, dict) else {"results": found}
    asked = parse_qs(urlsplit(found["next"] or "").query)
    following = next((asked[name][0] for name in ("cursor", "page") if name in asked), None)
    kept = {name: value for name, value in found.items() if name not in ("next", "previous")}
    return {**kept, "next_page": following}


def _own_host() -> str:
    """A host name of this site that Django accepts."""
    first = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost"
    return "localhost" if first == "*" else first.lstrip(".")
