"""The flush runs each minute, the upkeep of the store each day: rows that the queue's workers read."""

from django.db import migrations
from django.utils import timezone

SCHEDULES = [
    {"name": "events: flush", "func": "events.tasks.flush_events", "schedule_type": "I", "minutes": 1},
    {"name": "events: maintain store", "func": "events.tasks.maintain_store", "schedule_type": "D"},
]


def add(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    for row in SCHEDULES:
        schedule.objects.get_or_create(name=row["name"], defaults={**row, "repeats": -1, "next_run": timezone.now()})


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name__in=[row["name"] for row in SCHEDULES]).delete()


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial"), ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more")]
    operations = [migrations.RunPython(add, remove)]
