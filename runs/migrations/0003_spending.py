"""What runs were told to read and what they read, and the sum of each day; two new tables."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0002_site_zone'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DaySpent',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('bytes', models.PositiveBigIntegerField(db_default=0, default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Spending',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=100)),
                ('run', models.PositiveBigIntegerField()),
                ('name', models.CharField(blank=True, db_default='', default='', max_length=200)),
                ('day', models.DateField(db_index=True)),
                ('told_files', models.PositiveBigIntegerField(null=True)),
                ('told_rows', models.PositiveBigIntegerField(null=True)),
                ('told_bytes', models.PositiveBigIntegerField(null=True)),
                ('read_bytes', models.PositiveBigIntegerField(null=True)),
                ('seconds', models.FloatField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'run'), name='runs_spending_once')],
            },
        ),
    ]
