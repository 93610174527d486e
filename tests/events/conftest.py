"""A store of one test, and how to read it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir
import pytest
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector
from pytest_django import Settings

from events import erasure
from events.erasure import Change
from events.store import event_table, object_store
from events.store.rewrite import Rewriting, rewrite
from events.warehouse import queries
from events.warehouse.unit_values import Basis


@pytest.fixture
def event_store(tmp_path: Path, settings: Settings) -> Path:
    """The folder of an event store that doesn't exist yet."""
    settings.EVENTS_URL = str(tmp_path / "events")
    return tmp_path / "events"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.engines)])
def any_store(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    """The address of an event store that doesn't exist yet: once a folder, once in S3."""
    settings.EVENTS_URL = request.getfixturevalue("bucket") if request.param == "s3" else str(tmp_path / "events")
    return str(settings.EVENTS_URL)


def asked(sql: str, files: Sequence[str]) -> list[tuple[Any, ...]]:
    """The rows that an SQL question to these files of the store gives; it names them as ``$files``."""
    with duckdb.connect() as connection:
        object_store.attach(event_table.url(), connection.execute)
        return connection.execute(sql, {"files": files}).fetchall()


def files_there() -> list[str]:
    """Every Parquet file below the store's address, whether a commit names it or not."""
    if not object_store.is_remote(event_table.url()):
        return [str(path) for path in Path(event_table.url()).rglob("*.parquet")]
    found = DeltaStorageHandler(event_table.url()).get_file_info_selector(FileSelector("", recursive=True))
    return [file.path for file in found if file.path.endswith(".parquet")]


def wipe_dates(store: Path, wanted: Callable[[date], bool]) -> int:
    """Make the events of these dates unreadable; returns of how many files.

    Their footers stay: an engine opens the first of many files for the names of the columns.
    """
    wiped = 0
    for folder in store.glob("*=[12]???-??-??"):  # the dictionary of users lies below the year 1000
        for file in folder.glob("*.parquet") if wanted(date.fromisoformat(folder.name.partition("=")[2])) else ():
            content = bytearray(file.read_bytes())
            footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
            content[4:footer] = b"\xff" * (footer - 4)
            file.write_bytes(content)
            wiped += 1
    return wiped


def first_exposures(events: ir.Table, experiment: str, basis: Basis) -> ir.Table:
    """Units with the moment and the variant of their first exposure, and the clock that starts there."""
    log = queries.exposure_log(events, experiment, basis)
    met = log.group_by("user_id").aggregate(anchor=log.time.min(), variant=log.variant.argmin(log.time))
    return queries.with_clock(met, basis)


def file_uris() -> list[str]:
    """The Parquet files that make up the table now; empty when there is no table yet."""
    seen = event_table.look("")
    return seen.files() if seen else []


def erased(*users: str) -> int:
    """Take users out of the store; how many events went."""
    return rewrite(Rewriting(Change(*erasure.ids_in_store(users)))).removed


def stored_ids() -> Counter[str]:
    """How often each message id lies in the store."""
    files = file_uris()
    if not files:
        return Counter()
    return Counter(row[0] for row in asked("SELECT message_id FROM read_parquet($files)", files))
