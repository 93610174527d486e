"""The table of scheduled work, and what the database holds of it after migrate."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string

from insight_site.schedules import RECURRING, synchronise
from runs.models import Schedule
from runs.queue.registry import find_task

pytestmark = pytest.mark.django_db
ROWS = {
    ("aha: prepare explore", "aha.tasks.prepare_explore", "I", 5),
    ("events: remove old uploads", "events.tasks.remove_old_uploads", "H", None),
    ("aha: weekly reach", "aha.tasks.count_all_reaches", "D", None),
    ("events: daily tables", "events.tasks.keep_daily_tables", "H", None),
    ("events: catalogue", "events.tasks.refresh_catalogue", "I", 1),
    ("events: flush", "events.tasks.flush_events", "I", 1),
    ("events: maintain store", "events.tasks.maintain_store", "D", None),
    ("experiments: analyses", "experiments.tasks.request_analyses", "D", None),
    ("experiments: together", "experiments.tasks.request_together", "D", None),
    ("experiments: ask again", "experiments.tasks.ask_findings_again", "D", None),
    ("experiments: webhooks", "experiments.tasks.deliver_webhooks", "I", 1),
    ("experiments: rollout steps", "experiments.tasks.note_rollout_steps", "I", 1),
    ("experiments: certificates", "experiments.tasks.look_at_certificates", "D", None),
    ("site: count audiences", "insight_site.tasks.count_due_audiences", "I", 5),
    ("site: send audiences", "insight_site.tasks.send_audiences", "I", 1),
    ("segments: refresh", "segments.tasks.refresh_segments", "H", None),
    ("site: close lost runs", "insight_site.tasks.close_lost_runs", "I", 15),
    ("site: forget old calls", "insight_site.tasks.forget_old_calls", "D", None),
    ("site: forget leases", "insight_site.tasks.forget_leases", "I", 15),
    ("runs: forget old jobs", "runs.tasks.forget_old_jobs", "D", None),
    ("site: retention", "insight_site.tasks.retain", "D", None),
    ("site: write results", "insight_site.tasks.write_results", "D", None),
    ("site: back up", "insight_site.tasks.back_up", "D", None),
    ("site: forget sign-ins", "insight_site.tasks.forget_sign_ins", "D", None),
    ("site: notices", "insight_site.tasks.deliver_notices", "I", 1),
    ("site: look at parts", "insight_site.tasks.look_at_parts", "I", 15),
    ("site: weekly digest", "insight_site.tasks.make_digest", "H", None),
    ("site: forget notices", "insight_site.tasks.forget_notices", "D", None),
    ("site: home figures", "insight_site.tasks.count_home_figures", "D", None),
}


def stored() -> list[tuple[str, str, str, int | None]]:
    return sorted(Schedule.objects.values_list("name", "task", "every", "minutes"))


def test_database__freshly_migrated__holds_the_table() -> None:
    assert stored() == sorted(ROWS)


def test_jobs__each_task__exists() -> None:
    assert all(callable(import_string(find_task(one.task).name)) for one in RECURRING)


def test_migrate__a_row_is_missing_and_one_has_an_old_task__both_are_mended() -> None:
    Schedule.objects.filter(name="segments: refresh").delete()
    Schedule.objects.filter(name="events: flush").update(task="events.somewhere.flush")

    call_command("migrate", verbosity=0)

    assert stored() == sorted(ROWS)


def test_synchronise__what_an_operator_changed__stays() -> None:
    later = timezone.now() + timedelta(days=3)
    Schedule.objects.filter(name="segments: refresh").update(every="D", next_run=later)

    synchronise()
    synchronise()

    assert Schedule.objects.filter(name="segments: refresh", every="D", next_run=later).count() == 1
    assert Schedule.objects.count() == len(ROWS)


def test_first_run__of_the_nightly_analyses__is_half_past_three_tomorrow() -> None:
    (job,) = (job for job in RECURRING if job.name == "experiments: analyses")

    due = timezone.localtime(job.first_run())

    assert (due.hour, due.minute) == (3, 30)
    assert due.date() == timezone.localdate() + timedelta(days=1)
