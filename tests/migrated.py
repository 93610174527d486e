"""Databases of a new site and of older ones, migrated once and copied: each time takes many seconds of a core.

The SQLite file of a new site stays in `var`, named by a digest of what decides about its rows: the code of every app
with migrations, and the locked packages. Older sites, and templates of PostgreSQL, last as long as a test run. Whoever
copies may migrate the copy: nothing is left to do but what Django does after each migration.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.once import once

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / f"migrated-{os.getuid()}"  # `make test-deploy` is root's
TEMPLATE = "template.url"
DAY = 86_400


def file() -> Path:
    """The SQLite database; only for copies."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / f"{_digest()}.sqlite3"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _make(kept)
    return kept


def older_site(version: str) -> Path:
    """The folder of an older version's site (`v0_3` or `v0_4`), whose database today's code has migrated; for copies.

    To migrate it takes twenty seconds of a core.
    """

    def make(folder: Path) -> None:
        with tarfile.open(ROOT / "tests" / "fixtures" / version / "site.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        own = {"EVENTS_URL": str(folder / "events"), "SECRET_KEY": f"fixture-of-{version[1:].replace('_', '.')}"}
        _migrate(f"sqlite:///{folder / 'site.sqlite3'}", **own)
        assert not (folder / "site.sqlite3-wal").exists(), "a copy of the file alone would lack what is in its log"

    return once(f"older-{version}", make)


def template(server: str, name: str = "", migrate: Callable[[str], object] | None = None) -> str:
    """The name of the template on the PostgreSQL server of this address, for the rest of the test run.

    Args:
        server: an address of a database there.
        name: of another template than that of today's tables.
        migrate: makes the tables of that one in an empty database of this address.
    """

    def make(folder: Path) -> None:
        url = urlunsplit(urlsplit(server)._replace(path=f"/insight_template_{uuid.uuid4().hex[:12]}"))
        (folder / TEMPLATE).write_text(url)
        administer(url, "CREATE DATABASE {}", _name(url))
        try:
            (migrate or _migrate)(url)
        except BaseException:
            administer(url, "DROP DATABASE {} WITH (FORCE)", _name(url))
            raise

    where = hashlib.sha256(server.encode()).hexdigest()[:12]
    return _name((once(f"template-{name}{where}", make) / TEMPLATE).read_text())


def drop_templates(shared: Path) -> None:
    """At the end of the test run that has this folder."""
    for url in [path.read_text() for path in shared.glob(f"made-once/template-*/{TEMPLATE}")]:
        administer(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", _name(url))


@contextmanager
def copied_by_django() -> Iterator[None]:
    """Inside, the database that Django makes for tests begins as a copy. What its migrations add is added to it."""
    from django.conf import settings
    from django.db.backends.sqlite3.creation import DatabaseCreation

    database = settings.DATABASES["default"]
    make_file = DatabaseCreation._create_test_db  # type: ignore[attr-defined]

    def copy_file(creation: DatabaseCreation, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = str(make_file(creation, verbosity, autoclobber, keepdb))
        if not keepdb and not creation.is_in_memory_db(name):
            shutil.copyfile(file(), name)
        return name

    with pytest.MonkeyPatch.context() as patch:
        if "postgresql" in database["ENGINE"]:
            patch.setitem(database["TEST"], "TEMPLATE", template(os.environ["DATABASE_URL"]))
        else:
            patch.setattr(DatabaseCreation, "_create_test_db", copy_file)
        yield


def administer(url: str, statement: str, *names: str) -> None:
    """A statement about databases of that server, sent from its own `postgres`."""
    address = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _make(kept: Path) -> None:
    """Without the schedules: when each is due is counted from the migration, which may have been yesterday."""
    unfinished = kept.with_suffix(".unfinished")
    for path in FOLDER.glob("*.unfinished*"):
        path.unlink()
    for path in FOLDER.glob("*.sqlite3"):
        if path.stat().st_mtime < time.time() - DAY:  # another run may just copy a younger one
            path.unlink()
    _migrate(f"sqlite:///{unfinished}")
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as own:
        own.execute("DELETE FROM runs_schedule")
    assert not Path(f"{unfinished}-wal").exists(), "a copy of the file alone would lack what is in its log"
    unfinished.rename(kept)


def _migrate(url: str, **more: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url, **more}, check=True)


def _digest() -> str:
    apps = [path.parent.parent for path in ROOT.glob("*/migrations/__init__.py")]
    found = hashlib.sha256(sys.version.encode())
    for path in sorted([ROOT / "requirements.txt", *(path for app in apps for path in app.rglob("*.py"))]):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
