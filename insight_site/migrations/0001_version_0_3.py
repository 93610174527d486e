"""The tables of version 0.3. A database that ran the steps it was made of has them already."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('insight_site', '0001_initial'),
        ('insight_site', '0002_picture'),
        ('insight_site', '0003_schedules'),
        ('insight_site', '0004_idempotent_calls'),
        ('insight_site', '0005_sharelink'),
        ('insight_site', '0006_roles'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('events', '0001_version_0_3'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotentCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('body_hash', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('content_type', models.CharField(blank=True, max_length=100)),
                ('content', models.BinaryField(default=bytes)),
            ],
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('client', 'client: browsers and apps, public'), ('server', 'server: backends, secret'), ('admin', 'admin: automation')], max_length=10, verbose_name='kind')),
                ('scopes', models.JSONField(default=list, verbose_name='scopes')),
                ('allowed_origins', models.JSONField(blank=True, default=list, verbose_name='allowed browser origins')),
                ('rate', models.PositiveIntegerField(blank=True, null=True, verbose_name='calls a minute')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('prefix', models.CharField(editable=False, max_length=8, verbose_name='begins with')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('log_exposures', models.BooleanField(default=True, help_text='Off: the service sends Experiment Viewed itself.', verbose_name='evaluations log exposures')),
                ('preview', models.BooleanField(default=False, help_text='Remote evaluation honours forced values: for QA alone.', verbose_name='preview')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='events.source', verbose_name='source')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Picture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_label', models.CharField(max_length=60)),
                ('run_pk', models.PositiveBigIntegerField()),
                ('language', models.CharField(max_length=10)),
                ('slug', models.CharField(max_length=60)),
                ('label', models.TextField()),
                ('spec', models.JSONField()),
                ('marks', models.PositiveIntegerField()),
                ('content', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run_label', 'run_pk', 'language', 'slug'), name='one_picture_of_a_kind')],
            },
        ),
        migrations.CreateModel(
            name='Preference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(choices=[('en', 'English'), ('ko', '한국어')], max_length=10, verbose_name='language')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ShareLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('run_label', models.CharField(max_length=60, verbose_name='kind of report')),
                ('run_pk', models.PositiveBigIntegerField(verbose_name='report')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'share link',
                'verbose_name_plural': 'share links',
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['run_label', 'run_pk'], name='insight_sit_run_lab_17876b_idx')],
            },
        ),
    ]
