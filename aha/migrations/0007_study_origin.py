import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("aha", "0006_kept_reach")]

    operations = [
        migrations.AddField(
            model_name="study",
            name="changed_from",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="changed_into",
                to="aha.study",
                verbose_name="changed from",
            ),
        )
    ]
