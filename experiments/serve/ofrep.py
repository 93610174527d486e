"""The OpenFeature API: OFREP 0.3.0, one flag or all. Contract: docs/openapi-ofrep.yaml, docs/assignment.md.

An answer always has all five fields and an error both of its two: published clients raise internally when one is
missing, and their callers silently get the default.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse

from events.schema import Caller
from experiments.draw.evaluation import Evaluation, Failed
from experiments.plan.validation import KEY
from experiments.serve import assign
from experiments.serve.assign import ANONYMOUS, note_person
from experiments.serve.flag_usage import Door, note_ask, visitor_of
from experiments.serve.http_body import BadBodyError, read_json

log = structlog.get_logger()


class RefusedContextError(Exception):
    """A context without a valid unit: an error code of OFREP and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def evaluate(
    request: HttpRequest, key: str | None = None, *, event_streams: Callable[[HttpRequest], list[dict[str, Any]]]
) -> HttpResponse:
    """Evaluate one flag, or all when there is no key. No exception reaches the caller as HTML.

    Args:
        request: of the caller.
        key: of the flag.
        event_streams: function that lists the streams of changes for this caller; empty where no process serves
            streams.
    """
    try:
        unit, context = _unit(read_json(request))
        if ANONYMOUS in context:
            note_person(_caller(request), unit, context)
        asks: dict[str, Any] = {"detailed": _detailed(request), "visitor": visitor_of(request)}
        if key is None:
            note_ask(_caller(request), Door.BULK)
            return _bulk(request, assign.evaluate_all(unit, context, **asks), event_streams(request))
        response = _single(key, unit, context, expose=_exposes(request), **asks)
        if response.status_code == 200:
            note_ask(_caller(request), Door.FLAG, key)
        return response
    except BadBodyError as bad:
        return _error(bad.status, key, "PARSE_ERROR" if bad.parse else "GENERAL", bad.message)
    except RefusedContextError as refused:
        return _error(400, key, refused.code, refused.message)
    except (DatabaseError, InterfaceError) as trouble:
        log.error("ofrep.database_away", error=type(trouble).__name__)
        return _error(500, key, "GENERAL", "the database is away; try again")
    except Exception:
        log.exception("ofrep.failed")
        return _error(500, key, "GENERAL", "our fault; try again")


def _single(key: str, unit: str, context: dict[str, Any], **asks: Any) -> HttpResponse:
    answer = None
    if KEY.fullmatch(key):
        answer = assign.evaluate(key, unit, context, **asks)
    if answer is None:
        return _error(404, key, "FLAG_NOT_FOUND", "there is no started experiment under this flag key")
    if isinstance(answer, Failed):
        return _error(500, key, "GENERAL", answer.message)
    return _json(answer.document())


def _json(document: dict[str, Any]) -> HttpResponse:
    try:
        body = orjson.dumps(document)
    except TypeError:  # a value with a number of more than 64 bits
        return JsonResponse(document)
    return HttpResponse(body, content_type="application/json")


def _bulk(request: HttpRequest, answers: list[Evaluation | Failed], streams: list[dict[str, Any]]) -> HttpResponse:
    flags = [_entry(answer) for answer in answers]
    tag = _tag(flags, streams)
    if _matches(request.headers.get("If-None-Match", ""), tag):
        response = HttpResponse(status=304)
    else:
        response = _json({"flags": flags, "metadata": {}, **({"eventStreams": streams} if streams else {})})
    response["ETag"] = tag
    return response


def _entry(answer: Evaluation | Failed) -> dict[str, Any]:
    if isinstance(answer, Failed):
        return {"key": answer.flag.flag, "errorCode": "GENERAL", "errorDetails": answer.message}
    return answer.document()


def _tag(flags: list[dict[str, Any]], streams: list[dict[str, Any]]) -> str:
    """ETag of the unit's answers and of the stream addresses: a client that gets 304 keeps both.

    `sticky` (whether a row existed) isn't part of it, since clients needn't see that change.
    """
    settled = [
        {**flag, "metadata": {name: value for name, value in flag.get("metadata", {}).items() if name != "sticky"}}
        for flag in flags
    ]
    text = json.dumps(settled, sort_keys=True) + "".join(stream["url"] for stream in streams)
    return f'"{hashlib.sha256(text.encode()).hexdigest()}"'


def _matches(sent: str, tag: str) -> bool:
    """Weak ETag comparison; Django's own would answer a match on a POST with 412."""
    return any(etag.strip().removeprefix("W/") in (tag, "*") for etag in sent.split(","))


def _unit(body: Any) -> tuple[str, dict[str, Any]]:
    context = body.get("context") if isinstance(body, dict) else None
    if isinstance(body, dict) and context is None:
        raise RefusedContextError("TARGETING_KEY_MISSING", "context.targetingKey is missing")
    if not isinstance(context, dict):
        raise RefusedContextError("INVALID_CONTEXT", "the body must be an object with an object `context`")
    unit = context.get("targetingKey")
    if unit is None or unit == "":
        raise RefusedContextError("TARGETING_KEY_MISSING", "context.targetingKey is missing")
    if problem := assign.unit_problem(unit):
        raise RefusedContextError("INVALID_CONTEXT", f"context.targetingKey: {problem.english}")
    return str(unit), context


def _detailed(request: HttpRequest) -> bool:
    """False for client keys: segment names can be sensitive, and these keys are in browsers."""
    caller = _caller(request)
    return caller is not None and caller.kind != "client"


def _exposes(request: HttpRequest) -> bool:
    """True unless the call or its key declares that the service logs exposures itself."""
    caller = _caller(request)
    exposure = request.GET.get("exposure") if request.META.get("QUERY_STRING") else None
    return exposure != "0" and (caller is None or caller.log_exposures)


def _caller(request: HttpRequest) -> Caller | None:
    return getattr(request, "caller", None)


def _error(status: int, key: str | None, code: str, details: str) -> HttpResponse:
    named = {} if key is None else {"key": key}
    return JsonResponse({**named, "errorCode": code, "errorDetails": details}, status=status)
