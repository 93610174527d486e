"""A backup while events come in, are flushed and files are compacted: every acknowledged event once, at one instant."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from insight_site.operate import backup_files
from insight_site.operate.verify_backup import verify
from tests.insight_site.backup.conftest import Site, ended
from tests.insight_site.test_migrations import database, today
from tests.marks import first_in_ci

pytestmark = pytest.mark.slow
# One sender, a batch after the other: what is acknowledged at any instant is the beginning of one row of numbers.
INGEST = """
import time
from django.utils import timezone
from events.models import Source
from events.outbox.accept import accept_events
source, sent = Source.objects.get_or_create(name="app")[0], 0
while True:
    events = [dict(type="track", event="e", userId=f"u{n % 97}", messageId=str(n)) for n in range(sent, sent + 50)]
    accept_events(source_id=source.pk, key_kind="server", events=events, received_at=timezone.now())
    sent += 50
    print(sent, flush=True)
    time.sleep(0.02)  # without a rest, these three take all of the machine from other tests
"""
FLUSH = """
import time
from events.store import event_table as store
from events.outbox import flush
while True:
    flush.flush_events()
    store.compact()
    time.sleep(0.2)
"""


@contextmanager
def busy(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Senders and two flushes at work in the block; gives the sender."""
    running = [site.start_python(INGEST), *(site.start_python(FLUSH) for _ in range(2))]
    try:
        assert running[0].stdout is not None
        assert running[0].stdout.readline()
        yield running[0]
    finally:
        for process in running:
            process.kill()
            process.communicate()


def acknowledged(sender: subprocess.Popen[str], least: int) -> int:
    """Events that the sender knows of, when there are this many at least."""
    assert sender.stdout is not None
    while (sent := int(sender.stdout.readline())) < least:
        pass
    return sent


def numbers(site: Site) -> Counter[int]:
    return Counter({int(name.removeprefix("1:s:")): count for name, count in site.message_ids().items()})


@pytest.mark.parametrize("vendor", first_in_ci(["postgresql", "sqlite"]))
def test_backup__while_events_come_in__has_each_acknowledged_event_once(
    vendor: str, site: Site, tmp_path: Path
) -> None:
    if vendor == "postgresql":
        with database("backup_source", today) as one:
            site.more = {"DATABASE_URL": one}
            back_up_while_busy(site, tmp_path)
    else:
        back_up_while_busy(site, tmp_path)


def back_up_while_busy(site: Site, tmp_path: Path) -> None:
    made = []
    with busy(site) as sender:
        sent = 0
        while not (site.folder / "events" / "_delta_log").exists():  # until the first flush
            sent = acknowledged(sender, sent)
        for at in range(2):
            before = sent = acknowledged(sender, sent + 500)
            made.append((before, site.good("backup", str(tmp_path / f"{at}.tar"))["store_version"]))
    assert made[0][1] < made[-1][1]  # flushed meanwhile

    for at, (before, _) in enumerate(made):
        copy = Site(tmp_path / f"copy{at}")
        copy.each(["restore", str(tmp_path / f"{at}.tar")], ["flush_events"])
        found = numbers(copy)
        assert found == Counter(range(len(found)))  # each once, and no gap
        assert len(found) >= before


@pytest.mark.usefixtures("_seed")
def test_backup__killed_at_random_instants__is_whole_or_not_there(site: Site, tmp_path: Path) -> None:
    folder, whole, killed = tmp_path / "backups", list[Path](), 0
    with busy(site):
        for at in range(6):
            process = site.start("backup", str(folder / f"{at}.tar"))
            time.sleep(random.uniform(0.8, 2.5))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            if (folder / f"{at}.tar").exists():
                whole.append(folder / f"{at}.tar")
    assert killed
    for file in whole:
        with file.open("rb") as source:
            verify(source)
    folder.mkdir(exist_ok=True)
    (folder / ".insight-unfinished-x").write_bytes(b"of one that was killed")

    site.good("backup", str(folder / "last.tar"))

    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([*(f"{at}.tar" for at in range(6) if (folder / f"{at}.tar").exists()), "last.tar"])


@pytest.fixture
def _seed() -> None:
    random.seed(18)


def test_backup__whose_files_are_vacuumed_meanwhile__is_whole(site: Site, other: Site, tmp_path: Path) -> None:
    site.each(*(step for name in "abc" for step in (["accept", name], ["flush_events"])))
    code = f"""
from django.core.management import call_command
from deltalake import DeltaTable
from events.store import event_table as store
from insight_site.operate import backup
copy = backup._copy_store
def vacuumed_first(*arguments):
    store.compact()
    gone = DeltaTable(store.url()).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    print(len(gone))
    return copy(*arguments)
backup._copy_store = vacuumed_first
call_command("backup", {str(tmp_path / "site.tar")!r})
"""
    status, out, errors = ended(site.start_python(code))
    assert status == 0, errors
    assert int(out.splitlines()[0]) >= 3

    with (tmp_path / "site.tar").open("rb") as source:
        verify(source)
        for name, file in backup_files.parts(source, "store"):
            path = other.folder / "events" / name.removeprefix("store/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.read())
    assert other.message_ids() == {"1:s:a": 1, "1:s:b": 1, "1:s:c": 1}
    assert not list(site.folder.glob("events/_backup-*"))


COPIES = """
from django.db import connection
from insight_site.operate import backup
copy = backup._copy_store
def looks_first(*arguments):
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
        cursor.execute("UPDATE events_source SET name = 'other' WHERE name = 'app'")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        print("busy" if cursor.fetchone()[0] else "free")
    return copy(*arguments)
backup._copy_store = looks_first
backup.back_up({file!r})
"""


def test_backup__while_it_copies_the_store__holds_nothing_of_the_database(used_site: Site, tmp_path: Path) -> None:
    assert used_site.python(COPIES.format(file=str(tmp_path / "site.tar"))) == "free"


def test_backup__of_a_store_that_is_not_ours__is_refused(used_site: Site, tmp_path: Path) -> None:
    (used_site.folder / "events").rename(tmp_path / "away")

    assert "is not there" in used_site.refused("backup", str(tmp_path / "site.tar"))
    assert not (tmp_path / "site.tar").exists()


def test_backup__onto_a_file_that_is_there__is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    assert "There is a file" in site.refused("backup", str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_text() == "mine"


def test_manifest__names_secrets_and_holds_none(site: Site, tmp_path: Path) -> None:
    site.more = {"RATE_INGEST": "700", "API_KEY_PEPPERS": "p" * 40, "AWS_SECRET_ACCESS_KEY": "deep-secret"}
    site.good("backup", str(tmp_path / "site.tar"))

    whole = (tmp_path / "site.tar").read_bytes()
    settings = json.loads(whole[whole.index(b'{\n "format"', 2000) :].split(b"\0")[0])["settings"]

    assert settings["values"]["RATE_INGEST"] == "700"
    assert {"SECRET_KEY", "API_KEY_PEPPERS", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"} <= {*settings["secrets"]}
    for secret in (b"p" * 40, b"deep-secret", site.environment["SECRET_KEY"].encode()):
        assert secret not in whole
