"""Events sent while a service was being connected: they can be forgotten, and what was imported stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.catalogue import listing, refresh
from events.erasure import known_users
from events.models import Flush, OutboxEvent, Source, UnitTraits
from events.outbox.accept import accept_events
from events.outbox.flush import flush_events
from events.store import event_table
from experiments.models import Experiment
from insight_site import tasks
from insight_site.connect import first_day
from runs.models import Job
from runs.refusals import Refused
from tests.events.user_numbers.conftest import rows

pytestmark = pytest.mark.django_db
OLD = datetime(2014, 7, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


def send(*names: str) -> int:
    """What a service sends in its first minutes; returns how many events were taken."""
    source, _ = Source.objects.get_or_create(name="app")
    events = [
        {"type": "identify", "userId": "tester", "messageId": "who", "traits": {"plan": "free"}},
        *({"type": "track", "userId": "tester", "event": "Test", "messageId": name} for name in names),
    ]
    before = OutboxEvent.objects.count()
    accept_events(source_id=source.pk, key_kind="server", events=events, received_at=timezone.now())
    return OutboxEvent.objects.count() - before


def ask(client: Client) -> str:
    """Press the button, and let the worker do what it queued."""
    page: Any = client.post("/data/connect/forget-test/", follow=True)
    for job in Job.objects.filter(task=first_day.FORGET_TASK):
        tasks.forget_test_events(*job.arguments)
    listing._read.clear()
    return str(page.content.decode())


def test_forget__beside_an_imported_log__leaves_the_log_alone(admin_client: Client) -> None:
    event_table.append(rows(["ann", "bob"], "log", time=OLD), app_id="import", version=1)
    taken = send("a", "b")
    flush_events()
    refresh.refresh_if_due()
    last = listing.catalogue().last_time
    assert last is not None
    assert last.year > 2014
    assert "Forget the 3 test events" in admin_client.get("/data/connect/first-day/").content.decode()

    said = ask(admin_client)

    assert taken == 3  # with what `identify` said
    assert "3 test events are being forgotten" in said
    assert event_table.row_count() == 2
    assert sorted(known_users()) == ["ann", "bob"]
    assert not UnitTraits.objects.exists()
    assert listing.catalogue().last_time == OLD
    assert "Forget the" not in admin_client.get("/data/connect/first-day/").content.decode()
    assert send("a") == 2  # their ids are forgotten, too: the sender may test again


def test_forget__what_came_after_the_click__stays() -> None:
    send("a")
    click = timezone.now()
    send("later")
    OutboxEvent.objects.filter(message_id__endswith="later").update(received_at=click + timedelta(seconds=1))

    assert tasks.forget_test_events(click.isoformat()) == 2

    assert event_table.row_count() == 1


def test_forget__the_only_events__lists_nothing_any_more(admin_client: Client) -> None:
    send("a")
    flush_events()
    refresh.refresh_if_due()

    ask(admin_client)

    assert (event_table.row_count(), listing.catalogue().is_empty) == (0, True)
    assert not refresh.ready_catalogue().pending


@pytest.mark.parametrize(("flushed", "waiting", "offered"), [(98, 2, 100), (99, 2, 0), (0, 0, 0)])
def test_offer__at_its_limit__ends(flushed: int, waiting: int, offered: int) -> None:
    Flush.objects.create(version=1, writer="w", rows=flushed)
    if waiting:
        send("a")

    assert first_day.trial_events({}) == offered


def test_offer__once_flushes_were_deleted__is_no_more() -> None:
    Flush.objects.create(version=2, writer="w", rows=3)

    assert first_day.trial_events({}) == 0


def test_forget__more_than_a_test__deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    send("a", "b")
    monkeypatch.setattr(first_day, "MOST_TEST_EVENTS", 2)

    with pytest.raises(Refused):
        tasks.forget_test_events(timezone.now().isoformat())

    assert event_table.row_count() == 3
    assert UnitTraits.objects.exists()


def test_offer__once_an_experiment_has_started__is_no_more(admin_client: Client) -> None:
    send("a")
    Experiment.objects.create(key="e", flag_key="e", name="e", started_at=timezone.now())

    assert first_day.trial_events({}) == 0
    assert "There are no test events" in ask(admin_client)
    assert not Job.objects.filter(task=first_day.FORGET_TASK).exists()
