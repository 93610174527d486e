"""Sites in folders of their own, driven by the commands that an operator has, each in a process of its own."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from tests.clients.server import migrated_file
from tests.insight_site.backup.kept_tables import today_kept
from tests.once import once

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests" / "fixtures" / "v0_3" / "site.tar.xz"
PROGRAMS = "tests.insight_site.backup"
SECRET = "a-secret-key-that-only-these-tests-know-0123456789"
OTHER_SECRET = "another-secret-key-that-is-long-enough-to-be-one"
SOURCES = 3_000  # so many that their rows make the database of a used site larger than an empty one


@dataclass
class Site:
    """One site: database, event store and uploads in a folder, unless the environment says otherwise."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "EVENTS_URL": str(self.folder / "events"),
            "UPLOADS_DIR": str(self.folder / "uploads"),
            "EXPLORE_DIR": str(self.folder / "explore"),
            "SECRET_KEY": SECRET,
            "DATABASE_SYNCHRONOUS": "NORMAL",
            "LOG_LEVEL": "ERROR",
        }
        return os.environ | own | self.more

    @property
    def database(self) -> Path:
        return self.folder / "site.sqlite3"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`manage.py` with these arguments, on its way."""
        if arguments[0] == "restore":
            return self._open([sys.executable, "-m", f"{PROGRAMS}.kept_tables", kept_tables_folder(), *arguments])
        return self._open([sys.executable, "manage.py", *arguments])

    def start_python(self, code: str) -> subprocess.Popen[str]:
        """A program in this site, on its way."""
        return self._open([sys.executable, "-c", f"import django; django.setup()\n{code}"])

    def _open(self, command: list[str]) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        own = self.environment | {"DJANGO_SETTINGS_MODULE": "insight_site.settings"}
        return subprocess.Popen(command, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """`manage.py` with these arguments: exit status, output, errors."""
        return ended(self.start(*arguments))

    def good(self, *arguments: str) -> dict[str, Any]:
        """The JSON that a command ends with."""
        status, out, errors = self.run(*arguments, "--json")
        assert status == 0, errors[-3000:]
        found: dict[str, Any] = json.loads(out)
        return found

    def refused(self, *arguments: str) -> str:
        """The one sentence of a command that refuses."""
        status, _, errors = self.run(*arguments)
        assert status == 2, errors[-3000:]
        assert errors.count("\n") == 1, errors
        return errors.removeprefix("CommandError: ").strip()

    def python(self, code: str) -> str:
        """What a program in this site prints."""
        status, out, errors = ended(self.start_python(code))
        assert status == 0, errors[-3000:]
        return out.strip()

    def each(self, *steps: list[str]) -> list[Any]:
        """What each of several commands says, all in one process: see `one_process`."""
        program = [sys.executable, "-m", f"{PROGRAMS}.one_process", kept_tables_folder(), json.dumps(steps)]
        status, out, errors = ended(self._open(program))
        assert status == 0, errors[-3000:]
        found: list[Any] = json.loads(out)
        return found

    def accept(self, *ids: str) -> None:
        """Accept an event of each id, as a server's key would send it."""
        self.each(["accept", *ids])

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with sqlite3.connect(self.database) as own:
            names = [name for (name,) in own.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(own.execute(f"SELECT {columns(own, name)} FROM {name}"), key=repr) for name in names}

    def stored(self, what: str) -> list[tuple[Any, ...]]:
        """Columns of SQL about all events of the store."""
        table = DeltaTable(str(self.folder / "events"))
        files = [str(uri) for uri in table.file_uris() if "event_date=0001-01-01" not in str(uri)]
        sql = f"SELECT {what} FROM read_parquet($files, union_by_name = true) AS row"
        return duckdb.execute(sql, {"files": files}).fetchall()

    def all_stored(self) -> tuple[int, int, int]:
        """Number of events in the store, and two sums over all that each says: its user's number too."""
        ((count, *sums),) = self.stored(
            "count(*), sum(hash(to_json(row)::VARCHAR)), sum(hash('again' || to_json(row)::VARCHAR))"
        )
        return count, int(sums[0]), int(sums[1])

    def message_ids(self) -> Counter[str]:
        """How often each message id is in the store."""
        return Counter(name for (name,) in self.stored("message_id"))

    def everything(self) -> list[str]:
        """Names of all files."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def kept_tables_folder() -> str:
    return str(once("kept_tables", lambda folder: today_kept(folder, migrated_file())))


def columns(database: sqlite3.Connection, table: str) -> str:
    """In one order: a table that was altered has them in another one."""
    return ", ".join(sorted(f'"{row[1]}"' for row in database.execute(f"PRAGMA table_info({table})")))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


def fresh(folder: Path, migrated: Path) -> Site:
    folder.mkdir()
    site = Site(folder)
    shutil.copyfile(migrated, site.database)
    return site


@pytest.fixture(scope="session")
def _migrated() -> Path:
    return migrated_file()


@pytest.fixture
def site(_migrated: Path, tmp_path: Path) -> Site:
    """A site that nobody has used."""
    return fresh(tmp_path / "site", _migrated)


@pytest.fixture
def other(tmp_path: Path) -> Site:
    """A site without a database."""
    return Site(tmp_path / "other")


@dataclass(frozen=True)
class Used:
    """A small site with a past, its backup, and what came out of that; made once, changed by nobody.

    Two events, a and b, are in its store, and c and d wait. Two of its sources, the last ones, were deleted.
    """

    folder: Path

    @property
    def backup(self) -> str:
        return str(self.folder / "site.tar")

    @property
    def restored(self) -> dict[str, Any]:
        """What the restore said."""
        said: dict[str, Any] = json.loads((self.folder / "restored.json").read_text())
        return said

    def make(self, migrated: Path) -> None:
        site = fresh(self.folder / "site", migrated)
        waiting = [["accept", "a", "b"], ["flush_events"], ["accept", "c", "d"]]
        site.each(*waiting, ["sources", str(SOURCES)], ["backup", self.backup])
        said = Site(self.folder / "other", {"SECRET_KEY": OTHER_SECRET}).good("restore", self.backup)
        (self.folder / "restored.json").write_text(json.dumps(said))


@pytest.fixture(scope="session")
def used(_migrated: Path) -> Used:
    return Used(once("used", lambda folder: Used(folder).make(_migrated)))


@pytest.fixture
def used_site(used: Used, tmp_path: Path) -> Site:
    """The small site with a past."""
    shutil.copytree(used.folder / "site", tmp_path / "used")
    return Site(tmp_path / "used")


@pytest.fixture
def restored_site(used: Used, tmp_path: Path) -> Site:
    """The site that its backup was restored into."""
    shutil.copytree(used.folder / "other", tmp_path / "restored")
    return Site(tmp_path / "restored")


@pytest.fixture(scope="session")
def old_backup() -> tuple[str, dict[str, Any]]:
    return backup_of_0_3()


def backup_of_0_3() -> tuple[str, dict[str, Any]]:
    """A backup of that version's site, never migrated, made once: its file, and what the command said."""

    def make(folder: Path) -> None:
        with tarfile.open(FIXTURE) as archive:
            archive.extractall(folder / "old", filter="data")
        said = Site(folder / "old").good("backup", str(folder / "old.tar"))
        (folder / "said.json").write_text(json.dumps(said))

    folder = once("old_backup", make)
    return str(folder / "old.tar"), json.loads((folder / "said.json").read_text())
