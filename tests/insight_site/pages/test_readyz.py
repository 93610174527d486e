"""The probes: what /readyz says of each thing that the site needs."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from events.models import OutboxEvent
from insight_site.pages import probes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.OUTBOX_LAG_SECONDS = 900


def wait_in_outbox(age: timedelta) -> None:
    moment = timezone.now() - age
    OutboxEvent.objects.create(
        message_id="1:a", user_id="u", event="e", time=moment, properties="{}", received_at=moment
    )


def test_readyz__of_a_site_that_has_all__is_200_with_a_line_for_each() -> None:
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "database": "ok",
        "migrations": "ok",
        "cache": "ok",
        "queue": "ok: 0 tasks wait, 0 s",
        "outbox": "ok: 0 rows wait, the oldest 0 s",
        "event_store": "ok: no event has been flushed yet",
    }


@pytest.mark.parametrize(("seconds", "status"), [(890, 200), (910, 503)])
def test_readyz__of_an_outbox_that_waits__fails_beyond_the_limit(seconds: int, status: int) -> None:
    wait_in_outbox(timedelta(seconds=seconds))

    answer = Client().get("/readyz")

    assert answer.status_code == status
    assert answer.json()["outbox"].startswith("ok: 1 rows" if status == 200 else "failed: 1 rows")


def test_readyz__of_a_task_that_waits__shows_its_age() -> None:
    OrmQ.objects.create(key="insight", payload="x", lock=timezone.now() - timedelta(seconds=30))

    assert Client().get("/readyz").json()["queue"] in ("ok: 1 tasks wait, 30 s", "ok: 1 tasks wait, 31 s")


def test_readyz__with_a_migration_that_is_not_applied__fails() -> None:
    from django.db.migrations.recorder import MigrationRecorder

    last = MigrationRecorder.Migration.objects.filter(app="insight_site").order_by("name").last()
    assert last is not None
    last.delete()

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["migrations"] == "failed: 1 migrations are not applied"


def test_readyz__with_one_check_that_crashes__names_it_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> str:
        raise OSError("a secret address")

    monkeypatch.setitem(probes.READY, "event_store", crash)

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["event_store"]) == (503, "failed: OSError")
    assert answer.json()["database"] == "ok"
    assert b"secret" not in answer.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe__by_address_and_plain_http__is_answered_in_production(path: str, settings: Any) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["insight.example"]

    assert Client().get(path, headers={"Host": "10.1.2.3"}).status_code == 200
    assert Client().head(path, headers={"Host": "10.1.2.3"}).status_code == 200
    assert Client().post(path, headers={"Host": "insight.example"}, secure=True).status_code == 405
