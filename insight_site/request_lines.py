"""What is recorded of each request: its id, a log line, its metrics. Never a query, key, body or user."""

import random
import re
from dataclasses import dataclass

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from insight_site.access.permissions import machine_door

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
REQUESTS = Counter("insight_requests", "Requests by door and status.", ["door", "status"])
LATENCY = Histogram("insight_request_seconds", "Time to answer, by door.", ["door"])
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Line:
    """The record of one request.

    Attributes:
        door: the endpoint's name in logs and metrics.
        method: of HTTP.
        status: of the answer.
        seconds: time to answer.
        key: prefix of the caller's key; None without one.
    """

    door: str
    method: str
    status: int
    seconds: float
    key: str | None

    def fields(self) -> dict[str, object]:
        """The fields of the log line."""
        return {
            "door": self.door,
            "method": self.method,
            "status": self.status,
            "duration_ms": round(self.seconds * 1000, 1),
            "key": self.key,
        }


def ids_of(sent_id: str, trace_parent: str) -> dict[str, str]:
    """`request_id`: the caller's X-Request-ID, or a new one; `trace_id`, `span_id` of a W3C traceparent."""
    # Not secret, and faster than a UUID, which asks the kernel for random bytes.
    request_id = sent_id if REQUEST_ID.fullmatch(sent_id) else f"{random.getrandbits(128):032x}"
    trace = TRACE_PARENT.fullmatch(trace_parent) if trace_parent else None
    return {"request_id": request_id, **({"trace_id": trace[1], "span_id": trace[2]} if trace else {})}


def line_of(request: HttpRequest, response: HttpResponse, seconds: float) -> Line:
    """The record of an answered request."""
    door = getattr(request, "door", None) or machine_door(request.path_info) or "people"
    caller = getattr(request, "caller", None)
    return Line(door, request.method or "", response.status_code, seconds, caller.key_prefix if caller else None)


def note(line: Line) -> None:
    """Log and count it now."""
    count(line)
    log.info("request", **line.fields())


def count(line: Line) -> None:
    """Count it now."""
    REQUESTS.labels(line.door, line.status).inc()
    LATENCY.labels(line.door).observe(line.seconds)
