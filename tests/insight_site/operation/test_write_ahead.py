"""SQLite's log becomes short again, whatever a reader has let it grow to."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from insight_site.operate import component_health

pytestmark = [pytest.mark.once]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A database of its own in the place of the site's, with the site's settings."""
    here = connections["default"]
    if here.vendor != "sqlite":
        pytest.skip("about SQLite")
    own = here.copy()
    own.settings_dict = {**here.settings_dict, "NAME": str(tmp_path / "site.sqlite3")}
    monkeypatch.setattr(component_health, "connection", own)
    yield own
    own.close()


def grow(database: Any) -> None:
    with database.cursor() as cursor, closing(sqlite3.connect(database.settings_dict["NAME"])) as reader:
        cursor.execute("CREATE TABLE much (text)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM much").fetchall()
        for _ in range(2):
            cursor.execute("INSERT INTO much VALUES (randomblob(90000000))")


@pytest.mark.django_db
def test_log__that_a_long_reader_has_let_grow__is_cut_at_night(database: Any) -> None:
    grow(database)
    assert (component_health.write_ahead_log_size() or 0) > 100_000_000

    assert component_health.shorten_write_ahead_log() == 0
    assert component_health.write_ahead_log_size() == 0


@pytest.mark.django_db
def test_log__after_its_reader_has_gone__is_cut_by_the_next_writers(database: Any) -> None:
    """The night isn't waited for: what is begun anew keeps no more than the limit."""
    grow(database)
    with database.cursor() as cursor:
        for _ in range(3):
            cursor.execute("INSERT INTO much VALUES (1)")

    assert (component_health.write_ahead_log_size() or 0) <= 64 * 1024 * 1024
