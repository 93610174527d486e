"""What the clock asks for, also when it was wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from runs.models import Job, Schedule
from runs.queue import worker
from runs.site_zone import choose_site_zone

pytestmark = pytest.mark.django_db
FLUSH = "events.tasks.flush_events"


@pytest.fixture(autouse=True)
def _alone() -> None:
    Schedule.objects.all().delete()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(every: str = "I", minutes: int | None = 1, **fields: datetime) -> Schedule:
    return Schedule.objects.create(name="s", task=FLUSH, every=every, minutes=minutes, **fields)


def test_put_due__asked_by_two_workers_at_once__is_one_job() -> None:
    row(next_run=timezone.now() - timedelta(seconds=1))

    assert (worker.put_due(), worker.put_due()) == (1, 0)
    assert Job.objects.get().schedule == "s"


def test_put_due__by_a_worker_whose_rows_were_read_before_another_asked__asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row(next_run=timezone.now() - timedelta(seconds=1))
    read_before = list(Schedule.objects.all())
    assert worker.put_due() == 1
    Job.objects.update(state="done")
    monkeypatch.setattr(Schedule.objects, "all", lambda: read_before)

    assert worker.put_due() == 0
    assert Job.objects.count() == 1


def test_put_due__while_the_last_one_runs__waits_for_the_next_time() -> None:
    one = row(next_run=timezone.now() - timedelta(seconds=1))
    worker.put_due()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))

    assert worker.put_due() == 0
    one.refresh_from_db()
    assert one.next_run > timezone.now()
    assert Job.objects.count() == 1


def test_put_due__after_a_night_without_worker__asks_once_and_keeps_the_beat() -> None:
    due = timezone.now() - timedelta(hours=9, seconds=20)
    one = row(minutes=15, next_run=due)

    assert (worker.put_due(), worker.put_due()) == (1, 0)
    one.refresh_from_db()
    assert (one.next_run - due) % timedelta(minutes=15) == timedelta()
    assert timedelta() < one.next_run - timezone.now() <= timedelta(minutes=15)


@pytest.mark.parametrize(("every", "minutes"), [("I", 1), ("H", None), ("D", None)])
def test_put_due__put_off_by_a_clock_that_was_two_days_ahead__is_put_right(every: str, minutes: int | None) -> None:
    one = row(every, minutes, next_run=timezone.now() + timedelta(days=2, minutes=5))

    worker.put_due()

    one.refresh_from_db()
    assert timedelta() < one.next_run - timezone.now() <= one.period
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("zone", "due", "now", "after"),
    [
        ("UTC", "2026-11-26T03:30", "2026-11-27T03:30", "2026-11-28T03:30"),
        ("UTC", "2026-11-27T03:30", "2026-11-27T03:29", "2026-11-27T03:30"),
        # Clocks went back on 25 October 2026 and forward on 29 March: the wall clock counts.
        ("Europe/Berlin", "2026-10-24T01:30", "2026-10-24T01:30", "2026-10-25T02:30"),
        ("Europe/Berlin", "2026-03-28T02:30", "2026-03-28T12:00", "2026-03-29T01:30"),
        ("Asia/Seoul", "2026-11-26T18:30", "2026-11-26T18:31", "2026-11-27T18:30"),
    ],
)
def test_after__each_day__is_the_same_local_time(zone: str, due: str, now: str, after: str) -> None:
    one = Schedule(name="s", task=FLUSH, every="D", next_run=utc(due))

    choose_site_zone(zone)  # only rows that are stored move with it
    with timezone.override("America/New_York"):  # the zone of a person whose request asks
        found = one.after(utc(now))

    assert found.astimezone(UTC) == utc(after)


def test_put_due__a_schedule_of_an_unknown_task__does_not_keep_the_others_away() -> None:
    due = timezone.now() - timedelta(seconds=1)
    Schedule.objects.create(name="a", task="os.system", every="I", minutes=1, next_run=due)
    row(next_run=due)

    assert (worker.put_due(), worker.put_due()) == (1, 0)
    assert [job.schedule for job in Job.objects.all()] == ["s"]
