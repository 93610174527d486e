"""The first population of a version. Until version 0.4 a schedule too, which `insight_site.schedules` writes now."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0001_initial"),
    ]
    operations = [
        migrations.AddField("segmentversion", "baseline", models.JSONField(editable=False, null=True)),
    ]
