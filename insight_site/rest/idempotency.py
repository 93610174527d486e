"""`Idempotency-Key` on POST of the management API: repeated requests are executed once.

A key is valid for one caller and path, for 24 hours. The same body gets the stored answer, another body 422, and a call
that is still running 409. Server errors aren't stored, so that the caller can try again. Nor are refusals: they changed
nothing, and the same request may be allowed a minute later.
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
LOST = timedelta(minutes=5)  # gunicorn kills a request long before: by then no process works on it
NOT_KEPT = (401, 403, 409, 429)  # refusals, which aren't stored
OUR_FAULT = 500
SENT = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotency:
    """Middleware after the access rules, which set the caller, and before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; `process_view` does the work."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """The stored answer of the first call, or an error; None for a call without a key."""
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
    """Delete calls whose key has expired; returns how many."""
    return IdempotentCall.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _answer_and_keep(call: IdempotentCall, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Run the view and store its answer in one transaction, so that a kill in between leaves both or neither."""
    try:
        with transaction.atomic():
            response = answer()
            if isinstance(response, SimpleTemplateResponse):  # atomic, as the views of Django REST framework are
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
            is_first = bool(same.update(created_at=now, body_hash=body, status=None))  # one of two at once
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
    """Digest of the body, and of the query string, which may change what the call does."""
    query = request.META.get("QUERY_STRING", "")
    return hashlib.sha256((f"{query}\n".encode() if query else b"") + request.body).hexdigest()


def _name(request: HttpRequest, sent: str) -> str:
    """Stored name of a caller, path and key. It includes the caller, so that nobody gets another person's answer."""
    who = key_in_headers(request) or f"user {request.user.pk}"
    return hashlib.sha256("\n".join((who, request.path_info, sent)).encode()).hexdigest()


def _keep(call: IdempotentCall, response: HttpResponse) -> None:
    call.status, call.content = response.status_code, response.content
    call.content_type = response.headers.get("Content-Type", "")
    call.save(update_fields=["status", "content", "content_type"])
