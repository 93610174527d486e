"""Access rules: one table from route to rule, deny by default, checked before every view.

The machine endpoints ("doors") of `insight_site.machine` have their rules in their own table.
Apps don't import this. They find `request.caller`, a frozen `events.schema.Caller`, and on endpoints that take a key in
the body `request.identify(key)`, which returns the caller or the error response to send.
"""

import base64
import binascii
import ipaddress
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.views import defaults

from events.schema import Caller
from insight_site.access import keys, limits
from insight_site.access.callers import client_address as client_address
from insight_site.access.callers import visitor_of
from insight_site.access.keys import digest, environment_of, find_caller, other_than_production, token_of

# The routes of signing in: `insight_site.access.permissions` lets everybody call them.

# Login and account pages: half of them are for people who aren't signed in yet.
SIGN_IN = (
    "login",
    "account_login",
    "sign_in_link",
    "mfa_authenticate",
    "logout",
    "account_logout",
    "admin_login",
    "admin_password",
    "password_reset",
    "password_reset_sent",
    "password_set",
    "account",
    "account_inactive",
    "account_change_password",
    "end_my_sessions",
    "account_reauthenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
    "mfa_edit_webauthn",
    "openid_connect_login",
    "openid_connect_callback",
    "saml_login",
    "saml_acs",
    "saml_finish_acs",
    "saml_metadata",
    "saml_sls",
)

log = structlog.get_logger()
BAD_KEYS_A_MINUTE = 20
VISITORS = 20  # one address may use this part (1/20) of a key's rate limit
ALONE = 10  # a process counts this part (1/10) of a visitor's limit locally: most visitors call a few times
REST_BYTES = 8 * 1024 * 1024
MANAGEMENT_BYTES = 1024 * 1024
REST_SECONDS = 10.0
IDLE_SECONDS = 5.0


@dataclass(frozen=True)
class Rule:
    """The access rule of one route.

    Attributes:
        door: name of the endpoint in logs, metrics and throttles.
        scope: what the key must be allowed to do; None for routes without keys (`door` says which).
        methods: allowed HTTP methods; others get 405.
        key_in_body: the endpoint reads a key from the body when the headers have none.
        key_in_path: the key is the path's `client_key`; then only client keys are taken.
        internal: callers from INTERNAL_NETWORKS need no key.
        write_scope: what a key needs for methods that change something; None for the same as `scope`.
        session: a person who is logged in needs no key; the view checks their permission.
        token_in_path: the path may instead hold a token of `insight_site.access.keys`, for any key.
    """

    door: str
    scope: str | None = None
    methods: tuple[str, ...] = ()
    key_in_body: bool = False
    key_in_path: bool = False
    internal: bool = False
    write_scope: str | None = None
    session: bool = False
    token_in_path: bool = False

    def scope_for(self, method: str | None) -> str | None:
        """The scope that a call with this method needs."""
        return self.write_scope if self.write_scope and method not in ("GET", "HEAD", "OPTIONS") else self.scope


PEOPLE = Rule("people")  # the view checks the session itself
RULES: dict[str, Rule] = {
    "admin:*": PEOPLE,
    "home": Rule("pages", methods=("GET", "HEAD")),
    "demo_report": Rule("pages", methods=("GET", "HEAD")),
    **dict.fromkeys(SIGN_IN, PEOPLE),
    **dict.fromkeys(("notices", "notices_add", "notices_place", "notices_stop"), PEOPLE),
    **dict.fromkeys(("digest", "digest_week", "digest_to_me", "digest_share"), PEOPLE),
    "set_language": PEOPLE,
    "set_theme": PEOPLE,
    "own_zone": PEOPLE,
    "site_zone": PEOPLE,
    "dismiss_tour": PEOPLE,
    "whats_new": PEOPLE,
    "picture": PEOPLE,
    "map_picture": PEOPLE,
    "spent": PEOPLE,
    "glossary": PEOPLE,
    "methods": PEOPLE,
    "method": PEOPLE,
    "takeaway": PEOPLE,
    "share": PEOPLE,
    "revoke_share": PEOPLE,
    "shared": Rule("shared", methods=("GET", "HEAD")),
    "events:*": PEOPLE,
    "connect:*": PEOPLE,
    "pick:*": PEOPLE,
    "upkeep:*": PEOPLE,
    "segments:*": PEOPLE,
    "aha:*": PEOPLE,
    "experiments:*": PEOPLE,
    "launches:*": PEOPLE,
    "growth:*": PEOPLE,
    "explore:*": PEOPLE,
    "explore_png": PEOPLE,
    "api_schema": Rule("management", "reports:read", session=True),
    "api_docs": PEOPLE,
    "metrics_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "calendar_api:*": Rule("management", "reports:read", write_scope="calendar:write", session=True),
    "launches_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "segments_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "segments_members:*": Rule("management", "segments:read", ("GET", "HEAD"), session=True),
    "audiences:*": PEOPLE,
    "boards:*": PEOPLE,
    "environments:*": PEOPLE,
    "selftest:*": PEOPLE,
    "environments_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "audiences_api:*": Rule("management", "segments:read", write_scope="admin:*", session=True),
    # Counts are a report; the ids of users are personal data.
    "identity_api:counts": Rule("management", "reports:read", ("GET", "HEAD"), session=True),
    "identity_api:ids": Rule("management", "privacy:read", ("GET", "HEAD"), session=True),
    "notices_api:*": Rule("management", "admin:*", session=True),  # where people read notices
    "upkeep_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "users_api:*": Rule("management", "users:write", session=True),
    "aha_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    "experiments_api:*": Rule("management", "reports:read", write_scope="admin:*", session=True),
    # Users' arms are more than a report: combined with a scope that computes, they would reveal a locked outcome.
    "experiments_api:experiment-assignments": Rule(
        "management", "assignments:read", write_scope="admin:*", session=True
    ),
    **{
        f"experiments_api:webhookendpoint-{name}": Rule("management", "admin:*", session=True)
        for name in ("list", "detail", "rotate", "deliveries")  # addresses of other systems are not for every reader
    },
    # Erasing and exporting persons have scopes of their own, which `admin:*` doesn't hold.
    "privacy_api:*": Rule("management", "privacy:write", session=True),
    "privacy_api:person": Rule("management", "privacy:read", ("GET", "HEAD"), session=True),
    "signatures_api:*": Rule("management", "reports:read", ("GET", "HEAD"), session=True),
    "insight_keys": Rule("pages", methods=("GET", "HEAD")),  # anybody may check a signature
    "healthz": Rule("operations", methods=("GET", "HEAD")),
    "readyz": Rule("operations", methods=("GET", "HEAD")),
}
MACHINE_DOORS = {
    "/v1/": "ingest",
    "/ofrep/": "evaluation",
    "/api/features/": "payload",
    "/api/eval/": "evaluation",
    "/api/v1/": "management",
    "/metrics": "metrics",
    "/healthz/parts": "metrics",
}
# Messages of Python, Django and database drivers about text or numbers that no column can hold.
SAID_OF_VALUES = ("out of range", "NUL", "null character", "expected a number")
OFREP_FLAG = "/ofrep/v1/evaluate/flags/"


def rule_for(view_name: str) -> Rule | None:
    """The rule of a route by its name, or of its whole namespace."""
    return RULES.get(view_name) or RULES.get(view_name.split(":")[0] + ":*")


def machine_door(path: str) -> str | None:
    """The machine endpoint that a path belongs to, even when no route matches; None for pages."""
    return next((door for prefix, door in MACHINE_DOORS.items() if path.startswith(prefix)), None)


def error(
    request: HttpRequest, status: int, code: str, message: str, *, retry_after: int | None = None
) -> HttpResponse:
    """An error response in the format of the machine endpoint that was called."""
    path = request.path_info
    body: dict[str, object] = {"code": code, "message": message}
    if path.startswith("/ofrep/"):
        status = 500 if status == 503 else status  # OFREP defines no 503
        flag = path.removeprefix(OFREP_FLAG).strip("/") if path.startswith(OFREP_FLAG) else ""
        body = {**({"key": flag} if flag else {}), "errorCode": "GENERAL", "errorDetails": message}
    elif path.startswith(("/api/features/", "/api/eval/")):
        body = {"status": status, "error": message}
    response = JsonResponse(body, status=status)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="insight", Bearer'
    return response


class Doors:
    """Middleware: English and HTTPS on the management API; then enforces the route's rule before its view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request; API responses are in English, their errors are problem documents."""
        if machine_door(request.path_info) is None:
            return self.get_response(request)
        return _shaped(request, as_machine(request, self.get_response))

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse what the permission table doesn't allow."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        rule = rule_for(name)
        if rule is None:
            log.error("access.no_rule", route=name)
            return error(request, 403, "forbidden", "this route has no access rule")
        return refusal(request, rule, kwargs)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 400 when a filter, search or selected row of the admin holds a value that the database can't store."""
        if request.path_info.startswith("/admin/") and _is_no_question(error):
            return defaults.bad_request(request, error)
        return None


def _is_no_question(error: Exception) -> bool:
    """True for values that no column can hold (NUL, a year of thirty digits); databases' errors differ."""
    return isinstance(error, DataError | OverflowError) or (
        isinstance(error, ValueError) and any(phrase in str(error) for phrase in SAID_OF_VALUES)
    )


def as_machine(request: HttpRequest, answer: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Answer in English, and over HTTPS only where that is set; then read the rest of the request body."""
    if connection := request.META.get("gunicorn.socket"):
        connection.settimeout(IDLE_SECONDS)  # a client that announces a body and sends none must not block the worker
    with translation.override("en"):
        if settings.HTTPS and not request.is_secure() and not _asked_past_the_proxy(request):
            response = error(request, 403, "https_required", "use https: this key has just travelled in the clear")
        elif request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = HttpResponse(status=204)
        else:
            response = answer(request)
    if response.status_code != 408:  # 408: it already waited for the body
        _read_rest(request)
    return response


def _asked_past_the_proxy(request: HttpRequest) -> bool:
    """True when monitoring calls web directly, where there is no TLS: a proxy would have set X-Forwarded-Proto."""
    inside = settings.BEHIND_PROXY and "X-Forwarded-Proto" not in request.headers
    return inside and machine_door(request.path_info) == "metrics"


def refusal(request: HttpRequest, rule: Rule, arguments: Mapping[str, Any]) -> HttpResponse | None:
    """The error response for a forbidden call, or None; sets `door`, and `caller` or `identify`, on the request.

    With a client key it also sets `visitor`: the address by which rate limits count.
    """
    request.door = rule.door  # type: ignore[attr-defined]
    if rule is PEOPLE and any("\x00" in value for value in arguments.values() if isinstance(value, str)):
        raise Http404  # PostgreSQL can't store NUL, so no row has this address; a query with it would be a 500
    if rule.methods and request.method not in rule.methods:
        response = error(request, 405, "method_not_allowed", f"use {' or '.join(rule.methods)}")
        response["Allow"] = ", ".join(rule.methods)
        return response
    if rule.door == "management" and (bad_length := _bad_length(request)):
        return bad_length
    if rule.scope is None or (rule.internal and _is_internal(request)):
        return None
    request.identify = lambda key: _identify(request, rule, key)  # type: ignore[attr-defined]
    key = arguments["client_key"] if rule.key_in_path else key_in_headers(request)
    if key is None and (rule.key_in_body or (rule.session and request.user.is_authenticated)):
        return None
    answer = _identify(request, rule, key)
    return answer if isinstance(answer, HttpResponse) else None


def _identify(request: HttpRequest, rule: Rule, key: str | None) -> Caller | HttpResponse:
    """Look up the key's caller and set it on the request; or return the error response: 401, 403, 429, 503."""
    try:
        token = rule.token_in_path and keys.is_token(key)
        caller = (keys.caller_of_token(key) if token else find_caller(key)) if key else None
    except (DatabaseError, InterfaceError):
        return error(request, 503, "unavailable", "the database is away; try again", retry_after=5)
    if caller is not None and rule.key_in_path and not token and caller.kind != "client":
        log.error("access.secret_key_in_path", key=caller.key_prefix)  # the key stands in logs now: rotate it
        caller = None
    if caller is None:
        if not limits.passes(f"badkey:{visitor_of(request)}", BAD_KEYS_A_MINUTE):
            return _too_many(request, "too_many_bad_keys", "too many bad keys from this address")
        elsewhere = environment_of(key or "").rstrip("_")
        if elsewhere and elsewhere != other_than_production():
            return error(request, 401, "unauthorized", f"the key is one of {elsewhere}; this is {settings.ENVIRONMENT}")
        return error(request, 401, "unauthorized", "the key is missing, unknown, expired or revoked")
    request.caller = caller  # type: ignore[attr-defined]
    scope = rule.scope_for(request.method) or ""
    if not caller.may(scope):
        return error(request, 403, "missing_scope", f"this key may not do {scope}")
    origin = request.META.get("HTTP_ORIGIN")  # `headers` would parse all of them
    if origin and caller.allowed_origins and origin not in caller.allowed_origins:
        return error(request, 403, "origin_not_allowed", "this key may not be used from this origin")
    return _over_limit(request, rule.door, caller, digest(key or "")[:40]) or caller


def _over_limit(request: HttpRequest, door: str, caller: Caller, name: str) -> HttpResponse | None:
    """Error for a key over its rate limit; a public key has many users, so each address is counted before the key."""
    if caller.kind == "client":
        request.visitor = address = visitor_of(request)  # type: ignore[attr-defined]
        limit = caller.rate or settings.RATES.get("client key", 12_000)
        usual = settings.RATES.get("visitor", 600)
        visitor = min(limit, max(usual, caller.rate // VISITORS) if caller.rate else usual)
        if not limits.passes(f"{door}:{name}:{address}", visitor, alone=visitor // ALONE):
            return _too_many(request, "too_many_requests", f"more than {visitor} calls a minute from this address")
    else:
        limit = caller.rate or settings.RATES.get(door, 60)
    if not limits.passes(f"{door}:{name}", limit):
        return _too_many(request, "too_many_requests", f"more than {limit} calls a minute")
    return None


def _bad_length(request: HttpRequest) -> HttpResponse | None:
    """Reject bodies that are too long or chunked: Django reads a chunked one as empty and would act without it."""
    if request.headers.get("Transfer-Encoding"):
        return error(request, 411, "length_required", "send a Content-Length; chunked bodies are not taken")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MANAGEMENT_BYTES:
        return error(request, 413, "body_too_large", f"the body may have at most {MANAGEMENT_BYTES} bytes")
    return None


def _shaped(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Our own error in the format of its endpoint: the management API answers with problem+json (RFC 9457)."""
    plain = response.headers.get("Content-Type") == "application/json" and response.status_code >= 400
    if not plain or machine_door(request.path_info) != "management":
        return response
    problem = json.loads(response.content)
    if "code" not in problem or "message" not in problem:
        return response
    body = {
        "type": f"urn:insight:{problem['code']}",
        "title": problem["code"].replace("_", " "),
        "status": response.status_code,
        "detail": problem["message"],
        "instance": request.path,
        "code": problem["code"],
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    response.content = json.dumps(body).encode()
    response["Content-Type"] = "application/problem+json"
    return response


def _too_many(request: HttpRequest, code: str, message: str) -> HttpResponse:
    return error(request, 429, code, message, retry_after=_next_minute())


def key_in_headers(request: HttpRequest) -> str | None:
    """The key in the headers: empty when it can't be read, None when there is none."""
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return str(base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")[0])
        except (binascii.Error, UnicodeDecodeError):
            return ""
    if scheme.lower() in ("bearer", "api-key"):
        return str(value.strip())
    key: str | None = request.META.get("HTTP_X_API_KEY")
    return "" if scheme else key


def _is_internal(request: HttpRequest) -> bool:
    if not settings.BEHIND_PROXY and "X-Forwarded-For" in request.headers:
        return False  # an unconfigured proxy: its own address identifies no caller
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in settings.INTERNAL_NETWORKS)


def _next_minute() -> int:
    return max(1, math.ceil(60 - time.time() % 60))


def _read_rest(request: HttpRequest) -> None:
    """Read the rest of the request body, within bounds.

    A server that closes with bytes unread resets the connection, and the client may lose the answer: on 413 it drops
    the batch, without an answer it sends the same batch again and again.
    """
    chunked = "CONTENT_LENGTH" not in request.META
    source = request.META.get("wsgi.input") if chunked else request  # without a length Django reads nothing
    if source is None or (chunked and "HTTP_TRANSFER_ENCODING" not in request.META):
        return
    left, deadline = REST_BYTES, time.monotonic() + REST_SECONDS
    try:
        while left > 0 and time.monotonic() < deadline and (piece := source.read(65_536)):
            left -= len(piece)
    except Exception as trouble:  # a broken body is the client's problem, and the answer is already made
        log.info("access.rest_unread", error=type(trouble).__name__)


# The address of the event stream that a caller of the bulk evaluation endpoint may subscribe to.

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
