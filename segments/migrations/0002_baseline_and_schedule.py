"""The first population of a version. Until version 0.4 a schedule too, which `insight_site.schedules` writes now."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0001_initial"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [
        migrations.AddField("segmentversion", "baseline", models.JSONField(editable=False, null=True)),
    ]
