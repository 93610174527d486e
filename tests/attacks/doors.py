"""Keys and calls of an attacker, through the whole stack."""

import base64
import json
from typing import Any

from django.test import Client

from events.models import Source
from insight_site.access import keys


def key_of(kind: str, *, source: str = "app", **options: Any) -> str:
    """A key with every scope that its kind may have, but those of agents beside the assignments."""
    given: dict[str, Any] = {"scopes": set(keys.SCOPES[kind]) - set(keys.COMPUTES), **options}
    row, _ = Source.objects.get_or_create(name=source)
    return keys.issue_key(name=kind, source=row, kind=kind, **given)[1]


def send(key: str, body: Any, path: str = "/v1/batch", *, address: str = "203.0.113.1", **headers: str) -> Any:
    """POST a body as JSON with this key."""
    named = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(), **headers}
    return Client(REMOTE_ADDR=address).post(
        path, json.dumps(body).encode(), content_type="application/json", headers=named
    )


def event(**changed: Any) -> dict[str, Any]:
    """One good event."""
    return {"type": "track", "userId": "u1", "event": "invite", **changed}
