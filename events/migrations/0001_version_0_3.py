"""The tables of version 0.3. A database that ran the steps it was made of has them already."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('events', '0001_initial'),
        ('events', '0002_schedules'),
    ]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Flush',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveBigIntegerField(unique=True, verbose_name='number')),
                ('writer', models.CharField(max_length=64, verbose_name='writer')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('committed_at', models.DateTimeField(blank=True, db_index=True, null=True, verbose_name='in the store since')),
                ('rows', models.PositiveIntegerField(default=0, verbose_name='events')),
            ],
            options={
                'verbose_name': 'flush',
                'verbose_name_plural': 'flushes',
                'ordering': ['-version'],
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, verbose_name='name')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
            ],
            options={
                'verbose_name': 'source',
                'verbose_name_plural': 'sources',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='UnitTraits',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.CharField(max_length=256, unique=True, verbose_name='user')),
                ('traits', models.JSONField(default=dict, verbose_name='traits')),
                ('times', models.JSONField(default=dict, verbose_name='when each was said')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'user traits',
                'verbose_name_plural': 'user traits',
            },
        ),
        migrations.CreateModel(
            name='Rejected',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('received_at', models.DateTimeField(db_index=True, verbose_name='received')),
                ('code', models.CharField(db_index=True, max_length=40, verbose_name='reason')),
                ('message', models.CharField(max_length=200, verbose_name='explanation')),
                ('message_id', models.CharField(blank=True, max_length=100, verbose_name='message id')),
                ('payload', models.TextField(verbose_name='what was sent')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='events.source', verbose_name='source')),
            ],
            options={
                'verbose_name': 'rejected event',
                'verbose_name_plural': 'rejected events',
                'ordering': ['-received_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=140, unique=True)),
                ('user_id', models.CharField(max_length=256)),
                ('event', models.CharField(max_length=256)),
                ('time', models.DateTimeField()),
                ('properties', models.TextField()),
                ('received_at', models.DateTimeField()),
                ('flush', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='events.flush')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('flush__isnull', True)), fields=['id'], name='outbox_waiting')],
            },
        ),
    ]
