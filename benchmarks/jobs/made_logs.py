"""Logs made by a seed, as the store's own files."""

import os
import subprocess
import sys
from pathlib import Path

EVENTS_PER_USER, BEHAVIOURS, SIGNUP_DAYS = 50, 50, 56
DAYS, TIMES, RETENTION = (1, 3, 7), 20, "window:14-20"
GROUPS, KINDS = 3, 30


def even_store(folder: Path, users: int) -> None:
    """50 kinds of events, all as frequent and each as good as another; `part.parquet` holds a tenth of the users."""
    _make(folder, users, f"concat('event_', hash(i) % {BEHAVIOURS})")


def grouped_store(folder: Path, users: int) -> None:
    """30 kinds of events; users of three groups, who take seven of ten events from ten kinds of their own."""
    own = f"(hash(i % {users}, 5) % {GROUPS}) * {KINDS // GROUPS} + hash(i) % {KINDS // GROUPS}"
    _make(folder, users, f"concat('event_', CASE WHEN hash(i, 3) % 10 < 7 THEN {own} ELSE hash(i) % {KINDS} END)")


def _make(folder: Path, users: int, kind: str) -> None:
    """In a process of its own, so that its memory is gone afterwards."""
    if not (folder / "store" / "_delta_log").exists():
        quiet = os.environ | {"RUST_LOG": "error"}  # deltalake warns of each column it keeps no bounds of
        subprocess.run([sys.executable, __file__, str(folder), str(users), kind], env=quiet, check=True)


def write_store(folder: Path, users: int, kind: str) -> None:
    """Users who sign up over eight weeks and thin out with age."""
    import duckdb
    import pyarrow as pa
    from deltalake import Schema, convert_to_deltalake

    sql = f"""SELECT md5(concat('u', i % {users})) AS user_id,
        CASE WHEN i < {users} THEN 'signup' ELSE {kind} END AS event,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(CAST(
            (hash(i % {users}, 1) % 86400000)::BIGINT * {SIGNUP_DAYS} * 1000
            + CASE WHEN i < {users} THEN 0 ELSE pow((hash(i, 2) % 1000000) / 1e6, 3) * 34 * 86400e6 END AS BIGINT))
            AS time,
        '{{}}' AS properties, CAST(i AS VARCHAR) AS message_id, TIMESTAMPTZ '2026-04-15 00:00:00+00' AS received_at,
        i % {users} < {max(1, users // 10)} AS part
        FROM range({users * EVENTS_PER_USER}) r(i)"""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute(
        f"""COPY (SELECT * EXCLUDE (part), time::DATE AS event_date FROM ({sql})) TO '{folder / "store"}'
            (FORMAT parquet, PARTITION_BY (event_date), WRITE_PARTITION_COLUMNS false)"""
    )
    convert_to_deltalake(
        str(folder / "store"),
        partition_by=Schema.from_arrow(pa.schema([("event_date", pa.date32())])),
        partition_strategy="hive",
    )
    engine.execute(f"COPY (SELECT user_id, event, time FROM ({sql}) WHERE part) TO '{folder / 'part.parquet'}'")


if __name__ == "__main__":
    write_store(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
