"""Scheduled tasks of the workers: one table, copied to the queue's own after each migrate."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.apps import apps as installed
from django.utils import timezone

from runs.site_zone import here

MINUTES, HOURLY, DAILY = "I", "H", "D"  # codes of runs.models.Schedule


@dataclass(frozen=True)
class Recurring:
    """A recurring task.

    Attributes:
        name: identifies its row, so it never changes.
        task: dotted name of the function.
        every: MINUTES, HOURLY or DAILY.
        minutes: how many, for MINUTES.
        at: time of the first run on the site's clocks, for nightly tasks; None for at once.
    """

    name: str
    task: str
    every: str
    minutes: int | None = None
    at: time | None = None

    def first_run(self) -> datetime:
        """When a new row is due first."""
        if self.at is None:
            return timezone.now()
        tomorrow = here() + timedelta(days=1)
        return tomorrow.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)


RECURRING = (
    Recurring("events: flush", "events.tasks.flush_events", MINUTES, 1),
    Recurring("events: catalogue", "events.tasks.refresh_catalogue", MINUTES, 1),
    Recurring("events: maintain store", "events.tasks.maintain_store", DAILY),
    Recurring("events: daily tables", "events.tasks.keep_daily_tables", HOURLY),
    Recurring("site: retention", "insight_site.tasks.retain", DAILY, at=time(2, 30)),
    Recurring("aha: prepare explore", "aha.tasks.prepare_explore", MINUTES, 5),
    Recurring("site: back up", "insight_site.tasks.back_up", DAILY, at=time(2, 30)),
    Recurring("aha: weekly reach", "aha.tasks.count_all_reaches", DAILY, at=time(3, 15)),
    Recurring("site: home figures", "insight_site.tasks.count_home_figures", DAILY, at=time(3, 20)),
    Recurring("events: remove old uploads", "events.tasks.remove_old_uploads", HOURLY),
    Recurring("experiments: analyses", "experiments.tasks.request_analyses", DAILY, at=time(3, 30)),
    Recurring("experiments: together", "experiments.tasks.request_together", DAILY, at=time(4, 0)),
    Recurring("site: write results", "insight_site.tasks.write_results", DAILY, at=time(4, 30)),
    Recurring("experiments: ask again", "experiments.tasks.ask_findings_again", DAILY, at=time(5, 0)),
    Recurring("experiments: webhooks", "experiments.tasks.deliver_webhooks", MINUTES, 1),
    Recurring("experiments: rollout steps", "experiments.tasks.note_rollout_steps", MINUTES, 1),
    Recurring("experiments: certificates", "experiments.tasks.look_at_certificates", DAILY),
    Recurring("site: count audiences", "insight_site.tasks.count_due_audiences", MINUTES, 5),
    Recurring("site: send audiences", "insight_site.tasks.send_audiences", MINUTES, 1),
    Recurring("segments: refresh", "segments.tasks.refresh_segments", HOURLY),
    Recurring("site: close lost runs", "insight_site.tasks.close_lost_runs", MINUTES, 15),
    Recurring("site: forget leases", "insight_site.tasks.forget_leases", MINUTES, 15),
    Recurring("site: forget old calls", "insight_site.tasks.forget_old_calls", DAILY, at=time(3, 45)),
    Recurring("site: forget sign-ins", "insight_site.tasks.forget_sign_ins", DAILY, at=time(3, 48)),
    Recurring("site: notices", "insight_site.tasks.deliver_notices", MINUTES, 1),
    Recurring("site: look at parts", "insight_site.tasks.look_at_parts", MINUTES, 15),
    Recurring("site: weekly digest", "insight_site.tasks.make_digest", HOURLY),
    Recurring("site: forget notices", "insight_site.tasks.forget_notices", DAILY, at=time(3, 49)),
    Recurring("runs: forget old jobs", "runs.tasks.forget_old_jobs", DAILY, at=time(3, 50)),
)


def synchronise(*, using: str = "default", apps: Any = installed, **_signal: Any) -> None:
    """After migrate: add missing schedules, and update the others' task name.

    Next run and interval of an existing row are unchanged: an operator may have edited them.

    Args:
        using: alias of the database.
        apps: the registry of the migration state, or Django's own.
    """
    try:
        rows = apps.get_model("runs", "Schedule").objects.using(using)
    except LookupError:  # migrated back to a state without the queue's tables
        return
    for entry in RECURRING:
        if not rows.filter(name=entry.name).exists():
            rows.create(
                name=entry.name, task=entry.task, every=entry.every, minutes=entry.minutes, next_run=entry.first_run()
            )
        rows.filter(name=entry.name).exclude(task=entry.task).update(task=entry.task)
