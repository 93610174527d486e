"""Analyses are asked for each night."""

from datetime import timedelta

from django.db import migrations
from django.utils import timezone

ROW = {"name": "experiments: analyses", "func": "experiments.tasks.request_analyses", "schedule_type": "D"}


def add(apps, schema_editor):
    night = timezone.localtime().replace(hour=3, minute=30, second=0, microsecond=0) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=ROW["name"], defaults={**ROW, "repeats": -1, "next_run": night}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=ROW["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("experiments", "0004_analysis"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [migrations.RunPython(add, remove)]
