"""From version 0.3 to 0.4."""

import django.db.models.deletion
from django.conf import settings
from django.core.management import call_command
from django.db import migrations, models


def make_cache_table(apps, schema_editor):
    """Django's own table of a database cache; its command says nothing where the table is there."""
    call_command("createcachetable", "insight_site_signincache", database=schema_editor.connection.alias, verbosity=0)


def drop_cache_table(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS insight_site_signincache")


class Migration(migrations.Migration):

    replaces = [
        ('insight_site', '0007_appearance'),
        ('insight_site', '0008_snapshot'),
        ('insight_site', '0009_write_probe'),
        ('insight_site', '0010_lease'),
        ('insight_site', '0011_audit_entry'),
        ('insight_site', '0012_erasure'),
        ('insight_site', '0013_sign_ins'),
        ('insight_site', '0015_notices'),
        ('insight_site', '0016_audiences'),
        ('insight_site', '0017_promotions'),
        ('insight_site', '0018_public_keys'),
        ('insight_site', '0019_selftest'),
        ('insight_site', '0001_squashed_0006_roles'),
    ]

    dependencies = [
        ('aha', '0002_version_0_4'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('experiments', '0002_version_0_4'),
        ('insight_site', '0001_version_0_3'),
        ('segments', '0002_version_0_4'),
    ]

    operations = [
        migrations.AddField(
            model_name='preference',
            name='theme',
            field=models.CharField(blank=True, max_length=10, verbose_name='appearance'),
        ),
        migrations.AddField(
            model_name='preference',
            name='tours',
            field=models.JSONField(blank=True, default=list, verbose_name='tours that were dismissed'),
        ),
        migrations.AlterField(
            model_name='preference',
            name='language',
            field=models.CharField(blank=True, choices=[('en', 'English'), ('ko', '한국어')], max_length=10, verbose_name='language'),
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True)),
                ('value', models.JSONField(default=dict)),
                ('counted_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='WriteProbe',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('written_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('minute', models.BigIntegerField()),
                ('taken', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, verbose_name='when')),
                ('actor_kind', models.CharField(choices=[('person', 'person'), ('key', 'API key'), ('command', 'command on the server'), ('stranger', 'without an account')], max_length=10, verbose_name='kind of actor')),
                ('actor', models.CharField(db_index=True, max_length=200, verbose_name='who acted')),
                ('action', models.CharField(choices=[('created', 'created'), ('changed', 'changed'), ('deleted', 'deleted'), ('rotated', 'successor made'), ('revoked', 'revoked'), ('read', 'read by a link'), ('downloaded', 'downloaded'), ('asked', 'asked for')], max_length=12, verbose_name='action')),
                ('object_type', models.CharField(max_length=100, verbose_name='kind of row')),
                ('object_id', models.CharField(blank=True, max_length=100, verbose_name='row')),
                ('object_name', models.CharField(blank=True, max_length=200, verbose_name='name')),
                ('before', models.JSONField(default=dict, verbose_name='before')),
                ('after', models.JSONField(default=dict, verbose_name='after')),
                ('address', models.CharField(blank=True, max_length=45, verbose_name='from address')),
                ('request_id', models.CharField(blank=True, max_length=100, verbose_name='request id')),
                ('route', models.CharField(blank=True, max_length=150, verbose_name='route')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit log',
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['object_type', 'object_id'], name='audit_of_a_row')],
            },
        ),
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(blank=True, max_length=100, verbose_name='reference of the request')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('done', 'done'), ('failed', 'failed')], default='waiting', max_length=10, verbose_name='state')),
                ('ids', models.JSONField(default=list, editable=False)),
                ('named', models.PositiveIntegerField(default=0, verbose_name='ids that were named')),
                ('digests', models.JSONField(default=list, verbose_name='digests of all ids of these persons')),
                ('steps', models.JSONField(default=list, editable=False)),
                ('counts', models.JSONField(default=dict, verbose_name='what was erased')),
                ('store_before', models.PositiveBigIntegerField(null=True, verbose_name='version of the store before')),
                ('store_after', models.PositiveBigIntegerField(null=True, verbose_name='version of the store after')),
                ('notes', models.JSONField(default=list)),
                ('error', models.CharField(blank=True, max_length=200, verbose_name='error')),
                ('asked_with', models.CharField(blank=True, max_length=8, verbose_name='asked with the key')),
                ('asked_at', models.DateTimeField(auto_now_add=True, verbose_name='asked')),
                ('known_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked by')),
            ],
            options={
                'verbose_name': 'erasure of persons',
                'verbose_name_plural': 'erasures of persons',
                'ordering': ['-pk'],
                'permissions': [('export_erasure', 'Can export the data of one person')],
            },
        ),
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, verbose_name='when')),
                ('event', models.CharField(choices=[('signed_in', 'signed in'), ('failed', 'wrong name, password or code'), ('locked', 'refused: too many tries'), ('refused', 'refused'), ('signed_out', 'signed out'), ('ended', 'session ended'), ('confirmed', 'confirmed who they are'), ('factor_added', 'second factor added'), ('factor_removed', 'second factor removed'), ('password', 'password changed'), ('link', 'link to set a password asked for'), ('activated', 'account activated'), ('deactivated', 'account deactivated'), ('roles', 'roles changed')], max_length=20, verbose_name='what')),
                ('how', models.CharField(blank=True, max_length=100, verbose_name='how')),
                ('username', models.CharField(blank=True, max_length=150, verbose_name='name')),
                ('name_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('address', models.GenericIPAddressField(null=True, verbose_name='address')),
                ('network', models.CharField(blank=True, editable=False, max_length=50)),
                ('user_agent', models.CharField(blank=True, max_length=200, verbose_name='device')),
                ('note', models.CharField(blank=True, max_length=200, verbose_name='note')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'sign-in',
                'verbose_name_plural': 'sign-ins',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['name_digest', 'at'], name='insight_sit_name_di_e58137_idx'), models.Index(fields=['network', 'at'], name='insight_sit_network_4b271f_idx')],
            },
        ),
        migrations.AlterField(
            model_name='sharelink',
            name='created_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by'),
        ),
        migrations.CreateModel(
            name='Digest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('week', models.DateField(unique=True, verbose_name='first day')),
                ('record', models.JSONField(default=dict, editable=False)),
                ('made_at', models.DateTimeField(verbose_name='made')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
            ],
            options={
                'verbose_name': 'weekly digest',
                'verbose_name_plural': 'weekly digests',
                'ordering': ['-week'],
            },
        ),
        migrations.CreateModel(
            name='DigestRecipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254, unique=True, verbose_name='e-mail address')),
                ('language', models.CharField(choices=[('en', 'English'), ('ko', '한국어')], default='en', max_length=10, verbose_name='language')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('added_at', models.DateTimeField(auto_now_add=True, verbose_name='added')),
                ('stopped_at', models.DateTimeField(editable=False, null=True, verbose_name='unsubscribed')),
            ],
            options={
                'verbose_name': 'recipient of the weekly digest',
                'verbose_name_plural': 'recipients of the weekly digest',
                'ordering': ['email'],
            },
        ),
        migrations.CreateModel(
            name='NoticeChannel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('service', models.CharField(editable=False, max_length=100, verbose_name='service')),
                ('secret_address', models.CharField(editable=False, max_length=1000)),
                ('language', models.CharField(choices=[('en', 'English'), ('ko', '한국어')], default='en', max_length=10, verbose_name='language')),
                ('kinds', models.JSONField(blank=True, default=list, verbose_name='what it hears')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('owner', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'channel of notices',
                'verbose_name_plural': 'channels of notices',
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='NoticeChoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('timings', models.JSONField(blank=True, default=dict, verbose_name='when, by kind')),
                ('everything', models.BooleanField(default=False, verbose_name="also of what isn't mine")),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ToldState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=30)),
                ('subject', models.CharField(max_length=120)),
                ('state', models.CharField(max_length=60)),
                ('since', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'subject'), name='told_once')],
            },
        ),
        migrations.CreateModel(
            name='DigestMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('next_try_at', models.DateTimeField(null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('sent_at', models.DateTimeField(null=True)),
                ('trouble', models.CharField(blank=True, max_length=200)),
                ('digest', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='insight_site.digest')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mails', to='insight_site.digestrecipient')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('digest', 'recipient'), name='digest_once')],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=30, verbose_name='kind')),
                ('label', models.CharField(max_length=60, verbose_name='kind of row')),
                ('row', models.CharField(max_length=40, verbose_name='row')),
                ('code', models.CharField(blank=True, max_length=40, verbose_name='code')),
                ('happened_at', models.DateTimeField(verbose_name='when')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('sent', 'sent'), ('given_up', 'given up'), ('dropped', 'not needed any more')], default='waiting', max_length=10, verbose_name='state')),
                ('daily', models.BooleanField(default=False, verbose_name='once a day')),
                ('next_try_at', models.DateTimeField(null=True, verbose_name='next try')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='sent or given up')),
                ('trouble', models.CharField(blank=True, max_length=200, verbose_name='last trouble')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='insight_site.noticechannel', verbose_name='channel')),
            ],
            options={
                'verbose_name': 'notice',
                'verbose_name_plural': 'notices',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at'], name='notice_due'), models.Index(fields=['ended_at'], name='notice_ended')],
            },
        ),
        migrations.CreateModel(
            name='Audience',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=60, unique=True, verbose_name='key')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('who', models.CharField(choices=[('segment', 'users of a segment'), ('reached', 'users who reached a moment'), ('not_yet', "users who haven't reached it and have time left"), ('missed', "users whose time is over and who didn't reach it")], max_length=10, verbose_name='who')),
                ('segment_key', models.SlugField(blank=True, max_length=80)),
                ('way', models.CharField(choices=[('fetched', 'programs fetch it (REST)'), ('webhook', 'signed webhook: who came and who went'), ('file', 'CSV files in an object store')], max_length=10, verbose_name='how it goes out')),
                ('url', models.CharField(blank=True, max_length=500, verbose_name='address')),
                ('secret', models.CharField(blank=True, editable=False, max_length=100)),
                ('previous_secret', models.CharField(blank=True, editable=False, max_length=100)),
                ('previous_until', models.DateTimeField(editable=False, null=True)),
                ('hours', models.PositiveSmallIntegerField(default=24, verbose_name='every … hours')),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('counted_at', models.DateTimeField(editable=False, null=True)),
                ('members', models.PositiveBigIntegerField(default=0, editable=False)),
                ('last_change', models.PositiveBigIntegerField(default=0, editable=False)),
                ('refusal', models.JSONField(editable=False, null=True)),
                ('sent_change', models.PositiveBigIntegerField(default=0, editable=False)),
                ('sent_at', models.DateTimeField(editable=False, null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('next_try_at', models.DateTimeField(editable=False, null=True)),
                ('trouble', models.CharField(blank=True, editable=False, max_length=200)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('moment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='aha.ahamoment')),
                ('segment_model', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='segments.segmentmodel')),
            ],
            options={
                'verbose_name': 'audience',
                'verbose_name_plural': 'audiences',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='AudienceMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit', models.CharField(max_length=256)),
                ('is_in', models.BooleanField()),
                ('change', models.PositiveBigIntegerField()),
                ('changed_at', models.DateTimeField()),
                ('audience', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='insight_site.audience')),
            ],
            options={
                'indexes': [models.Index(fields=['audience', 'change'], name='insight_sit_audienc_463fd7_idx')],
                'constraints': [models.UniqueConstraint(fields=('audience', 'unit'), name='one_row_for_a_unit_of_an_audience')],
            },
        ),
        migrations.CreateModel(
            name='Promotion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=20, verbose_name='environment')),
                ('version', models.PositiveIntegerField(verbose_name='version there')),
                ('digest', models.CharField(editable=False, max_length=64)),
                ('history', models.JSONField(default=list, editable=False)),
                ('tried', models.JSONField(default=dict, editable=False)),
                ('brought_at', models.DateTimeField(auto_now_add=True, verbose_name='brought')),
                ('brought_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='brought by')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='experiments.experiment', verbose_name='experiment')),
            ],
            options={
                'verbose_name': 'promotion',
                'verbose_name_plural': 'promotions',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='PublicKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.CharField(max_length=64, unique=True, verbose_name='id of the key')),
                ('x', models.CharField(max_length=64, verbose_name='public key')),
                ('made_at', models.DateTimeField(auto_now_add=True, verbose_name='signs since')),
                ('retired_at', models.DateTimeField(blank=True, null=True, verbose_name='signs until')),
            ],
            options={
                'verbose_name': 'public key of signatures',
                'verbose_name_plural': 'public keys of signatures',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='SelfTest',
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
                ('early', models.JSONField(blank=True, editable=False, null=True)),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('refusal', models.JSONField(blank=True, default=dict, editable=False)),
                ('versions', models.JSONField(blank=True, default=dict, verbose_name='library versions')),
                ('erased_units', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last sign of life')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'self-test',
                'verbose_name_plural': 'self-tests',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.RunPython(make_cache_table, drop_cache_table),
    ]
