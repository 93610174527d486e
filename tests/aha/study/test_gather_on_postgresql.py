"""What a study brings into PostgreSQL and asks there: 20,000 users in seconds, and DuckDB's answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from django.test import override_settings
from ibis.backends.postgres import Backend

from aha.study.gather import gather
from aha.study.population import Restriction
from aha.study.question import Inputs
from events.warehouse.session import questions
from tests.engines.everything import answers
from tests.engines.same import assert_same_cells
from tests.postgres import hits_table

USERS, SECONDS = 20_000, 60
COLUMNS = "user_id text, event text, time timestamptz, properties text"
INPUTS = Inputs("signup", (1, 3, 7), "window:21-27", ("play", "add"), max_times=3)
pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def log() -> pa.Table:
    """Each user signs up in January; what they do then lies anywhere in the 40 days after it."""
    rng = np.random.default_rng(5)
    signup = rng.integers(0, 20 * 86_400, USERS)
    plays, adds = rng.integers(0, USERS, 3 * USERS), rng.integers(0, USERS, USERS)
    users = np.concatenate([np.arange(USERS), plays, adds])
    later = np.concatenate([np.zeros(USERS), rng.exponential(10 * 86_400, 4 * USERS).clip(1, 40 * 86_400)])
    start = np.datetime64("2026-01-01", "s")
    return pa.table(
        {
            "user_id": [f"user-{number:027d}" for number in users],
            "event": np.repeat(["signup", "play", "add"], [USERS, plays.size, adds.size]),
            "time": pa.array(start + signup[users] + later.astype(np.int64), pa.timestamp("s")),
            "properties": ["{}"] * users.size,
        }
    )


@contextmanager
def seconds_of_bringing() -> Iterator[list[float]]:
    """How long each table of users took to get into PostgreSQL, with its number of rows."""
    taken, bring = [], Backend._register_in_memory_table

    def timed(self: Any, op: Any) -> None:
        began = time.monotonic()
        bring(self, op)
        taken.append(time.monotonic() - began)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backend, "_register_in_memory_table", timed)
        yield taken


def asked() -> tuple[list[Any], Any]:
    with answers() as heard, questions() as house:
        found = gather(house, INPUTS, Restriction(), seed=1)
    return heard, found


def test_postgresql__study_of_20_000_users__brings_them_in_seconds_and_asks_the_same(
    settings: Any, tmp_path: Path
) -> None:
    events = log()
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE hits AS FROM events")
    there = {"WAREHOUSE_URL": f"duckdb://{tmp_path / 'other.duckdb'}", "WAREHOUSE_TABLE": "hits"}
    with override_settings(**there, WAREHOUSE_COLUMNS=""):
        right, known = asked()

    with hits_table(settings, COLUMNS, "") as connection:
        rows = "\n".join(map("\t".join, zip(*(map(str, column.to_pylist()) for column in events.columns), strict=True)))
        connection.execute("SET TIME ZONE 'UTC'")
        with connection.cursor().copy(f"COPY {settings.WAREHOUSE_TABLE} FROM STDIN") as copy:
            copy.write(rows)
        with seconds_of_bringing() as taken:
            heard, found = asked()

    assert found.unit_ids.size == known.unit_ids.size == USERS
    assert len(taken) >= 2  # all users, and those of the daily trials
    assert sum(taken) < SECONDS
    assert len(heard) == len(right) > 8
    for place, (ours, theirs) in enumerate(zip(heard, right, strict=True)):
        assert_same_cells(ours, theirs, f"question {place}")
