"""For a site that migrates while events come in (benchmarks/hard): an index of its busiest table, and a table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("events", "0007_outbox_in_two")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX pretend_user ON events_outbox (user_id)", reverse_sql="DROP INDEX IF EXISTS pretend_user"
        ),
        migrations.CreateModel(
            name="Nothing", fields=[("id", models.BigAutoField(primary_key=True)), ("text", models.TextField(default=""))]
        ),
    ]
