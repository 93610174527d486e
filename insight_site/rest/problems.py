"""Errors of the management API in the format of RFC 9457. REST_FRAMEWORK names this; apps don't import it."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from runs.refusals import Refused

PROBLEM = "application/problem+json"


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Exception handler: every error as a problem document; a refusal is 409 with its sentence, and its field if known.

    A view may define `pointers`: where its request holds the options that its service's refusals name.
    """
    request = context["request"]
    if isinstance(error, Refused):
        pointer = getattr(context.get("view"), "pointers", {}).get(error.at)
        row = {"pointer": pointer, "code": "refused", "detail": error.sentence}
        more = {} if pointer is None else {"errors": [row]}
        return _response(request, status.HTTP_409_CONFLICT, "refused", str(error), **more)
    if isinstance(error, ValidationError):
        error = exceptions.ValidationError(error.messages)
    if isinstance(error, OverflowError | DataError):  # a number that no column can hold; databases' errors differ
        error = exceptions.ParseError("a value is out of range")
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    answer = exception_handler(error, context)
    if answer is None or not isinstance(error, exceptions.APIException):
        return answer
    if isinstance(error, exceptions.ValidationError):
        rows = list(_pointers(error.detail, ""))
        return _response(request, answer.status_code, "invalid", rows[0]["detail"] if rows else "invalid", errors=rows)
    code = error.get_codes()
    response = _response(request, answer.status_code, code if isinstance(code, str) else "error", str(error.detail))
    for name in ("WWW-Authenticate", "Retry-After", "Allow"):
        if name in answer:
            response[name] = answer[name]
    return response


def _response(request: Request, status_code: int, code: str, detail: str, **more: Any) -> Response:
    body = {
        "type": f"urn:insight:{code}",
        "title": code.replace("_", " "),
        "status": status_code,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        **more,
    }
    return Response(body, status=status_code, content_type=PROBLEM)


def _pointers(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _pointers(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _pointers(inner, f"{pointer}/{place}" if nested else pointer)
    else:
        yield {"pointer": pointer, "code": getattr(detail, "code", "invalid"), "detail": str(detail)}
