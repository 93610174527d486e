"""A store of one test, and how to read it."""

from collections import Counter
from pathlib import Path

import duckdb
import ibis.expr.types as ir
import pytest
from pytest_django import Settings

from events import store
from events.counting import queries
from events.counting.unit_values import Basis


@pytest.fixture
def event_store(tmp_path: Path, settings: Settings) -> Path:
    """The folder of an event store that doesn't exist yet."""
    settings.EVENTS_URL = str(tmp_path / "events")
    return tmp_path / "events"


def first_exposures(events: ir.Table, experiment: str, basis: Basis) -> ir.Table:
    """Units with the moment and the variant of their first exposure, and the clock that starts there."""
    log = queries.exposure_log(events, experiment, basis)
    met = log.group_by("user_id").aggregate(anchor=log.time.min(), variant=log.variant.argmin(log.time))
    return queries.with_clock(met, basis)


def file_uris() -> list[str]:
    """The Parquet files that make up the table now; empty when there is no table yet."""
    seen = store.look("")
    return seen.files() if seen else []


def stored_ids() -> Counter[str]:
    """How often each message id lies in the store."""
    files = file_uris()
    if not files:
        return Counter()
    rows = duckdb.sql("SELECT message_id FROM read_parquet($files)", params={"files": files}).fetchall()
    return Counter(row[0] for row in rows)
