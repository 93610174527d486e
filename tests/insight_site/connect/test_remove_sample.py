"""Made-up data are removed on request: every made-up event, and none of the site's own, whatever its user is called."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events import data_retention
from events.catalogue import listing
from events.erasure import known_users
from events.models import Source
from events.outbox.accept import accept_events
from events.outbox.flush import flush_events
from events.store import event_table
from insight_site import tasks
from insight_site.connect import first_day, write_sample
from runs.models import Job
from tests.events.user_numbers.conftest import rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_sample, "USERS", 200)


def removed(client: Client) -> str:
    """Press the button of the page that asks, and let the worker do what it queued."""
    page: Any = client.post("/data/connect/sample/remove/", follow=True)
    for _job in Job.objects.filter(task=first_day.REMOVE_TASK):
        tasks.remove_sample()
    listing._read.clear()
    return str(page.content.decode())


@pytest.mark.usefixtures("_small")
def test_remove__beside_own_data__leaves_them_alone(admin_client: Client) -> None:
    written = write_sample.write_sample()
    source, _ = Source.objects.get_or_create(name="app")
    sent = [{"type": "track", "userId": "u0000007", "event": "buy", "messageId": "u0000007-00001"}]
    accept_events(source_id=source.pk, key_kind="server", events=sent, received_at=timezone.now())
    flush_events()
    event_table.append(rows(["ann", "u0000008"], "log", time=datetime(2026, 1, 1, tzinfo=UTC)), app_id="i", version=1)
    assert event_table.row_count() == written + 3
    page = admin_client.get("/data/").content.decode()
    assert "200 made-up users" in page
    asked = admin_client.get("/data/connect/sample/remove/").content.decode()
    assert f"{written:,} events of 200 made-up users go" in asked
    assert event_table.row_count() == written + 3  # nothing happens before the answer

    said = removed(admin_client)

    assert "Your own data stay" in said
    assert event_table.row_count() == 3
    assert sorted(known_users()) == ["ann", "u0000007", "u0000008"]
    assert "made-up users" not in admin_client.get("/data/").content.decode()


@pytest.mark.usefixtures("_small")
def test_remove__of_all_there_is__offers_the_sample_again(admin_client: Client) -> None:
    write_sample.write_sample()
    assert not first_day.is_possible()

    removed(admin_client)

    assert (event_table.row_count(), listing.catalogue().is_empty) == (0, True)
    assert first_day.is_possible()
    assert write_sample.write_sample() > 200


@pytest.mark.parametrize(
    ("user", "message_id", "goes"),
    [
        ("u0000001", "u0000001-00001", True),
        ("u0000001", "u0000001-0001", False),
        ("u0000001", "u0000001-000001", False),
        ("u0000001", "u0000002-00001", False),
        ("u0000003", "u0000003-00001", False),  # beyond the sample's users
        ("u0000001", "1:s:u0000001-00001", False),
        ("u0000001", "d41d8cd98f00b204e9800998ecf8427e", False),
    ],
)
def test_made_up__is_an_event_with_the_sample_s_own_message_id(user: str, message_id: str, goes: bool) -> None:
    table = rows([user], "x", time=datetime(2026, 1, 1, tzinfo=UTC))
    place = table.column_names.index("message_id")
    table = table.set_column(place, table.schema.field(place), [[message_id]])
    event_table.append(table, app_id="i", version=1)

    assert data_retention.forget_made_up(["u0000001", "u0000002"]) == int(goes)
    assert event_table.row_count() == int(not goes)


def test_remove__where_nothing_is_made_up__asks_nothing(admin_client: Client) -> None:
    answer = admin_client.get("/data/connect/sample/remove/")

    assert (answer.status_code, answer["Location"]) == (302, "/data/")
    assert admin_client.post("/data/connect/sample/remove/").status_code == 302
    assert not Job.objects.exists()
