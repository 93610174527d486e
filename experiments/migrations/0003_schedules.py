"""Webhook deliveries are tried each minute."""

from django.db import migrations
from django.utils import timezone

ROW = {"name": "experiments: webhooks", "func": "experiments.tasks.deliver_webhooks", "schedule_type": "I", "minutes": 1}


def add(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=ROW["name"], defaults={**ROW, "repeats": -1, "next_run": timezone.now()}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=ROW["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("experiments", "0002_webhookendpoint_experiment_moment_and_more"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [migrations.RunPython(add, remove)]
