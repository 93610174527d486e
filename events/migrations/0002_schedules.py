"""Wrote rows of schedules until version 0.4, where `insight_site.schedules` does. Kept, since databases know its name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = []
