"""PostgreSQL alone: each event is written three times (accepted, taken for a flush, emptied), so that must cost little.

Pages keep room for the emptied rows, which then need no new entry in any index. The second index of message ids, for
LIKE, goes: nothing searches by the beginning of an id alone.
"""

from typing import Any

from django.db import migrations
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


class Migration(migrations.Migration):
    dependencies = [("events", "0005_file_imports")]

    operations = [migrations.RunPython(lighten, restore)]
