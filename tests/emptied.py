"""After a test that commits, what it wrote is deleted, and nothing else.

Django empties all tables, and then lets the signals of a migration fill some again: content types, permissions, what
roles may do, schedules. That takes up to a second for each such test. Here the first one's rows of those tables are
kept; while they are as they were, only the other tables that hold rows are emptied.
"""

from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

Rows = list[tuple[Any, ...]]
_as_migrated: dict[str, dict[str, Rows]] = {}
_django_empties = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def empty(test: TransactionTestCase) -> None:
    """In place of `TransactionTestCase._fixture_teardown`."""
    if test.available_apps is not None or test.serialized_rollback:
        _django_empties(test)
        return
    aliases = test._databases_names(include_mirrors=False)  # type: ignore[attr-defined]
    if all(_emptied(connections[alias]) for alias in aliases):
        return
    _django_empties(test)
    for alias in aliases:
        connection = connections[alias]
        _as_migrated[alias] = {table: rows(connection, table) for table in filled(connection)}


def _emptied(connection: BaseDatabaseWrapper) -> bool:
    """False where a table that migrations fill isn't known or has changed: nothing is deleted then."""
    known = _as_migrated.get(connection.alias)
    if known is None:
        return False
    try:
        with transaction.atomic(connection.alias):  # foreign keys are looked at when it ends
            found = filled(connection)
            if not known.keys() <= found or any(rows(connection, table) != known[table] for table in known):
                return False
            with connection.cursor() as cursor:
                for table in found - known.keys():
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
    except DatabaseError:
        return False
    return True


def filled(connection: BaseDatabaseWrapper) -> set[str]:
    """Tables of models that hold a row, asked in one statement."""
    tables = connection.introspection.django_table_names(include_views=False)
    asked = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})" for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        return {table for (table,) in cursor.fetchall()}


def rows(connection: BaseDatabaseWrapper, table: str) -> Rows:
    """All rows of a table, in one order."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        return sorted(cursor.fetchall(), key=repr)
