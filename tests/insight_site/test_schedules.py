"""The table of scheduled work, and what the database holds of it after migrate."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

from insight_site.schedules import JOBS, synchronise

pytestmark = pytest.mark.django_db
ROWS = {
    ("aha: prepare explore", "aha.tasks.prepare_explore", "I", 5, -1),
    ("events: remove old uploads", "events.tasks.remove_old_uploads", "H", None, -1),
    ("aha: weekly reach", "aha.tasks.count_all_reaches", "D", None, -1),
    ("events: catalogue", "events.tasks.refresh_catalogue", "I", 1, -1),
    ("events: flush", "events.tasks.flush_events", "I", 1, -1),
    ("events: maintain store", "events.tasks.maintain_store", "D", None, -1),
    ("experiments: analyses", "experiments.tasks.request_analyses", "D", None, -1),
    ("experiments: webhooks", "experiments.tasks.deliver_webhooks", "I", 1, -1),
    ("segments: refresh", "segments.tasks.refresh_segments", "H", None, -1),
    ("site: close lost runs", "insight_site.tasks.close_lost_runs", "I", 15, -1),
    ("site: forget old calls", "insight_site.tasks.forget_old_calls", "D", None, -1),
    ("site: home figures", "insight_site.tasks.count_home_figures", "D", None, -1),
}


def stored() -> list[tuple[str, str, str, int | None, int]]:
    return sorted(Schedule.objects.values_list("name", "func", "schedule_type", "minutes", "repeats"))


def test_database__freshly_migrated__holds_the_table() -> None:
    assert stored() == sorted(ROWS)


def test_jobs__each_task__exists() -> None:
    assert all(callable(import_string(job.task)) for job in JOBS)


def test_migrate__a_row_is_missing_and_one_has_an_old_task__both_are_mended() -> None:
    Schedule.objects.filter(name="segments: refresh").delete()
    Schedule.objects.filter(name="events: flush").update(func="events.somewhere.flush")

    call_command("migrate", verbosity=0)

    assert stored() == sorted(ROWS)


def test_synchronise__what_an_operator_changed__stays() -> None:
    later = timezone.now() + timedelta(days=3)
    Schedule.objects.filter(name="segments: refresh").update(schedule_type="D", next_run=later)

    synchronise()
    synchronise()

    assert Schedule.objects.filter(name="segments: refresh", schedule_type="D", next_run=later).count() == 1
    assert Schedule.objects.count() == len(ROWS)


def test_first_run__of_the_nightly_analyses__is_half_past_three_tomorrow() -> None:
    (job,) = (job for job in JOBS if job.name == "experiments: analyses")

    due = timezone.localtime(job.first_run())

    assert (due.hour, due.minute) == (3, 30)
    assert due.date() == timezone.localdate() + timedelta(days=1)
