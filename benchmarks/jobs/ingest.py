"""Events over HTTP into PostgreSQL, beside a bare COPY of the same rows into the same tables."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.harness.clock import timed
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.harness.site import postgres_url

MODULE = "benchmarks.doors.ingest"  # sends, counts and copies; it runs alone as well


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A served site; the rows that its door makes of a first load are those that COPY brings."""
    import psycopg

    ingest, events = import_module(MODULE), options["events"]
    os.environ["DATABASE_URL"] = postgres_url()
    with ingest.served("") as (site, key), psycopg.connect(site.database_url, autocommit=True) as database:
        waiting: list[bytes] = []

        def fill(turn: int) -> None:
            ingest.empty(database)
            steps = range(0, events, ingest.BATCH)
            waiting[:] = [ingest.batch(turn, at, min(at + ingest.BATCH, events)) for at in steps]

        def ours(_turn: int) -> Figures:
            before = ingest.processor(site, database)
            seconds = ingest.post_all(site.port, key, waiting)
            spent = {name: after - before[name] for name, after in ingest.processor(site, database).items()}
            return {"events/s": events / seconds, **{f"{name} µs": s / events * 1e6 for name, s in spent.items()}}

        fill(-1)
        ours(-1)
        lines, ids = ingest.copied_out(database)
        rows = (b"".join(lines), b"".join(ids))

        def theirs(_turn: int) -> Figures:
            return {"events/s": events / timed(lambda: ingest.copy_in(database, [rows]))["s"]}

        yield Side("Insight, /v1/batch", ours, fill), Side("COPY", theirs, lambda _turn: ingest.empty(database))


JOBS: tuple[Job, ...] = (
    Job(
        "ingest",
        "ingest over HTTP, batches of 100",
        """Events as Segment's Python library sends them, over 8 connections from one process on the same two cores,
        each batch answered after its rows are committed; with the processor time of web workers and database for
        each event. COPY brings the same rows, and
        the digests of their ids, into the same two tables in one transaction.""",
        "bare COPY",
        {"tiny": {"events": 400, "rounds": 2}, "quick": {"events": 30_000}, "full": {"events": 100_000, "rounds": 7}},
        opened,
        (Aim("events/s", at_least=0.5), Aim("events/s", at_least=30_000, ratio=False)),
    ),
)
if not find_spec(MODULE):
    JOBS = ()
