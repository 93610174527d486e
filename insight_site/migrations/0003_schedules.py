"""Runs whose process died in the middle get their reason: looked for every quarter of an hour."""

from django.db import migrations
from django.utils import timezone

ROW = {"name": "site: close lost runs", "func": "insight_site.tasks.close_lost_runs", "schedule_type": "I", "minutes": 15}


def add(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=ROW["name"], defaults={**ROW, "repeats": -1, "next_run": timezone.now()}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=ROW["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("insight_site", "0002_picture"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [migrations.RunPython(add, remove)]
