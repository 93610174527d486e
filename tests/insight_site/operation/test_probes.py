"""The probes: a web process is ready by itself; the site's parts have probes of their own."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from events.models import OutboxEvent
from insight_site.models import WriteProbe
from insight_site.operate import component_health
from runs.models import Job, Schedule
from runs.perform import PICTURES
from runs.queue.status import sign

pytestmark = pytest.mark.django_db
OUTSIDE = "203.0.113.9"


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.OUTBOX_LAG_SECONDS = 900
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]
    Schedule.objects.update(next_run=timezone.now())  # migrated when the test database was made
    component_health.forget_readiness()
    component_health.forget()


def wait_in_outbox(age: timedelta) -> None:
    moment = timezone.now() - age
    OutboxEvent.objects.create(
        message_id="1:a", user_id="u", event="e", time=moment, properties="{}", received_at=moment
    )


def part(name: str) -> tuple[int, str]:
    component_health.forget()
    answer = Client().get(f"/healthz/parts/{name}")
    return answer.status_code, answer.json()[name]


def test_readyz__of_a_process_that_can_answer__is_200_with_a_line_for_each_need() -> None:
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "ok", "migrations": "ok"}
    assert WriteProbe.objects.count() == 1


def test_readyz__with_everything_else_broken__stays_ready(settings: Any, tmp_path: Path) -> None:
    """A dead worker, a full outbox and a lost store must not take web processes away: they keep events all the same."""
    wait_in_outbox(timedelta(hours=9))
    Schedule.objects.update(next_run=timezone.now() - timedelta(days=1))
    (tmp_path / "events").write_text("no folder")

    assert Client().get("/readyz").status_code == 200
    assert Client().get("/healthz/parts").status_code == 503


def test_readyz__of_a_database_that_only_reads__fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: Any, **_named: Any) -> None:
        raise OperationalError("database or disk is full: /var/lib/secret")

    monkeypatch.setattr(WriteProbe.objects, "update_or_create", full)

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["database"]) == (503, "failed: OperationalError")
    assert answer.json()["migrations"] == "failed: not asked, the database is away"
    assert b"secret" not in answer.content


def test_readyz__asked_again_and_again__writes_once_in_five_seconds(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Client().get("/readyz")

    with django_assert_num_queries(1):
        Client().get("/readyz")


@pytest.mark.slow
def test_readyz__with_a_migration_that_is_not_applied__fails() -> None:
    from django.db.migrations.recorder import MigrationRecorder

    last = MigrationRecorder.Migration.objects.filter(app="insight_site").order_by("name").last()
    assert last is not None
    last.delete()

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["migrations"] == "failed: 1 migrations are not applied"


@pytest.mark.parametrize(("seconds", "status"), [(890, 200), (910, 503)])
def test_outbox__that_waits__fails_beyond_the_limit(seconds: int, status: int) -> None:
    wait_in_outbox(timedelta(seconds=seconds))

    found, line = part("outbox")

    assert found == status
    assert line.startswith("ok: 1 rows" if status == 200 else "failed: 1 rows")


def test_worker__before_and_after_its_first_sign() -> None:
    assert part("worker") == (503, "failed: no worker has run here yet")
    sign("box:1", timezone.now())
    assert part("worker") == (200, "ok: 1 alive")


@pytest.mark.parametrize(
    ("queue", "seconds", "status"), [("quick", 299, 200), ("quick", 302, 503), ("store", 302, 503), ("long", 9999, 200)]
)
def test_queue__of_short_tasks__may_not_wait(queue: str, seconds: int, status: int) -> None:
    job = Job.objects.create(task="x", queue=queue)
    Job.objects.filter(pk=job.pk).update(asked_at=timezone.now() - timedelta(seconds=seconds))

    assert part("queue")[0] == status


def test_queue__of_a_task_that_pauses_between_tries__does_not_count_as_waiting() -> None:
    job = Job.objects.create(task="x", queue="quick", due_at=timezone.now() + timedelta(minutes=4))
    Job.objects.filter(pk=job.pk).update(asked_at=timezone.now() - timedelta(hours=1))

    assert part("queue") == (200, "ok: 0 wait, 0 run, 0 failed in a day")


def test_queue__of_a_task_that_begins_when_nothing_else_waits__may_wait() -> None:
    for task, age in ((PICTURES, 3000), ("x", 200)):
        job = Job.objects.create(task=task, queue="quick")
        Job.objects.filter(pk=job.pk).update(asked_at=timezone.now() - timedelta(seconds=age))

    assert part("queue") == (200, "ok: 2 wait, 0 run, 0 failed in a day")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"next_run": -timedelta(minutes=6)}, "events: flush is 360 s late"),
        ({"next_run": timedelta(days=2)}, "events: flush is put off too far: a clock was ahead"),
        ({"failures": 3}, "events: flush failed 3 times in a row"),
        ({"last_success_at": -timedelta(minutes=9)}, "events: flush last succeeded 540 s ago"),
        ({"next_run": -timedelta(minutes=4)}, "every schedule is in time"),
        ({"failures": 2}, "every schedule is in time"),
        ({"last_success_at": -timedelta(minutes=7)}, "every schedule is in time"),
    ],
)
def test_scheduler__says_what_is_wrong_with_which_schedule(change: dict[str, Any], said: str) -> None:
    now = timezone.now()
    Schedule.objects.filter(name="events: flush").update(
        **{name: now + value if isinstance(value, timedelta) else value for name, value in change.items()}
    )

    status, line = part("scheduler")

    assert line == f"{'ok' if said.startswith('every') else 'failed'}: {said}"
    assert status == (200 if said.startswith("every") else 503)


def test_disk__with_less_room_than_is_needed__fails(settings: Any) -> None:
    assert part("disk")[0] == 200
    settings.DISK_FREE_MB = 10**12
    assert part("disk")[0] == 503


def test_clock__of_a_worker_that_is_ahead__is_seen() -> None:
    from runs.models import WorkerPulse

    sign("box:1", timezone.now())
    assert part("clock")[0] == 200
    WorkerPulse.objects.update(heard_at=timezone.now() + timedelta(minutes=5))
    assert part("clock") == (503, "failed: 300 s between this machine, the database and the workers")


def test_part__that_crashes__names_the_class_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> component_health.Sign:
        raise OSError("a secret address")

    monkeypatch.setitem(component_health.SIGNS, "store", crash)

    answer = Client().get("/healthz/parts")

    assert (answer.status_code, answer.json()["store"]) == (503, "failed: OSError")
    assert answer.json()["outbox"].startswith("ok")
    assert b"secret" not in answer.content


def test_parts__of_a_caller_from_outside__need_a_key() -> None:
    assert Client().get("/healthz/parts", REMOTE_ADDR=OUTSIDE).status_code == 401
    assert Client().get("/healthz/parts/worker", REMOTE_ADDR=OUTSIDE).status_code == 401
    assert Client().get("/healthz", REMOTE_ADDR=OUTSIDE).status_code == 200
    assert Client().get("/healthz/parts/nothing").status_code == 404


def test_metrics__hold_every_part_and_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    sign("box:1", timezone.now())
    wait_in_outbox(timedelta(seconds=100))

    text = Client().get("/metrics").content.decode()

    assert all(f'insight_part_ok{{part="{name}"}}' in text for name in component_health.SIGNS)
    assert "insight_outbox_rows 1.0" in text
    assert 'insight_queue_waiting{queue="long"} 0.0' in text
    assert 'insight_schedule_failures{schedule="events: flush"} 0.0' in text
    assert "insight_workers 1.0" in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe__by_address_and_plain_http__is_answered_in_production(path: str, settings: Any) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["insight.example"]

    assert Client().get(path, headers={"Host": "10.1.2.3"}).status_code == 200
    assert Client().head(path, headers={"Host": "10.1.2.3"}).status_code == 200
    assert Client().post(path, headers={"Host": "insight.example"}, secure=True).status_code == 405
