from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aha", "0017_saved_views")]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="outcomes",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                editable=False,
                verbose_name="every outcome with all measured behaviours",
            ),
        )
    ]
