"""The import of a file into the store, beside DuckDB's own copy of it from CSV to Parquet."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.clock import timed
from benchmarks.harness.django_store import own_django
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both read the same file; each import begins with no store."""
    with own_django() as folder:
        import duckdb

        from events.importing import import_file
        from events.importing.options import ImportOptions

        csv = folder / "events.csv"
        make_events(csv, options["events"], 60, 1)
        columns = ImportOptions(user="user", time="time", event="event", properties=("level", "platform"))
        copy = f"COPY (SELECT * FROM read_csv('{csv}')) TO '{folder / 'copy.parquet'}' (FORMAT parquet)"

        def speed(job: Any) -> Figures:
            figures = timed(job)
            return {"rows/s": options["events"] / figures["s"], **figures}

        yield (
            Side(
                "import",
                lambda _turn: speed(lambda: import_file.import_files([csv], columns)),
                lambda _turn: shutil.rmtree(folder / "store", ignore_errors=True),
            ),
            Side("copy", lambda _turn: speed(lambda: duckdb.connect().execute(copy))),
        )


def make_events(path: Path, events: int, days: int, seed: int) -> None:
    """A log like a game's: a signup per user, then events that thin out with the user's age; 1 user per 28 events."""
    import duckdb

    users = max(1, events // 28)
    duckdb.connect().execute(
        f"""COPY (SELECT uuid_of AS "user", event,
                strftime(moment, '%Y-%m-%dT%H:%M:%S.%fZ') AS time, level, platform FROM (
            SELECT md5(concat('{seed}', i % {users})) AS uuid_of,
                CASE WHEN i < {users} THEN 'signup' ELSE concat('event_', hash(i + {seed}) % 60) END AS event,
                TIMESTAMP '2026-01-01' + to_microseconds(CAST(
                    CAST(hash(i % {users}, {seed}) % 86400000 AS BIGINT) * {days} * 500
                    + CASE WHEN i < {users} THEN 0 ELSE
                        pow((hash(i, {seed} + 1) % 1000000) / 1e6, 4) * {days} * 86400e6 END AS BIGINT)) AS moment,
                hash(i, 3) % 100 AS level,
                ['ios', 'android', 'web'][1 + CAST(hash(i % {users}) % 3 AS BIGINT)] AS platform
            FROM range({events}) AS r(i))) TO '{path}' (FORMAT csv, HEADER)"""
    )


JOBS = (
    Job(
        "import",
        "import of a CSV file",
        """A log with five columns, two of them properties, into an empty store: moments and users checked, message
        ids made, rows parted by date and looked through for repeats, one commit. The copy reads the columns as they
        are and writes one file.""",
        "DuckDB's CSV to Parquet",
        {"tiny": {"events": 20_000, "rounds": 2}, "quick": {"events": 500_000}, "full": {"events": 5_000_000}},
        opened,
        (Aim("rows/s", at_least=0.5),),
    ),
)
