"""A fresh database runs one migration an app; whatever a database ran, its tables are the same ones in the end."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import migrations
from django.db.migrations.loader import MigrationLoader

from tests.clients.server import migrated_file
from tests.conftest import missing
from tests.once import once

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
OURS = {one.label for one in apps.get_app_configs() if Path(one.path).parent == ROOT}
SERVER = "postgres://postgres@127.0.0.1:5432"


def migrated(database: str, *how: str) -> dict[str, Any]:
    """The tables of a database once it is migrated, and what it still doesn't know."""
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "tables.py"), *how],
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """The tables of a database that was empty before."""

    def make(folder: Path) -> None:
        shutil.copyfile(migrated_file(), folder / "site.sqlite3")
        (folder / "tables.json").write_text(json.dumps(migrated(f"sqlite:///{folder / 'site.sqlite3'}")))

    found: dict[str, Any] = json.loads((once("fresh_tables", make) / "tables.json").read_text())
    return found


def test_fresh_database__of_each_app_of_ours__begins_with_one_squash_that_fills_no_old_rows() -> None:
    graph = MigrationLoader(None).graph
    first = {app: graph.nodes[min(key for key in graph.nodes if key[0] == app)] for app in graph_apps(graph)}

    assert first.keys() == {"runs", "events", "segments", "aha", "experiments", "insight_site"}
    for app, migration in first.items():
        later = [key for key in graph.nodes if key[0] == app and key[1] != migration.name]
        squashed = {number for _app, name in migration.replaces for number in [name[:4]]}
        assert not squashed & {name[:4] for _app, name in later}, app  # none of the steps runs beside the squash
        assert not [one for one in migration.operations if isinstance(one, (migrations.RunPython, migrations.RunSQL))]


def graph_apps(graph: Any) -> set[str]:
    return {app for app, _name in graph.nodes if app in OURS}


@pytest.mark.slow
def test_fresh_database__migrated__knows_every_migration(fresh: dict[str, Any]) -> None:
    assert fresh["unapplied"] == []


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v0_3", "v0_4"])
def test_database_of_an_older_version__migrated__has_the_tables_of_a_fresh_one(
    version: str, fresh: dict[str, Any], tmp_path: Path
) -> None:
    with tarfile.open(FIXTURES / version / "site.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")

    found = migrated(f"sqlite:///{tmp_path / 'site.sqlite3'}")

    # Version 0.3 works on this schema too, with a queue of its own: those tables go one release later.
    former = {name for name in found["tables"] if name.startswith("django_q_")}
    assert former == {"v0_3": {"django_q_ormq", "django_q_schedule", "django_q_task"}}.get(version, set())
    kept = {name: table for name, table in found["tables"].items() if name not in former}
    assert {**found, "tables": kept} == fresh


@pytest.mark.slow
def test_database_that_ran_each_step__migrated__has_the_tables_of_a_fresh_one(
    fresh: dict[str, Any], tmp_path: Path
) -> None:
    assert migrated(f"sqlite:///{tmp_path / 'site.sqlite3'}", "step-by-step") == fresh


@pytest.mark.slow
def test_postgresql__fresh_and_step_by_step__have_the_same_tables() -> None:
    with database("fresh") as one, database("steps") as other:
        fresh = migrated(one)

        assert migrated(other, "step-by-step") == fresh
        assert fresh["unapplied"] == []


@contextmanager
def database(name: str) -> Iterator[str]:
    """The address of an empty database of its own, dropped in the end."""
    try:
        connection = psycopg.connect(f"{SERVER}/postgres", connect_timeout=2, autocommit=True)
    except psycopg.OperationalError:
        missing("PostgreSQL on port 5432")
        raise
    own = f"insight_{name}_{connection.info.backend_pid}"
    with connection:
        connection.execute(f"CREATE DATABASE {own}")
        try:
            yield f"{SERVER}/{own}"
        finally:
            connection.execute(f"DROP DATABASE {own} WITH (FORCE)")
