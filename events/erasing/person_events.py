"""A person's events, read out of the store for an export."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from events import store
from events.delta import dictionary
from events.delta.rewrite import rows_of
from events.delta.snapshot import snapshot
from events.erasing import same_person
from events.outbox import flush

COLUMNS = ["user_id", "event", "time", "properties", "message_id", "received_at"]


def rows_of_person(ids: Collection[str]) -> Iterator[dict[str, Any]]:
    """Every event of these ids, and their entries in the dictionary of users, in no order."""
    flush.flush_events()
    if not store.exists():
        return
    names = pa.array(sorted(same_person.ids_of(ids)[0]), pa.string())
    for path in snapshot().paths():
        for rows in rows_of(path):
            theirs = rows.filter(pc.is_in(rows.column("user_id"), value_set=names))
            for row in theirs.select([*COLUMNS, dictionary.COLUMN]).to_pylist():
                yield _readable(row)


def count(ids: Collection[str]) -> int:
    """How many events of these ids the store has."""
    names = pa.array(sorted(ids), pa.string())
    paths = [path for path in snapshot().paths() if not dictionary.is_dictionary(path)] if store.exists() else []
    return sum(
        int(pc.sum(pc.is_in(rows.column("user_id"), value_set=names)).as_py() or 0)
        for path in paths
        for rows in rows_of(path)
    )


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    said = row["properties"]
    try:
        properties = json.loads(said) if said else {}
    except ValueError:
        properties = said
    times = {name: row[name].isoformat() for name in ("time", "received_at")}
    return {**row, **times, "properties": properties}
