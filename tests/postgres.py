"""A PostgreSQL server as somebody's warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.conftest import missing


@contextmanager
def hits_table(settings: Any, columns: str, mapping: str) -> Iterator[psycopg.Connection]:
    """A server with an empty table in a schema of its own; the settings point at it inside the block.

    Args:
        settings: pytest-django's settings.
        columns: the table's columns as SQL.
        mapping: the value of WAREHOUSE_COLUMNS.
    """
    host = str(settings.DATABASES["default"].get("HOST") or "127.0.0.1")
    address = f"postgres://postgres@{host}:5432/postgres"
    try:
        connection = psycopg.connect(address, connect_timeout=2, autocommit=True)
    except psycopg.OperationalError:
        missing("PostgreSQL on port 5432")
        raise
    schema = f"insight_test_{connection.info.backend_pid}"
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = address, f"{schema}.hits"
    settings.WAREHOUSE_COLUMNS = mapping
    with connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            connection.execute(f"CREATE TABLE {schema}.hits ({columns})")
            yield connection
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
