from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models


def keep_what_counts(apps: Apps, schema_editor: Any) -> None:
    """Experiments that have started go on hearing every source, as 0.3 did, so that their numbers stay theirs.

    The history gets the same, or the plan would look changed without an amendment.
    """
    Source: Any = apps.get_model("events", "Source")
    sources = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    for name in ("Experiment", "HistoricalExperiment"):
        rows: Any = apps.get_model("experiments", name)
        rows.objects.filter(started_at__isnull=False).update(sources=sources)


class Migration(migrations.Migration):

    dependencies = [
        ("events", "0001_initial"),
        ("experiments", "0005_nightly"),
    ]

    operations = [
        migrations.AddField(
            model_name="experiment",
            name="sources",
            field=models.JSONField(blank=True, default=list, verbose_name="sources whose client keys report exposures"),
        ),
        migrations.AddField(
            model_name="historicalexperiment",
            name="sources",
            field=models.JSONField(blank=True, default=list, verbose_name="sources whose client keys report exposures"),
        ),
        migrations.RunPython(keep_what_counts, migrations.RunPython.noop, elidable=True),
    ]
