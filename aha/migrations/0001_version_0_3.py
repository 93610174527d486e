"""The tables of version 0.3. A database that ran the steps it was made of has them already."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('aha', '0001_initial'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Study',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], db_index=True, default='queued', max_length=10, verbose_name='status')),
                ('inputs', models.JSONField(default=dict, verbose_name='inputs')),
                ('seed', models.PositiveBigIntegerField(default=1, verbose_name='seed')),
                ('as_of', models.DateTimeField(blank=True, null=True, verbose_name='data up to')),
                ('stage', models.CharField(blank=True, max_length=40, verbose_name='stage')),
                ('share', models.FloatField(default=0.0, verbose_name='share done')),
                ('cancel_requested', models.BooleanField(default=False, verbose_name='cancel requested')),
                ('payload', models.JSONField(blank=True, null=True, verbose_name='result')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('versions', models.JSONField(blank=True, default=dict, verbose_name='library versions')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last sign of life')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('title', models.CharField(blank=True, max_length=100, verbose_name='title')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'study',
                'verbose_name_plural': 'studies',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='HistoricalAhaMoment',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('key', models.SlugField(max_length=60, verbose_name='key')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('behaviour', models.CharField(max_length=400, verbose_name='behaviour')),
                ('times', models.PositiveIntegerField(verbose_name='times')),
                ('days', models.PositiveSmallIntegerField(verbose_name='within days')),
                ('signup_event', models.CharField(max_length=256, verbose_name='signup event')),
                ('retention', models.CharField(max_length=400, verbose_name='retention')),
                ('status', models.CharField(choices=[('candidate', 'candidate'), ('testing', 'being tested'), ('confirmed', 'confirmed'), ('refuted', 'refuted'), ('inconclusive', 'inconclusive')], default='candidate', max_length=12, verbose_name='status')),
                ('evidence', models.JSONField(default=dict, editable=False, verbose_name='evidence')),
                ('evidence_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('finding', models.JSONField(blank=True, editable=False, null=True, verbose_name='finding')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('created_at', models.DateTimeField(blank=True, editable=False, verbose_name='created')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('study', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='aha.study', verbose_name='study')),
            ],
            options={
                'verbose_name': 'historical AHA moment',
                'verbose_name_plural': 'historical AHA moments',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='AhaMoment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=60, unique=True, verbose_name='key')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('behaviour', models.CharField(max_length=400, verbose_name='behaviour')),
                ('times', models.PositiveIntegerField(verbose_name='times')),
                ('days', models.PositiveSmallIntegerField(verbose_name='within days')),
                ('signup_event', models.CharField(max_length=256, verbose_name='signup event')),
                ('retention', models.CharField(max_length=400, verbose_name='retention')),
                ('status', models.CharField(choices=[('candidate', 'candidate'), ('testing', 'being tested'), ('confirmed', 'confirmed'), ('refuted', 'refuted'), ('inconclusive', 'inconclusive')], default='candidate', max_length=12, verbose_name='status')),
                ('evidence', models.JSONField(default=dict, editable=False, verbose_name='evidence')),
                ('evidence_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('finding', models.JSONField(blank=True, editable=False, null=True, verbose_name='finding')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('study', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='moments', to='aha.study', verbose_name='study')),
            ],
            options={
                'verbose_name': 'AHA moment',
                'verbose_name_plural': 'AHA moments',
                'ordering': ['-created_at'],
            },
        ),
    ]
