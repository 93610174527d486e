"""`Idempotency-Key` on POST of the management API: what was asked once is done once.

The key counts for a caller and a path, for 24 hours. The same body gets the stored answer, another body 422, and a call
that is still running 409. An answer that is our own fault isn't kept: the caller should try again. Nor is a refusal: it
changed nothing, and what was refused may be allowed a minute later.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.utils import timezone

from insight_site.access.permissions import error, key_in_headers, machine_door
from insight_site.models import IdempotentCall

KEPT = timedelta(hours=24)
LOST = timedelta(minutes=5)  # gunicorn ends a request long before: then nobody is at work on it any more
NOT_KEPT = (401, 403, 409, 429)  # refusals
OUR_FAULT = 500
SENT = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotency:
    """Middleware after the access rules: the caller is known, and the view has not run yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """The answer of the first call, or a refusal; None for a call without a key."""
        sent = request.headers.get("Idempotency-Key")
        if sent is None or request.method != "POST" or machine_door(request.path_info) != "management":
            return None
        if not SENT.fullmatch(sent):
            return error(request, 400, "bad_idempotency_key", "Idempotency-Key: 1 to 255 visible ASCII characters")
        try:
            call = _first_or_stored(request, sent)
        except (DatabaseError, InterfaceError):
            return error(request, 503, "unavailable", "the database is away; try again", retry_after=5)
        return (
            call if isinstance(call, HttpResponse) else _answer_and_keep(call, lambda: view(request, *args, **kwargs))
        )


def forget_old_calls() -> int:
    """Delete the calls whose key counts no longer; returns how many."""
    return IdempotentCall.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _answer_and_keep(call: IdempotentCall, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """What is changed and the note of it are one transaction: killed in between, both are there or neither is."""
    try:
        with transaction.atomic():
            response = answer()
            if isinstance(response, SimpleTemplateResponse):  # as those of Django REST framework are
                response.render()
            if response.status_code in NOT_KEPT or response.status_code >= OUR_FAULT:
                call.delete()
            else:
                _keep(call, response)
    except BaseException:
        IdempotentCall.objects.filter(pk=call.pk, status=None).delete()
        raise
    return response


def _first_or_stored(request: HttpRequest, sent: str) -> HttpResponse | IdempotentCall:
    now = timezone.now()
    body = _body_hash(request)
    with transaction.atomic():
        call, is_first = IdempotentCall.objects.get_or_create(
            name=_name(request, sent), defaults={"body_hash": body, "created_at": now}
        )
        if not is_first and call.created_at < now - (LOST if call.status is None else KEPT):
            same = IdempotentCall.objects.filter(pk=call.pk, status=call.status, created_at=call.created_at)
            is_first = bool(same.update(created_at=now, body_hash=body, status=None))  # one of two that come at once
            call.refresh_from_db()
    if is_first:
        return call
    if call.body_hash != body:
        return error(request, 422, "idempotency_key_reused", "this Idempotency-Key came with another body before")
    if call.status is None:
        return error(request, 409, "still_running", "the first call with this Idempotency-Key is still running")
    response = HttpResponse(call.content, status=call.status, content_type=call.content_type or None)
    response["Idempotent-Replayed"] = "true"
    return response


def _body_hash(request: HttpRequest) -> str:
    """What was asked: the body, and what follows the path where something does, since it may change what is done."""
    asked = request.META.get("QUERY_STRING", "")
    return hashlib.sha256((f"{asked}\n".encode() if asked else b"") + request.body).hexdigest()


def _name(request: HttpRequest, sent: str) -> str:
    """One for each caller, path and key. Two people's keys never meet: one would read the other's answer."""
    who = key_in_headers(request) or f"user {request.user.pk}"
    return hashlib.sha256("\n".join((who, request.path_info, sent)).encode()).hexdigest()


def _keep(call: IdempotentCall, response: HttpResponse) -> None:
    call.status, call.content = response.status_code, response.content
    call.content_type = response.headers.get("Content-Type", "")
    call.save(update_fields=["status", "content", "content_type"])
