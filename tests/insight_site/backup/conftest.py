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

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests" / "fixtures" / "v0_3" / "site.tar.xz"
SECRET = "a-secret-key-that-only-these-tests-know-0123456789"


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

    def accept(self, *ids: str) -> None:
        """Accept an event of each id, as a server's key would send it."""
        self.python(
            "from events.outbox.accept import accept_events; from events.models import Source\n"
            "from django.utils import timezone\n"
            "source = Source.objects.get_or_create(name='app')[0]\n"
            f"events = [dict(type='track', event='e', userId='u', messageId=one) for one in {ids!r}]\n"
            "accept_events(source_id=source.pk, key_kind='server', events=events, received_at=timezone.now())"
        )

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with sqlite3.connect(self.database) as own:
            names = [name for (name,) in own.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(own.execute(f"SELECT {columns(own, name)} FROM {name}"), key=repr) for name in names}

    def stored(self) -> Counter[str]:
        """How often each event is in the store: all that it says, and its user's number."""
        table = DeltaTable(str(self.folder / "events"))
        files = [str(uri) for uri in table.file_uris() if "event_date=0001-01-01" not in str(uri)]
        sql = "SELECT to_json(row)::VARCHAR FROM read_parquet($files, union_by_name = true) AS row"
        return Counter(row[0] for row in duckdb.execute(sql, {"files": files}).fetchall())

    def message_ids(self) -> Counter[str]:
        """How often each message id is in the store."""
        return Counter(json.loads(row)["message_id"] for row in self.stored().elements())

    def everything(self) -> list[str]:
        """Names of all files."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def columns(database: sqlite3.Connection, table: str) -> str:
    """In one order: a table that was altered has them in another one."""
    return ", ".join(sorted(f'"{row[1]}"' for row in database.execute(f"PRAGMA table_info({table})")))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(tmp_path_factory.mktemp("migrated"))
    assert site.run("migrate", "-v0")[0] == 0
    return site.folder


@pytest.fixture
def site(_migrated: Path, tmp_path: Path) -> Site:
    """A site that nobody has used."""
    shutil.copytree(_migrated, tmp_path / "site")
    return Site(tmp_path / "site")


@pytest.fixture
def other(tmp_path: Path) -> Site:
    """A site without a database."""
    return Site(tmp_path / "other")


@pytest.fixture(scope="session")
def _old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old_site(_old: Path, tmp_path: Path) -> Site:
    """A used site of version 0.3, as that version left it."""
    shutil.copytree(_old, tmp_path / "old")
    return Site(tmp_path / "old")


@pytest.fixture(scope="session")
def old_backup(_old: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """A backup of that site, made once: its file, and what the command said."""
    folder = tmp_path_factory.mktemp("old_backup")
    shutil.copytree(_old, folder / "old")
    file = str(folder / "old.tar")
    return file, Site(folder / "old").good("backup", file)
