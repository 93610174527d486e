"""The GrowthBook API: the payload of local SDKs, and remote evaluation. Contract: docs/assignment.md.

The key is part of the path, so only client keys are accepted (`insight_site.access.permissions`).
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from events.schema import Caller
from experiments.draw.evaluation import Evaluation
from experiments.serve import assign, config, payload
from experiments.serve.assign import ANONYMOUS, note_person
from experiments.serve.flag_usage import Door, note_ask, visitor_of
from experiments.serve.http_body import BadBodyError, read_json

FRESH = "max-age=30, stale-while-revalidate=3600"
CACHE = f"public, {FRESH}"
PRIVATE = f"private, {FRESH}"  # some shared caches ignore Vary, which would bypass a key's list of origins
log = structlog.get_logger()


def features(request: HttpRequest, client_key: str) -> HttpResponse:
    """The configuration for local evaluation."""
    try:
        served = config.current()
    except (DatabaseError, InterfaceError):
        return _error(503, "the database is away; try again")
    caller: Caller | None = getattr(request, "caller", None)
    note_ask(caller, Door.CONFIG)
    now = timezone.now()
    definitions = payload.features(served.flags.values(), now)
    body = json.dumps({"status": 200, "features": definitions, **_updated(served, now)})
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()}"'
    sent = request.headers.get("If-None-Match", "")
    if any(etag.strip().removeprefix("W/") in (tag, "*") for etag in sent.split(",")):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = tag
    response["Cache-Control"] = PRIVATE if caller is not None and caller.allowed_origins else CACHE
    return response


def remote_eval(request: HttpRequest, client_key: str) -> HttpResponse:
    """The answers for one unit: sticky, by our stored membership, and never an exposure."""
    try:
        body = read_json(request)
        attributes = body.get("attributes") if isinstance(body, dict) else None
        if not isinstance(attributes, dict):
            return _error(400, "the body must be an object with an object `attributes`")
        caller: Caller | None = getattr(request, "caller", None)
        note_ask(caller, Door.BULK)
        if ANONYMOUS in attributes and isinstance(unit := attributes.get("id"), str) and unit:
            note_person(caller, unit, attributes)
        return _answered(attributes, body if caller is not None and caller.preview else {}, visitor_of(request))
    except BadBodyError as bad:
        return _error(bad.status, bad.message)
    except (DatabaseError, InterfaceError):
        return _error(503, "the database is away; try again")
    except Exception:
        log.exception("sdk.failed")
        return _error(500, "our fault; try again")


def _answered(attributes: dict[str, Any], forced: dict[str, Any], visitor: str | None) -> HttpResponse:
    served, unit = config.current(), attributes.get("id")
    if unit is None or unit == "":  # no unit: every flag has its default
        definitions = {flag.flag: {"defaultValue": flag.default} for flag in served.flags.values()}
    elif problem := assign.unit_problem(unit):
        return _error(400, f"attributes.id: {problem.english}")
    else:
        answers = assign.evaluate_all(unit, attributes, visitor=visitor)
        definitions = payload.remote_features(answer for answer in answers if isinstance(answer, Evaluation))
    if forced:
        chosen = {"variations": forced.get("forcedVariations"), "values": forced.get("forcedFeatures")}
        definitions = payload.preview(definitions, served.flags.values(), **chosen)
    response = JsonResponse({"status": 200, "features": definitions, **_updated(served, timezone.now())})
    response["Cache-Control"] = "no-store"
    return response


def _updated(served: config.Config, now: datetime) -> dict[str, str]:
    """When the served configuration last changed."""
    moment = served.changed(now).astimezone(UTC).isoformat(timespec="milliseconds")
    return {"dateUpdated": moment.replace("+00:00", "Z")}


def _error(status: int, message: str) -> HttpResponse:
    return JsonResponse({"status": status, "error": message}, status=status)
