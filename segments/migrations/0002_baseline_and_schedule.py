"""The first population of a version, and the hourly look for models whose membership is due."""

from django.db import migrations, models
from django.utils import timezone

ROW = {"name": "segments: refresh", "func": "segments.tasks.refresh_segments", "schedule_type": "H"}


def add(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=ROW["name"], defaults={**ROW, "repeats": -1, "next_run": timezone.now()}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=ROW["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0001_initial"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [
        migrations.AddField("segmentversion", "baseline", models.JSONField(editable=False, null=True)),
        migrations.RunPython(add, remove),
    ]
