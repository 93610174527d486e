"""The flush of the outbox into the store on PostgreSQL, beside a bare append of the same rows to a Delta table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.harness.site import bench_site

FLUSH = """
import json, time
from datetime import UTC, datetime
from django.db import transaction
from events.outbox import accept, flush
from events.schema import read_batch
now = datetime(2026, 11, 1, tzinfo=UTC)
for start in range(0, ROWS, 2_500):
    batch = [{"type": "track", "userId": f"u{n % 997}", "event": f"event_{n % 60}", "messageId": f"TURN-{n}",
              "timestamp": f"2026-10-{1 + n % 28:02}T12:00:00Z", "properties": {"level": n % 100}}
             for n in range(start, min(start + 2_500, ROWS))]
    records, rejected = read_batch(batch, received_at=now)
    assert not rejected
    with transaction.atomic():
        accept.add_to_outbox(records, prefix="bench", received_at=now)
begun, spent = time.perf_counter(), time.process_time()
moved = flush.flush_events()
print(json.dumps([moved, time.perf_counter() - begun, time.process_time() - spent]))
"""
BARE = """
import json, time
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa
from deltalake import write_deltalake
now = datetime(2026, 11, 1, tzinfo=UTC)
rows = [{"user_id": f"u{n % 997}", "event": f"event_{n % 60}", "time": datetime(2026, 10, 1 + n % 28, 12, tzinfo=UTC),
         "properties": json.dumps({"level": n % 100}), "message_id": f"bench:TURN-{n}", "received_at": now,
         "event_date": datetime(2026, 10, 1 + n % 28).date()} for n in range(ROWS)]
begun, spent = time.perf_counter(), time.process_time()
write_deltalake(FOLDER, pa.Table.from_pylist(rows), mode="append", partition_by=["event_date"])
print(json.dumps([len(rows), time.perf_counter() - begun, time.process_time() - spent]))
"""


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Each round fills the outbox through the door's own insert, unmeasured, and flushes it."""
    with bench_site() as site:

        def run(code: str, turn: int) -> Figures:
            filled = code.replace("ROWS", str(options["rows"])).replace("TURN", str(turn))
            moved, seconds, spent = site.run(filled.replace("FOLDER", repr(str(site.folder / "bare"))))
            if moved != options["rows"]:
                raise SystemExit(f"{moved:,} of {options['rows']:,} rows moved")
            return {"rows/s": moved / seconds, "s": seconds, "processor s": spent}

        yield Side("flush", lambda turn: run(FLUSH, turn)), Side("bare append", lambda turn: run(BARE, turn))


JOBS = (
    Job(
        "flush",
        "flush of the outbox",
        """Accepted events of 28 dates move from PostgreSQL into the store, exactly once: sealed as a batch, looked
        through for repeated ids, written by date, committed, deleted. The bare append has the rows in memory
        already and writes them with deltalake.""",
        "deltalake's append",
        {"tiny": {"rows": 500, "rounds": 2}, "quick": {"rows": 20_000, "rounds": 3}, "full": {"rows": 200_000}},
        opened,
        (Aim("rows/s", at_least=150_000, ratio=False),),
    ),
)
