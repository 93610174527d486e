"""A PostgreSQL server as somebody's warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.conftest import missing


def address_of(database: dict[str, Any], name: str = "") -> str:
    """Of a database of the server that tests run on, as DATABASE_URL has it.

    Args:
        database: Django's settings of a connection to that server.
        name: another database of it.
    """
    server = f"{database['USER'] or 'postgres'}@{database['HOST'] or '127.0.0.1'}:{database['PORT'] or 5432}"
    return f"postgres://{server}/{name or database['NAME']}"


@contextmanager
def hits_table(settings: Any, columns: str, mapping: str) -> Iterator[psycopg.Connection]:
    """A server with an empty table in a schema of its own; the settings point at it inside the block.

    Args:
        settings: pytest-django's settings.
        columns: the table's columns as SQL.
        mapping: the value of WAREHOUSE_COLUMNS.
    """
    server = settings.DATABASES["default"]
    address = address_of(server if "postgresql" in server["ENGINE"] else dict.fromkeys(server), "postgres")
    try:
        connection = psycopg.connect(address, connect_timeout=2, autocommit=True)
    except psycopg.OperationalError:
        missing(f"PostgreSQL at {address}")
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
