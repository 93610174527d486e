"""Faults of the event store: each refused, nothing lost; poison events beside good ones."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.audit.frame.figure import Figure

TITLE = "Faults of the event store, poison events, and taken message ids"
TEXT = """
Each scenario runs in a database (SQLite, migrated) and a store (Delta Lake) of its own. *Refused* means that flush,
upkeep, import and the question of an analysis, which flushes first, refuse with one sentence; *kept* counts the events
that still wait in the outbox; *in the store* is counted after the repair and the next flush. The poison run sends one
event a minute with U+2028, U+2029 or U+0085 in its user id or name, beside 10,000 good events a minute for ten minutes,
and one row of each minute is damaged by hand so that nobody can read it; a flush follows each minute. Version 0.3
moved at most 5,000 events a minute of these, and none behind the damaged row.
"""
ROOT = Path(__file__).resolve().parents[2]


def figures(size: float) -> list[Figure]:
    """All scenarios; `size` is the share of the 100,000 good events."""
    with tempfile.TemporaryDirectory(prefix="insight-audit-") as folder:
        return [
            *(_fault(Path(folder), name) for name in FAULTS),
            _poison(_run(Path(folder), "poison", str(max(1_000, round(10_000 * size))))),
            _purchase(_run(Path(folder), "purchase")),
        ]


FAULTS = {
    "missing": "The store's volume isn't mounted: no _delta_log",
    "older": "The store is older than its database",
    "empty": "The last commit of the store is empty",
    "stranger": "A new database on the store of another",
    "copy": "A copy of the database on the same store: it takes the number of a sealed batch",
    "moved": "A copy of the database at another path on the same store",
}


def _run(folder: Path, scenario: str, *more: str) -> dict[str, Any]:
    place = folder / scenario
    place.mkdir()
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{place}/insight.sqlite3",
        "EVENTS_URL": f"{place}/events",
        "VAR_DIR": str(place),
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "WAREHOUSE_URL": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit.worlds.store_world", scenario, str(place), *more],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    answer: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return answer


def _fault(folder: Path, name: str) -> Figure:
    seen = _run(folder, name)
    stored = f"{seen['stored']} of {seen['sent']} in the store, each once" if seen["once"] else "doubled"
    return Figure(
        FAULTS[name],
        "refused, nothing written, nothing lost, each event once after the repair",
        f"{seen['refused']} of {seen['doors']} doors refused, the store's probe {seen['probe']}; {seen['waiting']} of "
        f"{seen['sent_late']} events kept, {seen['written']} files written meanwhile; {stored}",
        seen["refused"] == seen["doors"]
        and seen["probe"] == 503
        and seen["waiting"] == seen["sent_late"]
        and not seen["written"]
        and seen["once"]
        and seen["stored"] == seen["sent"],
    )


def _poison(seen: dict[str, Any]) -> Figure:
    return Figure(
        f"{seen['good']:,} good events in {seen['minutes']} minutes, one poison event and one damaged row each minute",
        "all good ones in the store after each minute's flush",
        f"{seen['stored_good']:,} good and {seen['stored_poison']} poison events in the store, {seen['waiting']} "
        f"waiting, {seen['rejected']} damaged rows among the rejected; longest flush {seen['slowest']:.1f} s",
        seen["stored_good"] == seen["good"]
        and seen["stored_poison"] == seen["minutes"]
        and not seen["waiting"]
        and seen["rejected"] == seen["minutes"],
    )


def _purchase(seen: dict[str, Any]) -> Figure:
    return Figure(
        "A server's purchase after its id was sent with a public key of the same source",
        "accepted and in the store; its repeat is a duplicate",
        f"{seen['accepted']} accepted, {seen['repeats']} duplicate, {seen['stored']} in the store",
        (seen["accepted"], seen["repeats"], seen["stored"]) == (1, 1, 1),
    )
