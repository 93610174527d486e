"""The first members of a version, written without a record of Django's for each: there may be millions."""

from collections.abc import Iterable
from itertools import batched

from django.db import connection, transaction

from segments.models import Membership

BATCH = 20_000
COLUMNS = ("version_id", "unit", "segment_id", "place")


def write_members(version: int, rows: Iterable[tuple[str, int | None, str]]) -> None:
    """Write the members of a version that has none; one transaction a batch, so that ingest can write in between.

    Args:
        version: its pk.
        rows: unit, the segment's pk or None, place; each unit once.
    """
    quote = connection.ops.quote_name
    table, columns = quote(Membership._meta.db_table), ", ".join(map(quote, COLUMNS))
    for batch in batched(rows, BATCH):
        whole = [(version, *row) for row in batch]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                asked = cursor.copy(f"COPY {table} ({columns}) FROM STDIN")
                with connection.wrap_database_errors, asked as copy:
                    for one in whole:
                        copy.write_row(one)
            else:
                marks = ", ".join(["%s"] * len(COLUMNS))
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", whole)  # noqa: S608 - our own names
