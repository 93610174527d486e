"""Calls whose `Idempotency-Key` counts no longer are deleted each night."""

from datetime import timedelta

from django.db import migrations
from django.utils import timezone

ROW = {"name": "site: forget old calls", "func": "insight_site.tasks.forget_old_calls", "schedule_type": "D"}


def add(apps, schema_editor):
    night = timezone.localtime().replace(hour=3, minute=45, second=0, microsecond=0) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=ROW["name"], defaults={**ROW, "repeats": -1, "next_run": night}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=ROW["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("insight_site", "0006_roles"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [migrations.RunPython(add, remove)]
