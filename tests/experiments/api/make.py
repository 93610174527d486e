"""Calls of the management API with an admin's key."""

import json
from typing import Any

from django.test import Client

from events.models import Source
from insight_site.access.keys import issue_key

ROOT = "/api/v1/experiments"
PLAN: dict[str, Any] = {
    "key": "guild",
    "hypothesis": "It helps.",
    "default_value": "none",
    "primary_metrics": ["window:14-20"],
    "smallest_effect": 0.02,
    "planned_units": 1_000,
    "planned_end": "2099-01-01",
    "variants": [
        {"key": "control", "value": "none", "weight": 5_000},
        {"key": "banner", "value": "b", "weight": 5_000},
    ],
}


class Api:
    """A caller with a key."""

    def __init__(self, kind: str = "admin", *scopes: str) -> None:
        source, _ = Source.objects.get_or_create(name="app")
        wanted = scopes or ("admin:*", "reports:read", "assignments:read")
        self.key = issue_key(name="k", source=source, kind=kind, scopes=wanted)[1]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer; a path without a slash in front is below experiments."""
        url = path if path.startswith("/") else f"{ROOT}/{path}".rstrip("/")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.key}", **headers}
        return Client().generic(method, url, raw, content_type="application/json", headers=given)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self(method, path, body)
        assert answer.status_code in (200, 201), answer.content
        return answer.json()
