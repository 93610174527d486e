import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0002_schedules'),
    ]

    operations = [
        migrations.AlterField(
            model_name='rejected',
            name='source',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='events.source', verbose_name='source'),
        ),
    ]
