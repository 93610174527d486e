"""A backup of a large site while events come in, and its restore: seconds, size, and whether both are equal.

    python -m benchmarks.operation.backup [--events 10000000] [--rate 2000] [--database postgres://…,postgres://…]

The store gets its events by an import, the database as many known message ids, as a week of these events would leave.
Then one process accepts events at the rate through the code of the ingest door, another flushes and compacts, while
`manage.py backup` runs; `manage.py restore` fills an empty site (SQLite unless --database names a second one after a
comma). Equal means: the store's version of the backup and of the restored site have the same rows; what the sender knew
as accepted before is there, each once and without a gap; every other table has the same rows in both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, options_of

SKIPPED = {"events_flush", "events_outbox", "events_messageid", "events_arrivals", "insight_site_writeprobe"}

MAKE = """
import sys, duckdb
from pathlib import Path
from django.core.management import call_command
from django.db import connection
count, folder = int(sys.argv[1]), Path(sys.argv[2])
call_command("migrate", verbosity=0)
file = str(folder / "made.parquet")
with duckdb.connect() as made:
    made.execute(f'''COPY (SELECT 'user-' || (hash(i) % {max(count // 50, 1)}) AS u, 'event-' || (i % 40) AS e,
        TIMESTAMP '2026-08-01' + to_microseconds(CAST(hash(i + 7) % 7776000000000 AS BIGINT)) AS t,
        (i * 7919 % 1000) AS amount, 'id-' || i AS m FROM range({count}) r(i)) TO '{file}' (FORMAT parquet)''')
call_command("import_events", file, "--user", "u", "--event", "e", "--time", "t", "--properties", "amount",
             "--message-id", "m")
Path(file).unlink()
with connection.cursor() as cursor:
    if connection.vendor == "postgresql":
        cursor.execute("INSERT INTO events_messageid SELECT key, now() FROM (SELECT gen_random_uuid() AS key "
                       "FROM generate_series(1, %s)) AS made ORDER BY key", [count])
    else:
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("INSERT INTO events_messageid SELECT key, datetime('now') FROM (SELECT lower(hex("
                       "randomblob(16))) AS key FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                       "WHERE i < %s) SELECT i FROM n)) ORDER BY key", [count])
"""
INGEST = """
import sys, time
from django.utils import timezone
from events.models import Source
from events.outbox.accept import accept_events
source, sent, rate, began = Source.objects.get_or_create(name="app")[0], 0, float(sys.argv[1]), time.monotonic()
while True:
    time.sleep(max(0, began + sent / rate - time.monotonic()))
    events = [dict(type="track", event="e", userId=f"u{n % 997}", messageId=str(n)) for n in range(sent, sent + 100)]
    asked = time.monotonic()
    accept_events(source_id=source.pk, key_kind="server", events=events, received_at=timezone.now())
    sent += 100
    print(sent, round(time.monotonic() - asked, 4), time.time(), flush=True)
"""
FLUSH = """
import time
from events.store import event_table as store
from events.outbox import flush
while True:
    flush.flush_events(); store.compact(); time.sleep(5)
"""
LOOK = """
import json, sys, duckdb
from deltalake import DeltaTable
from django.conf import settings
from django.db import connection
from events.store import event_table as store
from insight_site.operate.backup_database import applied_migrations, snapshot, tables_at
version = int(sys.argv[1])
handle = DeltaTable(store.url(), version=version)
files = [uri for uri in handle.file_uris() if "event_date=0001-01-01" not in uri]
with duckdb.connect() as house:
    sql = ("SELECT count(*), sum(hash(user_id, event, time, properties, message_id, received_at)) "
           "FROM read_parquet($f, union_by_name = true)")
    rows = house.execute(sql, {"f": files}).fetchone()
    sql = ("SELECT count(*), count(DISTINCT message_id), max(CAST(split_part(message_id, ':', 3) AS BIGINT)) "
           "FROM read_parquet($f) WHERE message_id LIKE '1:s:%'")
    now = [uri for uri in DeltaTable(store.url()).file_uris() if "event_date=0001-01-01" not in uri]
    sent = house.execute(sql, {"f": now}).fetchone()
found = {}
import hashlib
with snapshot() as at:
    for table in tables_at(applied_migrations()):
        if table.name not in json.loads(sys.argv[2]):
            digest = hashlib.sha256()
            for piece, _ in at.pieces(table):
                digest.update(piece)
            found[table.name] = digest.hexdigest()
print(json.dumps({"rows": [rows[0], str(rows[1])], "sent": sent, "tables": found}))
"""


def environment(folder: Path, database: str) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    own = {"EVENTS_URL": "events", "UPLOADS_DIR": "uploads", "EXPLORE_DIR": "explore"}
    return {
        **os.environ,
        **{name: str(folder / place) for name, place in own.items()},
        "DATABASE_URL": database or f"sqlite:///{folder / 'site.sqlite3'}",
        "SECRET_KEY": "a-key-of-the-benchmark-that-is-long-enough-0123456789",
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "LOG_LEVEL": "ERROR",
    }


def python(code: str, own: dict[str, str], *arguments: str) -> list[str]:
    return [sys.executable, "-c", f"import django; django.setup()\n{code}", *arguments]


def run(command: list[str], own: dict[str, str]) -> str:
    return subprocess.run(command, cwd=ROOT, env=own, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(command: list[str], own: dict[str, str]) -> tuple[dict[str, Any], float, int]:
    """Output, seconds and the most memory (MB) of a command that ends with JSON."""
    timed = ["/usr/bin/env", "python3", "-c", TIMED, *command]
    began = time.monotonic()
    out = run(timed, own)
    return json.loads(out.splitlines()[0]), time.monotonic() - began, int(out.splitlines()[-1])


TIMED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False, events=10_000_000, rate=2_000.0)
    parser.add_argument("--database", default=",", help="addresses of two empty databases with a comma between them")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="insight-bench-") as place:
        print(json.dumps(compare(Path(place), options), indent=1))


def compare(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    source, target = options.database.split(",")
    own, other = environment(place / "site", source), environment(place / "copy", target)
    run(python(MAKE, own, str(options.events), str(place)), own)
    manage = [sys.executable, "manage.py"]
    log = (place / "sent").open("w+")
    busy = [
        subprocess.Popen(python(INGEST, own, str(options.rate)), cwd=ROOT, env=own, stdout=log),
        subprocess.Popen(python(FLUSH, own), cwd=ROOT, env=own),
    ]
    try:
        time.sleep(20)
        began = time.time()
        made, seconds, memory = measured([*manage, "backup", str(place / "site.tar"), "--json"], own)
        ended = time.time()
        time.sleep(5)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    version = str(made["store_version"])
    before = json.loads(run(python(LOOK, own, version, json.dumps([*SKIPPED])), own))
    _, restore_seconds, restore_memory = measured([*manage, "restore", str(place / "site.tar"), "--json"], other)
    restored = json.loads(run(python(LOOK, other, version, json.dumps([*SKIPPED])), other))
    run([*manage, "flush_events"], other)
    after = json.loads(run(python(LOOK, other, version, json.dumps([*SKIPPED])), other))
    lines = [tuple(map(float, line.split())) for line in (place / "sent").read_text().splitlines()[:-1]]
    known = max((int(sent) for sent, _, at in lines if at < began), default=0)
    during = [line for line in lines if began <= line[2] <= ended]
    count, distinct, last = after["sent"]
    return {
        "backup": {"seconds": round(seconds, 1), "megabytes": round(made["bytes"] / 1e6), "memory_mb": memory},
        "rows": made["rows"],
        "events": made["events"],
        "ingest": {
            "a_second_during": round((during[-1][0] - during[0][0]) / (during[-1][2] - during[0][2])),
            "slowest_batch_before": max(line[1] for line in lines if line[2] < began),
            "slowest_batch_during": max(line[1] for line in during),
        },
        "restore": {"seconds": round(restore_seconds, 1), "memory_mb": restore_memory},
        "equal": {
            "store": restored["rows"] == before["rows"],
            "tables": restored["tables"] == before["tables"],
            "accepted_before": known,
            "restored_of_the_sender": count,
            "each_once_without_gap": count == distinct == (last or -1) + 1 and count >= known,
        },
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
