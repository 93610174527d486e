"""Apache Iceberg tables as the warehouse: PyIceberg says which Parquet files a snapshot has, DuckDB reads them.

The address is ``iceberg://NAME`` with properties of the catalog behind a question mark, such as
``iceberg://lake?type=sql&uri=sqlite:////lake/catalog.db``; what it leaves out PyIceberg reads from its own
configuration (``.pyiceberg.yaml``, ``PYICEBERG_CATALOG__LAKE__URI``). Columns are found by their field ids, so that a
renamed one is the same in old files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from events.store import object_store
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

SCHEME = "iceberg"
MEMBERS = 200  # most parts of a table that a question may leave out one by one
NAME_MAPPING = "schema.name-mapping.default"
KINDS = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "uuid": "UUID",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SnapshotGone(Refused):
    """A snapshot can't be read any more: it has expired, or the warehouse is another one."""


@dataclass(frozen=True)
class TableSnapshots:
    """The snapshots that were read.

    Attributes:
        of: table = id of its snapshot as text; "" for a table without one, which has no rows.
    """

    of: Mapping[str, str]


class Lake:
    """An Iceberg catalog; `open_table` makes views of its tables in an embedded engine.

    Attributes:
        folders: local folders with the files of the tables that were opened.
    """

    def __init__(self, address: str, backend: Any, at: TableSnapshots | None) -> None:
        self._catalog, self._backend, self._at = _catalog(address), backend, at
        self._read: dict[str, str] = {}
        self.folders: tuple[str, ...] = ()

    @property
    def snapshots(self) -> TableSnapshots:
        """Those of the tables that were opened."""
        return TableSnapshots(dict(self._read))

    def open_table(self, name: str) -> ir.Table:
        """The table of a name, at the wanted snapshot or its newest.

        Raises:
            SnapshotGone: the wanted snapshot isn't there.
            Refused: the table can't be read by its Parquet files alone.
        """
        table = self._catalog.load_table(name)
        snapshot = self._wanted(name, table)
        columns = {field.field_id: (field.name, _kind(field.field_type)) for field in table.schema().fields}
        columns = {at: (column, kind) for at, (column, kind) in columns.items() if kind}
        tasks = [] if snapshot is None else list(table.scan(snapshot_id=snapshot).plan_files())
        self._read[name] = "" if snapshot is None else str(snapshot)
        if not tasks:
            empty = ", ".join(f"NULL::{kind} AS {_identifier(column)}" for column, kind in columns.values())
            return self._view(f"SELECT {empty} WHERE false")
        _refuse_what_cant_be_read(name, table, tasks)
        object_store.attach(_path(table.location()), self._backend.raw_sql)
        files = [task.file for task in tasks]
        if not object_store.is_remote(_path(table.location())):
            self.folders += (os.path.commonpath([os.path.dirname(_path(file.file_path)) for file in files]),)
        return self._view(" UNION ALL ".join(_members(table, files, columns)))

    def _wanted(self, name: str, table: Any) -> int | None:
        if self._at is None:
            newest = table.current_snapshot()
            return None if newest is None else int(newest.snapshot_id)
        wanted = self._at.of.get(name)
        if wanted is None or (wanted and table.snapshot_by_id(int(wanted)) is None):
            raise SnapshotGone("The snapshot of the table {table} that was read is not there any more.", table=name)
        return int(wanted) if wanted else None

    def _view(self, sql: str) -> ir.Table:
        name = f"insight_{uuid4().hex}"
        self._backend.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")
        found: ir.Table = self._backend.table(name)
        return found


def _catalog(address: str) -> Any:
    try:
        from pyiceberg.catalog import load_catalog
    except ImportError as error:
        raise Refused(
            "Iceberg needs more packages: pip install --require-hashes -r requirements-iceberg.txt."
        ) from error
    parts = urlsplit(address)
    return load_catalog(parts.netloc or None, **dict(parse_qsl(parts.query)))


def _kind(field_type: Any) -> str:
    """DuckDB's type; "" for lists, structs and maps, which no column of a log has."""
    text = str(field_type)
    return text.upper() if text.startswith("decimal") else KINDS.get(text, "")


def _refuse_what_cant_be_read(name: str, table: Any, tasks: Sequence[Any]) -> None:
    """Rows would be wrong without a word: deleted ones would count, and columns without field ids would be missing."""
    if any(task.delete_files for task in tasks):
        raise Refused(
            "The Iceberg table {table} has deletes beside its files: rewrite its files (compaction) before it is read.",
            table=name,
        )
    if any(str(task.file.file_format).upper().rpartition(".")[2] != "PARQUET" for task in tasks):
        raise Refused("The Iceberg table {table} has files that are not Parquet.", table=name)
    if NAME_MAPPING in table.properties:
        raise Refused(
            "The Iceberg table {table} has files that were written without Iceberg: rewrite its files before it is "
            "read.",
            table=name,
        )


def _members(table: Any, files: Sequence[Any], columns: Mapping[int, tuple[str, str]]) -> list[str]:
    """Parts of the table in the order of time, each with the bounds that its files' statistics give.

    The bounds are true of every row, so that they change nothing; from them the engine sees which parts a question
    needs, and opens no file of the others.
    """
    timed = [field for field in table.schema().fields if str(field.field_type) in ("date", "timestamp", "timestamptz")]
    parted = {field.source_id for spec in table.specs().values() for field in spec.fields}
    timed.sort(key=lambda field: field.field_id not in parted)
    bounds = {file.file_path: {f.field_id: _bounds(f, file) for f in timed} for file in files}

    def begin(file: Any) -> tuple[Any, ...]:
        first = bounds[file.file_path][timed[0].field_id] if timed else None
        return (first is not None, *(first or ()), file.file_path)

    ordered = sorted(files, key=begin)
    size = -(-len(ordered) // MEMBERS)
    schema = ", ".join(
        f"{at}: {{name: {_literal(column)}, type: {_literal(kind)}, default_value: NULL}}"
        for at, (column, kind) in columns.items()
    )
    members = []
    for at in range(0, len(ordered), size):
        group = ordered[at : at + size]
        paths = ", ".join(_literal(_path(file.file_path)) for file in group)
        true = [
            f"{_identifier(field.name)} BETWEEN {_constant(field, min(low for low, _ in known))} "
            f"AND {_constant(field, max(high for _, high in known))}"
            for field in timed
            if len(known := [b for file in group if (b := bounds[file.file_path][field.field_id])]) == len(group)
        ]
        where = f" WHERE {' AND '.join(true)}" if true else ""
        reading = f"read_parquet([{paths}], schema = MAP {{{schema}}}, hive_partitioning = false)"
        members.append(f"SELECT * FROM {reading}{where}")
    return members


def _bounds(field: Any, file: Any) -> tuple[int, int] | None:
    """The smallest and largest value of a column in a file, as days or microseconds; None where a value is missing."""
    from pyiceberg.conversions import from_bytes

    at = field.field_id
    low, high = (file.lower_bounds or {}).get(at), (file.upper_bounds or {}).get(at)
    if low is None or high is None or (file.null_value_counts or {}).get(at) != 0:
        return None
    return int(from_bytes(field.field_type, low)), int(from_bytes(field.field_type, high))


def _constant(field: Any, value: int) -> str:
    kind = str(field.field_type)
    if kind == "date":
        return f"DATE '{date(1970, 1, 1) + timedelta(days=value)}'"
    moment = EPOCH + timedelta(microseconds=value)
    return f"TIMESTAMPTZ '{moment}'" if kind == "timestamptz" else f"TIMESTAMP '{moment.replace(tzinfo=None)}'"


def _path(address: str) -> str:
    """Where DuckDB finds a file: a path of this machine, or an address of S3."""
    if address.startswith("s3a://"):
        return "s3://" + address.removeprefix("s3a://")
    return unquote(urlsplit(address).path) if address.startswith("file:") else address


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
