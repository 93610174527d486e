"""The time zone that somebody chose for the site; without a row it is `settings.TIME_ZONE`, as before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_version_0_4")]
    operations = [
        migrations.CreateModel(
            name="SiteZone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, verbose_name="time zone")),
                ("chosen_at", models.DateTimeField(auto_now=True, verbose_name="chosen")),
            ],
            options={"verbose_name": "time zone of the site", "verbose_name_plural": "time zone of the site"},
        ),
    ]
