"""What the log of a backup's store may name: files that are in the backup, and nothing else of the machine."""

import io
import json
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from insight_site.operate.backup_files import ArchiveWriter
from insight_site.operate.verify_backup import verify
from runs.refusals import Refused

HERE = "event_date=2026-11-01/part-0.parquet"


def part(rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(rows), out)
    return out.getvalue()


def made(*actions: dict[str, dict[str, str]], checkpoint: bool = False) -> io.BytesIO:
    """A backup whose digests are right, and whose log says this."""
    log = ("00000000000000000000.json", "\n".join(json.dumps(action) for action in actions).encode())
    if checkpoint:
        columns = {name: [action.get(name) for action in actions] for name in ("add", "remove", "txn")}
        kept = {name: rows for name, rows in columns.items() if any(rows)}
        log = ("00000000000000000000.checkpoint.parquet", part(kept))
    out = io.BytesIO()
    writer = ArchiveWriter(out, {"insight": "9.9.9", "format": 1})
    for name, data in {f"store/_delta_log/{log[0]}": log[1], f"store/{HERE}": part({"event": ["a", "b"]})}.items():
        writer.add(name, io.BytesIO(data), len(data))
    writer.close({"store": {"events": 2}})
    return io.BytesIO(out.getvalue())


def add(path: str) -> dict[str, dict[str, str]]:
    return {"add": {"path": path}}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_log__of_files_that_are_there_or_were_removed__is_whole(checkpoint: bool) -> None:
    gone = "event_date=2026-11-01/part-1.parquet"
    actions = (add(HERE.replace("=", "%3D")), add(gone), {"remove": {"path": gone}}, {"txn": {"appId": "flush"}})

    assert verify(made(*actions, checkpoint=checkpoint))["store"]["events"] == 2


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "../../outside/secret.parquet",
        "event_date=2026-11-01/../../../secret.parquet",
        "%2E%2E/%2E%2E/outside/secret.parquet",
        "/etc/secret.parquet",
        "file:///etc/secret.parquet",
        "s3://elsewhere/secret.parquet",
    ],
)
def test_log__that_leads_out_of_the_store__is_refused(path: str, removed: bool, checkpoint: bool) -> None:
    """A restore would read events from there; digests made anew hide nothing of it."""
    actions = (add(HERE), add(path), *([{"remove": {"path": path}}] if removed else []))

    with pytest.raises(Refused, match="names a file that isn't in it"):
        verify(made(*actions, checkpoint=checkpoint))


def test_log__of_a_file_that_is_missing__is_refused() -> None:
    with pytest.raises(Refused, match=r"names a file that isn't in it: store/event_date=2026-11-02/p\.parquet"):
        verify(made(add(HERE), add("event_date=2026-11-02/p.parquet")))


@pytest.mark.parametrize("line", ["{", '{"add": 7}', '"add"', "[1]"])
def test_log__that_is_none__is_refused(line: str) -> None:
    out = io.BytesIO()
    writer = ArchiveWriter(out, {"insight": "9.9.9", "format": 1})
    writer.add("store/_delta_log/00000000000000000000.json", io.BytesIO(line.encode()), len(line))
    writer.close({"store": {"events": 0}})

    with pytest.raises(Refused, match="can't be read"):
        verify(io.BytesIO(out.getvalue()))
