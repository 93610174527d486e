"""An app has one step for each version before; whatever a database ran, its tables are the same ones in the end."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from tests import migrated as migrated_once
from tests.clients.server import migrated_file
from tests.conftest import missing
from tests.insight_site.backup.conftest import Site, backup_of_0_3
from tests.insight_site.upgrade import release_before
from tests.migrated import older_site
from tests.once import once

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
OURS = {one.label for one in apps.get_app_configs() if Path(one.path).parent == ROOT}
SERVER = "postgres://postgres@127.0.0.1:5432"


def migrated(database: str) -> dict[str, Any]:
    """The tables of a database once it is migrated, and what it still doesn't know."""
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "tables.py")],
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


def unpacked(version: str, folder: Path) -> Path:
    """The database of a version's site."""
    with tarfile.open(FIXTURES / version / "site.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "site.sqlite3"


@pytest.mark.parametrize(
    ("version", "steps"), [("v0_3", ("version_0_3",)), ("v0_4", ("version_0_3", "version_0_4"))], ids=["0.3", "0.4"]
)
def test_step_of_a_version__replaces_what_its_databases_ran_and_no_such_file_is_left(
    version: str, steps: tuple[str, ...], tmp_path: Path
) -> None:
    loader = MigrationLoader(None)
    with closing(sqlite3.connect(unpacked(version, tmp_path))) as own:
        ran = {row for row in own.execute("SELECT app, name FROM django_migrations") if row[0] in OURS}

    replaced = {node for key, one in loader.replacements.items() if key[1].endswith(steps) for node in one.replaces}
    assert replaced == ran
    assert not replaced & loader.disk_migrations.keys()


@pytest.mark.slow
def test_fresh_database__migrated__knows_every_migration(fresh: dict[str, Any]) -> None:
    assert fresh["unapplied"] == []


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v0_3", "v0_4"])
def test_database_of_an_older_version__migrated__has_the_tables_of_a_fresh_one(
    version: str, fresh: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copyfile(older_site(version) / "site.sqlite3", tmp_path / "site.sqlite3")

    found = migrated(f"sqlite:///{tmp_path / 'site.sqlite3'}")

    # Version 0.3 works on this schema too, with a queue of its own: those tables go one release later.
    former = {name for name in found["tables"] if name.startswith("django_q_")}
    assert former == {"v0_3": {"django_q_ormq", "django_q_schedule", "django_q_task"}}.get(version, set())
    kept = {name: table for name, table in found["tables"].items() if name not in former}
    assert {**found, "tables": kept} == fresh


@pytest.mark.slow
def test_postgresql__of_0_3_with_its_rows_and_of_0_4_by_its_own_code__have_the_tables_of_a_fresh_one(
    tmp_path: Path,
) -> None:
    backup, _ = backup_of_0_3()  # never migrated
    with database("fresh", today) as one, database("of_0_3") as restored, database("of_0_4", before) as other:
        fresh = migrated(one)
        Site(tmp_path / "new", {"DATABASE_URL": restored}).good("restore", backup)

        assert migrated(restored) == fresh
        assert migrated(other) == fresh
        assert fresh["unapplied"] == []


def today() -> str:
    """The template of a database with today's tables."""
    return migrated_once.template(SERVER)


def before() -> str:
    """The template of one whose tables the code of the release before has made."""

    def migrate(url: str) -> None:
        command = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(command, cwd=release_before.tree(), env=os.environ | {"DATABASE_URL": url}, check=True)

    return migrated_once.template(SERVER, "before-", migrate)


@contextmanager
def database(name: str, template: Callable[[], str] = lambda: "template1") -> Iterator[str]:
    """The address of a database of its own, empty unless it begins as a template; dropped in the end."""
    try:
        connection = psycopg.connect(f"{SERVER}/postgres", connect_timeout=2, autocommit=True)
    except psycopg.OperationalError:
        missing("PostgreSQL on port 5432")
        raise
    own = f"insight_{name}_{connection.info.backend_pid}"
    with connection:
        connection.execute(f"CREATE DATABASE {own} TEMPLATE {template()}")
        try:
            yield f"{SERVER}/{own}"
        finally:
            connection.execute(f"DROP DATABASE {own} WITH (FORCE)")
