"""From version 0.3 to 0.4.

Events that wait, and ids that are known, are each in a table of their own since: a flush deletes rows and empties none.
The table of 0.3 stays, with all that version 0.3 needs to run on it.
"""

from typing import Any

import django.db.models.deletion
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


TABLE = "events_outboxevent"
LIKE = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s AND indexname LIKE %s"


def lighten(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Fewer index entries a row."""
    if editor.connection.vendor != "postgresql":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute(LIKE, [TABLE, r"events\_outboxevent\_message\_id\_%\_like"])
        names = [row[0] for row in cursor.fetchall()]
    for name in names:
        editor.execute(f"DROP INDEX {editor.quote_name(name)}")
    editor.execute(f"ALTER TABLE {TABLE} SET (fillfactor = 60)")


def restore(apps: Any, editor: Any) -> None:
    """As Django makes it."""
    if editor.connection.vendor != "postgresql":
        return
    editor.execute(f"ALTER TABLE {TABLE} RESET (fillfactor)")
    model = apps.get_model("events", "OutboxEvent")
    statement = editor._create_like_index_sql(model, model._meta.get_field("message_id"))
    if statement:
        editor.execute(statement)


FUNCTION = """
    CREATE FUNCTION events_known_to_the_next_release() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM events_messageid WHERE key =
            encode(substring(sha256(convert_to(NEW.message_id, 'UTF8')) FOR 16), 'hex')::uuid) THEN
            RETURN NULL;
        END IF;
        RETURN NEW;
    END $$
"""
TRIGGER = """
    CREATE TRIGGER known_to_the_next_release BEFORE INSERT ON events_outboxevent
    FOR EACH ROW EXECUTE FUNCTION events_known_to_the_next_release()
"""


def guard(apps: Any, editor: Any) -> None:
    """The old door skips an id of the new one."""
    if editor.connection.vendor == "postgresql":
        editor.execute(FUNCTION)
        editor.execute(TRIGGER)


def unguard(apps: Any, editor: Any) -> None:
    """Without it."""
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP TRIGGER known_to_the_next_release ON events_outboxevent")
        editor.execute("DROP FUNCTION events_known_to_the_next_release()")


class Migration(migrations.Migration):

    replaces = [
        ('events', '0003_rejected_source_store'),
        ('events', '0004_catalogue'),
        ('events', '0005_file_imports'),
        ('events', '0006_outbox_writes'),
        ('events', '0007_outbox_in_two'),
        ('events', '0008_early_parts'),
        ('events', '0009_quarantine_index'),
        ('events', '0010_erased_users'),
        ('events', '0011_erased_units'),
        ('events', '0012_retention'),
        ('events', '0013_metric_catalogue'),
        ('events', '0013_tags'),
        ('events', '0014_identity'),
        ('events', '0015_kept_versions'),
        ('events', '0001_squashed_0003_rejected_source_store'),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('events', '0001_version_0_3'),
    ]

    operations = [
        migrations.RunPython(lighten, restore),
        migrations.AlterField(
            model_name='rejected',
            name='source',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='events.source', verbose_name='source'),
        ),
        migrations.CreateModel(
            name='CatalogueSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('made_at', models.DateTimeField(null=True)),
                ('seconds', models.FloatField(default=0.0)),
                ('store_version', models.CharField(blank=True, max_length=100)),
                ('payload', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Arrivals',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.PositiveBigIntegerField()),
                ('began', models.DateTimeField()),
                ('events', models.PositiveIntegerField(default=0)),
                ('late', models.PositiveIntegerField(default=0)),
                ('last', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('source', 'began'), name='one_count_of_ten_minutes')],
            },
        ),
        migrations.CreateModel(
            name='EventLabel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(max_length=256, verbose_name='event')),
                ('property', models.CharField(blank=True, default='', max_length=256, verbose_name='property')),
                ('name_en', models.CharField(blank=True, default='', max_length=80, verbose_name='display name, English')),
                ('name_ko', models.CharField(blank=True, default='', max_length=80, verbose_name='display name, Korean')),
                ('description_en', models.CharField(blank=True, default='', max_length=500, verbose_name='description, English')),
                ('description_ko', models.CharField(blank=True, default='', max_length=500, verbose_name='description, Korean')),
                ('hidden', models.BooleanField(default=False, verbose_name='hidden from lists')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'event label',
                'verbose_name_plural': 'event labels',
                'ordering': ['event', 'property'],
                'constraints': [models.UniqueConstraint(fields=('event', 'property'), name='one_label_of_a_name')],
            },
        ),
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='key')),
                ('name', models.CharField(max_length=120, verbose_name='file')),
                ('size', models.PositiveBigIntegerField(verbose_name='bytes')),
                ('stored_as', models.CharField(blank=True, max_length=20)),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True, verbose_name='created')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='sent by')),
            ],
            options={
                'verbose_name': 'uploaded file',
                'verbose_name_plural': 'uploaded files',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='FileImport',
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
                ('refusal', models.JSONField(blank=True, default=dict, editable=False)),
                ('versions', models.JSONField(blank=True, default=dict, verbose_name='library versions')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last sign of life')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('name', models.CharField(max_length=120, verbose_name='file')),
                ('digest', models.CharField(blank=True, db_index=True, max_length=64)),
                ('imported', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='new events')),
                ('refused_rows', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='refused rows')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('upload', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='imports', to='events.upload')),
            ],
            options={
                'verbose_name': 'import of a file',
                'verbose_name_plural': 'imports of files',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel(
                    old_name='OutboxEvent',
                    new_name='FormerOutboxEvent',
                ),
                migrations.AlterModelTable(
                    name='FormerOutboxEvent',
                    table='events_outboxevent',
                ),
            ],
        ),
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=140)),
                ('user_id', models.CharField(max_length=256)),
                ('event', models.CharField(max_length=256)),
                ('time', models.DateTimeField()),
                ('properties', models.TextField()),
                ('received_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'events_outbox',
            },
        ),
        migrations.CreateModel(
            name='MessageId',
            fields=[
                ('key', models.UUIDField(primary_key=True, serialize=False)),
                ('received_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='Flush',
            name='ranges',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='fileimport',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='rejected',
            index=models.Index(fields=['source', 'received_at'], name='quarantine_of_an_hour'),
        ),
        migrations.CreateModel(
            name='ErasedUser',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(unique=True)),
                ('until', models.DateTimeField(db_index=True)),
                ('late', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='fileimport',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.AddField(
            model_name='source',
            name='retention_days',
            field=models.PositiveIntegerField(blank=True, help_text="Older ones are deleted each night, but for those that a plan needs. Empty: as the site's setting.", null=True, verbose_name='days to keep events'),
        ),
        migrations.CreateModel(
            name='HistoricalMetric',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('key', models.CharField(db_index=True, max_length=64, verbose_name='key')),
                ('name_en', models.CharField(max_length=80, verbose_name='name, English')),
                ('name_ko', models.CharField(blank=True, max_length=80, verbose_name='name, Korean')),
                ('description', models.CharField(blank=True, max_length=1000, verbose_name='description')),
                ('owner', models.CharField(blank=True, max_length=150, verbose_name='owner')),
                ('tags', models.CharField(blank=True, max_length=900, verbose_name='tags')),
                ('unit', models.CharField(blank=True, max_length=40, verbose_name='unit')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('certified', 'certified'), ('deprecated', 'deprecated')], default='draft', max_length=10, verbose_name='status')),
                ('version', models.PositiveIntegerField(default=0, verbose_name='version')),
                ('created_at', models.DateTimeField(blank=True, editable=False, verbose_name='created')),
                ('updated_at', models.DateTimeField(blank=True, editable=False, verbose_name='updated')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical metric',
                'verbose_name_plural': 'historical metrics',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Metric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True, verbose_name='key')),
                ('name_en', models.CharField(max_length=80, verbose_name='name, English')),
                ('name_ko', models.CharField(blank=True, max_length=80, verbose_name='name, Korean')),
                ('description', models.CharField(blank=True, max_length=1000, verbose_name='description')),
                ('owner', models.CharField(blank=True, max_length=150, verbose_name='owner')),
                ('tags', models.CharField(blank=True, max_length=900, verbose_name='tags')),
                ('unit', models.CharField(blank=True, max_length=40, verbose_name='unit')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('certified', 'certified'), ('deprecated', 'deprecated')], default='draft', max_length=10, verbose_name='status')),
                ('version', models.PositiveIntegerField(default=0, verbose_name='version')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'metric',
                'verbose_name_plural': 'metrics',
                'ordering': ['key'],
            },
        ),
        migrations.CreateModel(
            name='MetricVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='version')),
                ('definition', models.TextField(verbose_name='definition')),
                ('cap', models.CharField(blank=True, max_length=40, verbose_name='cap')),
                ('direction', models.CharField(choices=[('higher', 'higher is better'), ('lower', 'lower is better')], default='higher', max_length=6, verbose_name='which way is better')),
                ('margin', models.FloatField(blank=True, null=True, verbose_name='margin as a guardrail')),
                ('hash', models.CharField(max_length=64, verbose_name='hash')),
                ('why', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('certified_at', models.DateTimeField(blank=True, null=True, verbose_name='certified')),
                ('certified_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='certified by')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('metric', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='events.metric', verbose_name='metric')),
            ],
            options={
                'verbose_name': 'version of a metric',
                'verbose_name_plural': 'versions of metrics',
                'ordering': ['metric', '-number'],
                'constraints': [models.UniqueConstraint(fields=('metric', 'number'), name='one_version_of_a_metric')],
            },
        ),
        migrations.CreateModel(
            name='MetricCheck',
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
                ('alarms', models.PositiveIntegerField(blank=True, null=True, verbose_name='false alarms')),
                ('splits', models.PositiveIntegerField(blank=True, null=True, verbose_name='splits')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('version', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='checks', to='events.metricversion')),
            ],
            options={
                'verbose_name': 'check of a metric',
                'verbose_name_plural': 'checks of metrics',
                'ordering': ['-created_at'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True, verbose_name='name')),
            ],
            options={
                'verbose_name': 'tag',
                'verbose_name_plural': 'tags',
                'ordering': ['name'],
            },
        ),
        migrations.AddField(
            model_name='source',
            name='trusts_logins',
            field=models.BooleanField(db_default=False, default=False, help_text='A client key lies in every page, so anybody can say with it that a visitor is some user. Leave it off where a server key reports logins, or where an experiment decides about much.', verbose_name='believe logins that client keys report'),
        ),
        migrations.AddField(
            model_name='unittraits',
            name='is_user',
            field=models.BooleanField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name='IdLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('visitor', models.CharField(max_length=256, verbose_name='visitor')),
                ('user', models.CharField(db_index=True, max_length=256, verbose_name='user')),
                ('at', models.DateTimeField(verbose_name='logged in')),
                ('received_at', models.DateTimeField(verbose_name='received')),
                ('is_alias', models.BooleanField(default=False, verbose_name='by an alias')),
                ('by_server', models.BooleanField(default=False, verbose_name='said by a server key')),
                ('believed', models.BooleanField(default=False)),
                ('knew_visitor', models.BooleanField(default=False)),
                ('source', models.PositiveBigIntegerField(null=True)),
                ('state', models.CharField(choices=[('holds', 'joined'), ('second_user', 'the visitor belongs to the user who logged in first'), ('known_user', 'both are users'), ('cycle', 'they are one person already'), ('too_many', 'the person has too many ids'), ('public_key', 'said by a client key alone')], max_length=12, verbose_name='state')),
                ('in_store', models.BooleanField(default=True)),
            ],
            options={
                'verbose_name': 'joined id',
                'verbose_name_plural': 'joined ids',
                'indexes': [models.Index(condition=models.Q(('in_store', False)), fields=['id'], name='links_for_the_store'), models.Index(fields=['state', 'received_at'], name='links_by_state')],
                'constraints': [models.UniqueConstraint(fields=('visitor', 'user'), name='one_link_of_two_ids'), models.UniqueConstraint(condition=models.Q(('state', 'holds')), fields=('visitor',), name='one_user_of_a_visitor')],
            },
        ),
        migrations.CreateModel(
            name='KeptVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveBigIntegerField(verbose_name='version')),
                ('files', models.JSONField(verbose_name='files')),
                ('gone', models.CharField(blank=True, choices=[('retention', 'the retention period is over'), ('erasure', 'users were erased'), ('other_store', 'the event store is another one')], max_length=12, verbose_name='why its files are kept no more')),
                ('made_at', models.DateTimeField(auto_now_add=True, verbose_name='made')),
                ('gone_at', models.DateTimeField(blank=True, null=True, verbose_name='kept until')),
            ],
            options={
                'verbose_name': 'kept version of the event store',
                'verbose_name_plural': 'kept versions of the event store',
                'indexes': [models.Index(condition=models.Q(('gone', '')), fields=['id'], name='events_kept_versions')],
            },
        ),
        migrations.RunPython(guard, unguard),
    ]
