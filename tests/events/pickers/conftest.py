"""A log that can be counted on fingers, listed, and a person who is logged in."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.events.catalogue.conftest import Line, _lists, lister, write  # noqa: F401 - the fixtures

USERS = ("ann", "bob", "cat", "dan")
LOG: list[Line] = [
    *((user, "signup", "2026-03-01T10:00", {"platform": "ios"}) for user in USERS),
    *((user, "friend_add", "2026-03-01T11:00", {"from": "chat"}) for user in USERS[:2]),
    ("ann", "battle", "2026-03-03T11:00", {"mode": "solo", "score": 10}),
    ("ann", "battle", "2026-03-08T11:00", {"mode": "pvp", "score": 25}),
    ("bob", "shop", "2026-03-09T09:00", {}),
    ("eve", "signup", "2026-03-12T10:00", {"platform": "ios"}),
    ("eve", "a=b", "2026-03-12T12:00", {}),
]


@pytest.fixture
def listed(lister: Callable[[list[Line]], None]) -> None:  # noqa: F811 - the fixture
    """The log in a store of this test, and its list made."""
    lister(LOG)


@pytest.fixture
def asker(client: Client, listed: None) -> Client:
    client.force_login(User.objects.create_user("asker"))
    return client


def page(client: Client, path: str, language: str = "en", **more: Any) -> str:
    """What a fragment says, in one line."""
    answer = client.get(path, more or None, headers={"accept-language": language})
    assert answer.status_code == 200, answer.content
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())
