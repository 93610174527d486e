"""The Segment-compatible ingest API: events over HTTP. Contract: docs/events.md.

The libraries drop a whole batch on 400, 401, 403, 404 or 413, so these are used only for requests that can't be read at
all; a bad event is reported inside a 200. A 200 is sent only after the rows are durable.
"""

import zlib
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils import timezone

from events.outbox import accept, pressure
from events.schema import BATCH_BYTES, BATCH_EVENTS, Caller, Rejection, read_body

# Segment's browser library sends only the first letter.
SHORT = {kind[0]: kind for kind in ("batch", "track", "identify", "page", "screen", "group", "alias")}
REPORTED = 100
RETRY_SECONDS = 5
log = structlog.get_logger()


class RefusedRequestError(Exception):
    """A refused request: status, code, one sentence, and after how many seconds to retry."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def ingest(request: HttpRequest, kind: str) -> HttpResponse:
    """Accept a batch, or one event whose type is in the path. Every error is answered as JSON, never as HTML."""
    received_at = timezone.now()
    try:
        return _take(request, SHORT.get(kind, kind), received_at)
    except RefusedRequestError as refusal:
        answer = {"code": refusal.code, "message": refusal.message}
        return JsonResponse(answer, status=refusal.status, headers=refusal.headers)
    except (DatabaseError, InterfaceError) as trouble:
        log.error("ingest.database_away", error=type(trouble).__name__)
        answer = {"code": "unavailable", "message": "the events could not be stored; send them again"}
        return JsonResponse(answer, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    except Exception:
        log.exception("ingest.failed")
        return JsonResponse({"code": "internal_error", "message": "our fault; send the events again"}, status=500)


def _take(request: HttpRequest, kind: str, received_at: Any) -> HttpResponse:
    caller: Caller | None = getattr(request, "caller", None)
    if caller is not None:
        _refuse_under_pressure()  # before parsing the request
    body = _decoded(_body(request), request.headers.get("Content-Encoding", ""))
    try:
        read = read_body(body)
    except ValueError:
        raise RefusedRequestError(400, "bad_json", "the body must be JSON in UTF-8, not nested too deeply") from None
    data = read.data
    if caller is None:
        key = data.get("writeKey") if isinstance(data, dict) else None
        answer: Caller | HttpResponse = request.identify(key if isinstance(key, str) else None)  # type: ignore[attr-defined]
        if isinstance(answer, HttpResponse):
            return answer
        caller = answer
        _refuse_under_pressure()
    many = kind in ("batch", "import")
    options: dict[str, Any] = {"kind": None if many else kind, "historical": kind == "import", "plain": read.plain}
    if many:
        events = _batch(data)
        options |= {"context": data.get("context"), "sent_at": data.get("sentAt")}
    else:
        events = [data]
    receipt = accept.accept_events(
        source_id=caller.source_id,
        key_kind=caller.kind,
        events=events,
        received_at=received_at,
        visitor=getattr(request, "visitor", ""),
        **options,
    )
    return JsonResponse(
        {
            "success": True,
            "accepted": receipt.accepted,
            "duplicates": receipt.duplicates,
            "rejectedCount": len(receipt.rejected),
            "rejected": [_shown(item) for item in receipt.rejected[:REPORTED]],
        }
    )


def _refuse_under_pressure() -> None:
    """Refuse when the site is overloaded; called after authentication, so that only senders learn of it."""
    if reason := pressure.pressure():
        pressure.count_refused(reason)
        raise RefusedRequestError(429, reason.code, reason.message, reason.retry_seconds)


def _body(request: HttpRequest) -> bytes:
    """The raw body. Without a length, a WSGI server presents a chunked body as an empty one: that is 411, not 200."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit() or request.headers.get("Transfer-Encoding"):
        raise RefusedRequestError(411, "length_required", "send a Content-Length; chunked bodies are not taken")
    if int(length) > BATCH_BYTES:
        raise _too_large()
    try:
        body = request.read(BATCH_BYTES + 1)
    except (OSError, UnreadablePostError):
        body = b""
    if len(body) < int(length):
        # 408 and not 400: the libraries retry after a 408, and drop the batch after a 400.
        raise RefusedRequestError(
            408, "cut_body", "the body did not arrive as long as its Content-Length; send it again"
        )
    return body


def _decoded(body: bytes, encoding: str) -> bytes:
    """Unpack a gzip body, never past the limit: a small body can hold a gigabyte of zeros."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise RefusedRequestError(415, "unsupported_encoding", "Content-Encoding must be gzip or identity")
    opener = zlib.decompressobj(wbits=31)
    try:
        opened = opener.decompress(body, BATCH_BYTES + 1)
    except zlib.error:
        raise RefusedRequestError(400, "bad_gzip", "the gzip body is damaged") from None
    if len(opened) > BATCH_BYTES:
        raise _too_large()
    if not opener.eof or opener.unused_data:
        raise RefusedRequestError(400, "bad_gzip", "the gzip body is cut short or has something behind it")
    return opened


def _batch(data: Any) -> list[Any]:
    events = data.get("batch") if isinstance(data, dict) else None
    if not isinstance(events, list):
        raise RefusedRequestError(400, "bad_batch", "the body must be an object with a list `batch`")
    if len(events) > BATCH_EVENTS:
        raise RefusedRequestError(413, "batch_too_long", f"a batch may have at most {BATCH_EVENTS} events")
    return events


def _too_large() -> RefusedRequestError:
    return RefusedRequestError(413, "body_too_large", f"the body may have at most {BATCH_BYTES} bytes, also unpacked")


def _shown(item: Rejection) -> dict[str, Any]:
    return {"index": item.index, "messageId": item.message_id, "code": item.code, "message": item.message}
