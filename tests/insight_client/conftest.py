"""The client on a running site, with a key that reads."""

from collections.abc import Callable
from typing import Any

import pytest

from events.models import Source
from insight_client import Insight
from insight_site.access import keys

type Ask = Callable[..., Insight]


@pytest.fixture
def ask(live_server: Any) -> Ask:
    """`ask(*scopes, **options)`: a client with a key of its own."""
    keys.forget_cached_keys()
    source = Source.objects.create(name="notebook")

    def made(*scopes: str, rate: int | None = None, **options: Any) -> Insight:
        wanted = scopes or ("reports:read",)
        kind = "admin" if "admin:*" in wanted else "server"
        key = keys.issue_key(name="k", source=source, kind=kind, scopes=wanted, rate=rate)[1]
        return Insight(live_server.url, key, **options)

    return made
