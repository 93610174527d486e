from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("aha", "0002_version_0_4"),
    ]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="plain_itt",
            field=models.FloatField(
                blank=True, null=True, verbose_name="effect on the outcome as measured, where itt is corrected"
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="plain_v_r",
            field=models.FloatField(blank=True, null=True, verbose_name="its variance"),
        ),
        migrations.AddField(
            model_name="finding",
            name="plain_c_rd",
            field=models.FloatField(
                blank=True, null=True, verbose_name="its covariance with the effect on the behaviour"
            ),
        ),
    ]
