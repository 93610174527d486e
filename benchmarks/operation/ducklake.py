"""A flush a minute into Delta and into DuckLake: milliseconds a commit, files, bytes, a count of all rows afterwards.

    python -m benchmarks.operation.ducklake --extension FILE [--commits 144] [--rows 500] [--ways delta ducklake]

A day has 1,440 flushes; a tenth of them is made by default, one after the other, and the first and last quarter are
told apart, so that growth with the number of commits shows. DuckLake's extension isn't in the lock: it comes from the
wheel `duckdb-extension-ducklake` of DuckDB's own version, is loaded by its path, and nothing is installed.

* `store`: what a flush does today (`event_table.append`): look up the batch, number users, Delta commit, fsync.
* `delta`: Delta's commit alone, of the same rows into a table parted by date, which is opened for each commit as in a
  flush; `delta_kept`: opened once.
* `ducklake`: the same rows; the catalog is a DuckDB file, attached for each commit; `ducklake_kept`: attached once.
* `ducklake_inlined`: attached once, and rows stay in the catalog.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django
import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from django.conf import settings

from benchmarks.frame import commit as commit_of_main
from benchmarks.frame import options_of
from events.store import event_table

BEGIN = datetime(2026, 8, 1, tzinfo=UTC)
DAY = 1_440
INLINED_ROWS = 100_000
WAYS = ("store", "delta", "delta_kept", "ducklake", "ducklake_kept", "ducklake_inlined")

type Commit = Callable[[pa.Table, int], Any]


def batch(number: int, rows: int) -> pa.Table:
    """The events of one minute: users come back, message ids don't."""
    moment = BEGIN + timedelta(minutes=number)
    return pa.table(
        {
            "user_id": [f"user-{(number * 37 + place) % 20_000}" for place in range(rows)],
            "event": [f"event-{place % 40}" for place in range(rows)],
            "time": pa.array(
                [moment + timedelta(milliseconds=place) for place in range(rows)], pa.timestamp("us", "UTC")
            ),
            "properties": [f'{{"amount": {place}}}' for place in range(rows)],
            "message_id": [f"m-{number}-{place}" for place in range(rows)],
            "received_at": pa.array([moment] * rows, pa.timestamp("us", "UTC")),
        }
    )


def figures(folder: Path, spent: list[float], count: Callable[[], int], wanted: int) -> dict[str, float]:
    """The figures of one way.

    Raises:
        SystemExit: a row is lost or doubled.
    """
    began = time.perf_counter()
    found = count()
    asked = (time.perf_counter() - began) * 1000
    if found != wanted:
        raise SystemExit(f"{folder.name}: {found} rows, not {wanted}")
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    part = max(len(spent) // 4, 1)
    return {
        "ms_median": round(statistics.median(spent), 1),
        "ms_first_quarter": round(statistics.median(spent[:part]), 1),
        "ms_last_quarter": round(statistics.median(spent[-part:]), 1),
        "files": len(sizes),
        "files_a_day": round(len(sizes) * DAY / len(spent)),
        "megabytes": round(sum(sizes) / 1e6, 1),
        "count_ms": round(asked, 1),
    }


def store(folder: Path) -> tuple[Commit, Callable[[], int]]:
    """The product's own commit."""
    settings.EVENTS_URL = str(folder)
    counted = f"SELECT count(*) FROM read_parquet('{folder}/event_date=2026*/*.parquet')"
    return (
        lambda rows, number: event_table.append(rows, app_id="benchmark", version=number),
        lambda: int(duckdb.sql(counted).fetchall()[0][0]),
    )


def delta(folder: Path, *, kept: bool) -> tuple[Commit, Callable[[], int]]:
    """Delta's commit alone; the table is opened for each, or once."""
    handles: list[DeltaTable] = []

    def commit(rows: pa.Table, _number: int) -> None:
        dated = rows.append_column("event_date", rows.column("time").cast(pa.date32()))
        write_deltalake(handles[0] if handles else str(folder), dated, mode="append", partition_by=["event_date"])
        if kept and not handles:
            handles.append(DeltaTable(str(folder)))

    return commit, lambda: int(DeltaTable(str(folder)).to_pyarrow_dataset().count_rows())


def ducklake(folder: Path, extension: str, *, inlined: int, kept: bool) -> tuple[Commit, Callable[[], int]]:
    """DuckLake with its catalog in a DuckDB file beside its data; it is attached for each commit, or once."""
    folder.mkdir()

    def attached() -> duckdb.DuckDBPyConnection:
        house = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        house.execute(f"LOAD '{extension}'")
        options = f"DATA_PATH '{folder}/data', DATA_INLINING_ROW_LIMIT {inlined}"
        house.execute(f"ATTACH 'ducklake:{folder}/catalog.ducklake' AS lake ({options})")
        return house

    first = attached()
    first.register("made", batch(0, 1))
    first.execute("CREATE TABLE lake.events AS SELECT *, CAST(time AS DATE) AS event_date FROM made LIMIT 0")
    first.execute("ALTER TABLE lake.events SET PARTITIONED BY (event_date)")
    if not kept:
        first.close()

    def commit(rows: pa.Table, _number: int) -> None:
        house = first if kept else attached()
        house.register("made", rows)
        house.execute("INSERT INTO lake.events SELECT *, CAST(time AS DATE) FROM made")
        if not kept:
            house.close()

    def count() -> int:
        return int((first if kept else attached()).execute("SELECT count(*) FROM lake.events").fetchall()[0][0])

    return commit, count


def opened(way: str, folder: Path, extension: str) -> tuple[Commit, Callable[[], int]]:
    """An empty table in one way: its commit, and the count of its rows."""
    if way == "store":
        return store(folder)
    if way.startswith("delta"):
        return delta(folder, kept=way == "delta_kept")
    inlined = INLINED_ROWS if way == "ducklake_inlined" else 0
    return ducklake(folder, extension, inlined=inlined, kept=way != "ducklake")


def main() -> None:
    """Measure all ways in turns, so that other work on the machine meets all of them, and print one JSON document."""
    parser = options_of(__doc__, page=False, processes=False, commits=DAY // 10, rows=500)
    parser.add_argument("--extension", required=True, metavar="FILE", help="ducklake.duckdb_extension of the wheel")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="all without it")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    django.setup()
    with tempfile.TemporaryDirectory(prefix="insight-ducklake-") as name:
        root = Path(name)
        ways = {way: opened(way, root / way, options.extension) for way in options.ways}
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(options.commits):
            made = batch(number, options.rows)
            for way, (commit, _count) in ways.items():
                began = time.perf_counter()
                commit(made, number + 1)
                spent[way].append((time.perf_counter() - began) * 1000)
        wanted = options.commits * options.rows
        found = {way: figures(root / way, spent[way], count, wanted) for way, (_commit, count) in ways.items()}
    print(json.dumps({"commit_of_main": commit_of_main(), "rows": options.rows, **found}, indent=1))


if __name__ == "__main__":
    main()
