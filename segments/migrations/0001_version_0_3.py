"""The tables of version 0.3. A database that ran the steps it was made of has them already."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('segments', '0001_initial'),
        ('segments', '0002_baseline_and_schedule'),
        ('segments', '0003_pinned_versions'),
        ('segments', '0004_comparison'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=80, verbose_name='key')),
                ('number', models.PositiveSmallIntegerField(default=0, verbose_name='number')),
                ('name', models.CharField(blank=True, max_length=100, verbose_name='name')),
                ('profile', models.JSONField(blank=True, default=dict, verbose_name='profile')),
                ('stability', models.FloatField(blank=True, null=True, verbose_name='stability')),
                ('targetable', models.BooleanField(default=True, verbose_name='may be targeted')),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='units')),
            ],
            options={
                'verbose_name': 'segment',
                'verbose_name_plural': 'segments',
                'ordering': ['version', 'number'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalSegmentModel',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('key', models.SlugField(max_length=60, verbose_name='key')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('cluster', 'by play pattern'), ('rule', 'by rule')], max_length=10, verbose_name='kind')),
                ('refresh_days', models.PositiveSmallIntegerField(blank=True, help_text='Empty: only when a person asks.', null=True, verbose_name='refresh every … days')),
                ('created_at', models.DateTimeField(blank=True, editable=False, verbose_name='created')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical segment model',
                'verbose_name_plural': 'historical segment models',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='ComparisonRun',
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
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('first', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='segments.segment', verbose_name='first segment')),
                ('second', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='segments.segment', verbose_name='second segment')),
            ],
            options={
                'verbose_name': 'comparison of segments',
                'verbose_name_plural': 'comparisons of segments',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ChurnRun',
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
                ('model', models.JSONField(blank=True, null=True, verbose_name='fitted model')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('segment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='churn_runs', to='segments.segment', verbose_name='segment')),
            ],
            options={
                'verbose_name': 'churn model',
                'verbose_name_plural': 'churn models',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='SegmentationRun',
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
                ('model', models.JSONField(blank=True, null=True, verbose_name='fitted model')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'segmentation',
                'verbose_name_plural': 'segmentations',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='SegmentModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=60, unique=True, verbose_name='key')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('cluster', 'by play pattern'), ('rule', 'by rule')], max_length=10, verbose_name='kind')),
                ('refresh_days', models.PositiveSmallIntegerField(blank=True, help_text='Empty: only when a person asks.', null=True, verbose_name='refresh every … days')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'segment model',
                'verbose_name_plural': 'segment models',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SegmentVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='version')),
                ('rule', models.JSONField(blank=True, null=True, verbose_name='rule')),
                ('inputs', models.JSONField(default=dict, verbose_name='inputs')),
                ('fitted', models.JSONField(blank=True, null=True, verbose_name='fitted model')),
                ('fidelity', models.FloatField(blank=True, null=True, verbose_name='fidelity')),
                ('drift', models.JSONField(blank=True, null=True, verbose_name='drift')),
                ('units', models.PositiveBigIntegerField(default=0, verbose_name='units')),
                ('published_at', models.DateTimeField(auto_now_add=True, verbose_name='published')),
                ('refreshed_at', models.DateTimeField(blank=True, null=True, verbose_name='membership of')),
                ('baseline', models.JSONField(editable=False, null=True)),
                ('pinned', models.BooleanField(default=False, verbose_name='kept fresh for experiments')),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='segments.segmentmodel', verbose_name='model')),
                ('published_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='published by')),
                ('run', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='published', to='segments.segmentationrun', verbose_name='run')),
            ],
            options={
                'verbose_name': 'segment version',
                'verbose_name_plural': 'segment versions',
                'ordering': ['model', '-number'],
            },
        ),
        migrations.AddField(
            model_name='segment',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='segments', to='segments.segmentversion', verbose_name='version'),
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit', models.CharField(max_length=256)),
                ('place', models.CharField(choices=[('member', 'member'), ('outside', 'outside'), ('too_little_data', 'too little data'), ('unlike_any', 'unlike any segment')], default='member', max_length=20)),
                ('risk', models.FloatField(null=True)),
                ('reasons', models.JSONField(null=True)),
                ('segment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='segments.segment')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='segments.segmentversion')),
            ],
        ),
        migrations.CreateModel(
            name='HistoricalSegment',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('key', models.SlugField(max_length=80, verbose_name='key')),
                ('number', models.PositiveSmallIntegerField(default=0, verbose_name='number')),
                ('name', models.CharField(blank=True, max_length=100, verbose_name='name')),
                ('profile', models.JSONField(blank=True, default=dict, verbose_name='profile')),
                ('stability', models.FloatField(blank=True, null=True, verbose_name='stability')),
                ('targetable', models.BooleanField(default=True, verbose_name='may be targeted')),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='units')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='segments.segmentversion', verbose_name='version')),
            ],
            options={
                'verbose_name': 'historical segment',
                'verbose_name_plural': 'historical segments',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.AddConstraint(
            model_name='segmentversion',
            constraint=models.UniqueConstraint(fields=('model', 'number'), name='one_segment_version_of_a_number'),
        ),
        migrations.AddConstraint(
            model_name='segment',
            constraint=models.UniqueConstraint(fields=('version', 'key'), name='one_segment_of_a_key'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(fields=['unit'], name='segments_me_unit_74cf45_idx'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(fields=['segment', '-risk'], name='segments_me_segment_ac55bf_idx'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(fields=('version', 'unit'), name='one_place_for_a_unit'),
        ),
    ]
