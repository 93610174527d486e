"""Schedules of the former queue, as an operator may have changed them, and runs that waited in it."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from runs.models import Job, Schedule
from runs.queue.jobs import put_forgotten
from segments.models import SegmentationRun

pytestmark = pytest.mark.django_db
TABLE = """
    CREATE TABLE django_q_schedule (id integer, func varchar(256), schedule_type varchar(2), minutes smallint,
    repeats integer, next_run timestamp with time zone, name varchar(100))
"""


def test_take_over__what_an_operator_changed__stays_and_foreign_kinds_do_not_come() -> None:
    Schedule.objects.all().delete()
    due = datetime(2026, 11, 28, 4, 30, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        for number, (name, every, minutes) in enumerate([("events: flush", "I", 7), ("a week", "W", None)]):
            given: list[Any] = [number, "events.tasks.flush_events", every, minutes, -1, due, name]
            cursor.execute("INSERT INTO django_q_schedule VALUES (%s, %s, %s, %s, %s, %s, %s)", given)

    migration = import_module("runs.migrations.0001_version_0_4")
    migration.take_over(apps, SimpleNamespace(connection=connection))

    row = Schedule.objects.get()
    assert (row.name, row.every, row.minutes, row.next_run) == ("events: flush", "I", 7, due)


def test_put_forgotten__runs_that_wait_for_a_minute_without_a_job__are_asked_for_once() -> None:
    lost, new = SegmentationRun.objects.create(), SegmentationRun.objects.create()
    SegmentationRun.objects.filter(pk=lost.pk).update(created_at=timezone.now() - timedelta(minutes=2))

    assert (put_forgotten(), put_forgotten()) == (1, 0)
    assert Job.objects.get().arguments == [lost.pk]
    assert new.status == "queued"
