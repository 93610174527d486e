"""A log of thirty users over a month, listed, and people who may ask or only look."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from aha.study import null
from tests.events.catalogue.conftest import Line, _lists, lister, write  # noqa: F401 - the fixtures

USERS = 30
START = datetime(2026, 3, 1, 10, tzinfo=UTC)
INERT = ("settings_open", "error_seen", "rotate", "mute", "help_open")


def line(user: int, event: str, day: float, **properties: str) -> Line:
    """What a user did so many days after the signup; one user signs up each twelve hours."""
    moment = START + timedelta(hours=12 * user, days=day)
    return (f"u{user:02}", event, moment.strftime("%Y-%m-%dT%H:%M"), dict(properties))


def log() -> list[Line]:
    """Even users add friends and come back on day 8; the first two stay until day 16."""
    found = [line(user, "signup", 0, platform="ios") for user in range(USERS)]
    found += [line(user, "friend_add", 0.1, source="chat") for user in range(0, USERS, 2)]
    found += [line(user, "battle", 8.2, mode="pvp") for user in range(0, USERS, 2)]
    found += [line(user, "battle", 15.5, mode="solo") for user in (0, 1)]
    return found + [line(0, event, 1) for event in INERT]


@pytest.fixture(autouse=True)
def low_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty users are enough for a study here; `test_too_few` keeps the floors of today."""
    monkeypatch.setattr(null, "LEAST_UNITS", 1)
    monkeypatch.setattr(null, "LEAST_PER_OUTCOME", 0)


@pytest.fixture
def listed(lister: Callable[[list[Line]], None], settings: Settings, tmp_path: object) -> None:  # noqa: F811
    """The log in a store of this test, and its list made."""
    settings.EXPLORE_DIR = f"{tmp_path}/explore"
    cache.clear()
    lister(log())


@pytest.fixture
def editor(client: Client, listed: None) -> Client:
    person = User.objects.create_user("pm")
    may = ("add_study", "add_ahamoment", "add_segmentationrun")
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    client.force_login(person)
    return client
