"""Events that wait, and ids that are known, each in a table of its own: a flush deletes rows instead of emptying them.

The old table stays, with all that the release before needs to run on it: its events are moved, its ids are known. On
PostgreSQL a trigger keeps that release from taking an event a second time that today's has taken.
"""

from typing import Any

from django.db import migrations, models

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
    dependencies = [("events", "0006_outbox_writes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("OutboxEvent", "FormerOutboxEvent"),
                migrations.AlterModelTable("FormerOutboxEvent", "events_outboxevent"),
            ]
        ),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.CharField(max_length=140)),
                ("user_id", models.CharField(max_length=256)),
                ("event", models.CharField(max_length=256)),
                ("time", models.DateTimeField()),
                ("properties", models.TextField()),
                ("received_at", models.DateTimeField()),
            ],
            options={"db_table": "events_outbox"},
        ),
        migrations.CreateModel(
            name="MessageId",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("received_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField("Flush", "ranges", models.JSONField(editable=False, null=True)),
        migrations.RunPython(guard, unguard),
    ]
