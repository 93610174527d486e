"""The import of a file into the store, beside DuckDB's own copy of it from CSV to Parquet."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.events import make_events
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
