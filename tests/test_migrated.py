"""The database that test runs copy follows the code, and says nothing of the day on which it was made."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from runs.models import Schedule
from tests import migrated


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with an app of one migration."""
    for name in ("requirements.txt", "app/migrations/__init__.py", "app/migrations/0001.py", "app/roles.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(migrated, "ROOT", tmp_path)
    monkeypatch.setattr(migrated, "FOLDER", tmp_path / "var" / "migrated")
    monkeypatch.setattr(migrated, "_migrate", lambda url: made_at(url.removeprefix("sqlite:///")))
    return tmp_path


def made_at(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as own:
        own.execute("CREATE TABLE runs_schedule (name text)")
        own.execute("INSERT INTO runs_schedule DEFAULT VALUES")


@pytest.mark.parametrize(
    "name", ["requirements.txt", *(f"app/{name}.py" for name in ("migrations/0001", "new", "roles"))]
)
def test_file__of_other_code__is_another(checkout: Path, name: str) -> None:
    before = migrated.file()
    assert migrated.file() == before

    (checkout / name).write_text("new")

    assert migrated.file() != before


def test_file__whose_migration_failed__is_not_kept(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str) -> Any:
        made_at(url.removeprefix("sqlite:///"))
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(migrated, "_migrate", fail)
        with pytest.raises(RuntimeError):
            migrated.file()

    with closing(sqlite3.connect(migrated.file())) as own:
        assert own.execute("SELECT count(*) FROM runs_schedule").fetchone() == (0,)


@pytest.mark.django_db
def test_schedules__of_the_copied_database__count_from_this_run() -> None:
    due = {row.next_run - row.period for row in Schedule.objects.filter(every=Schedule.Every.MINUTES)}

    assert len(due) > 3
    assert min(due) > timezone.now() - timedelta(hours=2)
