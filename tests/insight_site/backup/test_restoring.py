"""A backup is restored whole into an empty site, and into no other."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.insight_site.backup.conftest import SOURCES, Site, Used, ended, kept_tables_folder
from tests.migrated import older_site

pytestmark = pytest.mark.slow
# What a restore writes anew: the store's mark, the signs of life of who restores, and what `migrate` looks after.
OWN = {"events_flush", "django_migrations", "sqlite_sequence", "insight_site_writeprobe"}


def test_restore__of_a_used_site__has_every_row_and_event_of_it(other: Site, tmp_path: Path) -> None:
    shutil.copytree(older_site("v0_3"), tmp_path / "old")
    old_site = Site(tmp_path / "old")
    upload = old_site.folder / "uploads" / "5f0c" / "content"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"user,event\n")
    file = tmp_path / "site.tar"

    made = old_site.good("backup", str(file))
    done = other.good("restore", str(file))

    before, after = old_site.tables(), other.tables()
    kept = before.keys() - {name for name in before if name.startswith("django_q_")}  # of a queue that is gone
    assert kept == after.keys()
    assert {name: before[name] for name in kept - OWN} == {name: after[name] for name in kept - OWN}
    assert sum(map(len, before.values())) > 8_000
    assert other.all_stored() == old_site.all_stored()
    assert other.folder.joinpath("uploads/5f0c/content").read_bytes() == b"user,event\n"
    assert (done["events"], done["waiting"], done["warnings"]) == (made["events"], 5, []) == (193_840, 5, [])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, other.database)} == {0o600}


def test_restored_site__and_the_one_that_goes_on__flush_each_their_own_store(
    used_site: Site, restored_site: Site
) -> None:
    assert used_site.each(["accept", "e"], ["flush_events"])[1] == {"moved": 3}
    # Senders who repeat are recognised there too.
    flushed = restored_site.each(["flush_events"], ["accept", "a", "c", "f"], ["flush_events"], ["accept", "g"])

    assert flushed[::2] == [{"moved": 2}, {"moved": 1}]
    assert used_site.message_ids() == {f"1:s:{name}": 1 for name in "abcde"}
    assert restored_site.message_ids() == {f"1:s:{name}": 1 for name in "abcdf"}
    crossed = Site(restored_site.folder, {"EVENTS_URL": str(used_site.folder / "events")})
    assert "belongs to another database" in crossed.refused("flush_events")


def test_row_numbers__after_a_restore__are_never_given_again(used_site: Site, restored_site: Site) -> None:
    make = "from events.models import Source; print(Source.objects.create(name='d').pk)"
    highest = "SELECT max(id) FROM events_source"
    with closing(sqlite3.connect(used_site.database)) as own:
        assert own.execute(highest).fetchone() == (SOURCES - 1,)  # of numbers up to two more

    assert restored_site.python(make) == str(SOURCES + 2)


def test_site_with_rows__is_no_place_for_a_restore__and_says_what_is_there(used: Used, used_site: Site) -> None:
    before = used_site.tables()

    said = used_site.refused("restore", used.backup)

    assert f"events_messageid 4, events_outbox 2, events_source {SOURCES - 1}" in said
    assert used_site.tables() == before


@pytest.mark.parametrize(("where", "said"), [("events/stray.parquet", "stray.parquet"), ("uploads/x/y", "UPLOADS_DIR")])
def test_site_with_files__is_no_place_for_a_restore(where: str, said: str, used: Used, other: Site) -> None:
    stray = other.folder / where
    stray.parent.mkdir(parents=True)
    stray.write_text("mine")

    assert said in other.refused("restore", used.backup)
    assert set(other.everything()) - {"site.sqlite3"} == {where}


def test_running_worker__on_the_empty_site__must_stop_first(used: Used, site: Site) -> None:
    assert "stop web and worker" in site.each(["worker"], ["refused", "restore", used.backup])[1]


def test_other_secret_key__is_told(used: Used) -> None:
    (warning,) = used.restored["warnings"]

    assert "another SECRET_KEY" in warning


# The tables of an empty site are copied to begin with: to migrate to them is most of a restore's time.
COPIED = """
import shutil
from django.db import connection
from insight_site.operate import backup_database
def copied(_migrations):
    connection.close()
    shutil.copyfile({empty!r}, connection.settings_dict["NAME"])
backup_database.migrate_to = copied
"""
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
from django.core.management import call_command
call_command("restore", {file!r})
"""
KILL_AT_ADOPTION = """
import os, signal
from events.outbox import reconcile_after_restore
reconcile_after_restore.adopt_store = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
from django.core.management import call_command
call_command("restore", {file!r})
"""
# What is killed in the middle needn't have migrated its database, which is thrown away: the next one migrates.
UNMIGRATED = """
from pathlib import Path
from django.core.management import call_command
from insight_site.operate import restore
from tests.insight_site.backup.kept_tables import keep_in
keep_in(Path({kept!r}))
restore.call_command = lambda *_, **__: None
call_command("restore", {file!r})
"""
MOMENTS: dict[str, Callable[[Site], bool]] = {
    "database half filled": lambda site: site.folder.joinpath("site.sqlite3.restoring").exists(),
    "store half there": lambda site: len(list(site.folder.glob("events/event_date=*/*"))) > 20,
    "store there": lambda site: site.folder.joinpath("events/_delta_log/_last_checkpoint").exists(),
}


def kill_at(moment: str, process: subprocess.Popen[str], site: Site) -> None:
    """Kill a restore at that moment; the site is still an empty one."""
    until = time.monotonic() + 300
    while not MOMENTS[moment](site):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert nothing_in(site)


def nothing_in(site: Site) -> bool:
    return site.database.exists() is False or site.database.stat().st_size == 0 or not site.tables()


@pytest.mark.parametrize("moment", ["store half there", pytest.param("store there", marks=pytest.mark.proof)])
def test_backup_of_0_3__never_migrated_and_its_restore_killed__is_migrated_by_the_next(
    moment: str, old_backup: tuple[str, dict[str, Any]], other: Site
) -> None:
    file, made = old_backup
    kill_at(moment, other.start_python(UNMIGRATED.format(kept=kept_tables_folder(), file=file)), other)

    done = other.good("restore", file)

    assert (done["rows"], done["events"]) == (made["rows"], 193_840)
    assert other.each(["migrate", "--check"], ["flush_events"]) == [None, {"moved": 5}]
    with closing(sqlite3.connect(other.database)) as own:
        assert own.execute("SELECT count(*) FROM experiments_experiment").fetchone() == (3,)
    assert not [name for name in other.everything() if "restoring" in name]
    assert other.stored("count(*), count(DISTINCT message_id)")[0] == (193_845, 193_845)


def test_restore__killed_or_without_room__leaves_an_empty_site_and_is_run_again(
    used: Used, used_site: Site, other: Site, site: Site, tmp_path: Path
) -> None:
    kill_at("database half filled", other.start("restore", used.backup), other)

    copied = COPIED.format(empty=str(site.database))
    in_the_middle = (site.database.stat().st_size + used_site.database.stat().st_size) // 2
    for most in (60_000, in_the_middle):
        status, _, said = ended(other.start_python(copied + FULL.format(most=most, file=used.backup)))
        assert status != 0
        last = said.splitlines()[-1]
        assert "CommandError: " in last, said
        assert any(text in last for text in ("could not be written", "take the rows of the backup")), last
        assert nothing_in(other)

    # The next one begins anew, and is killed before the store is marked: its rows are there already.
    status, _, _ = ended(other.start_python(copied + KILL_AT_ADOPTION.format(file=used.backup)))
    assert status == -signal.SIGKILL
    used_site.good("backup", str(tmp_path / "later.tar"))
    assert "another backup" in other.refused("restore", str(tmp_path / "later.tar"))
    done = other.good("restore", used.backup)

    assert (done["events"], done["waiting"], other.good("flush_events")) == (2, 2, {"moved": 2})
    assert not [name for name in other.everything() if "restoring" in name]
    assert other.message_ids() == {f"1:s:{name}": 1 for name in "abcd"}


def test_older_database__beside_the_newer_store__neither_loses_nor_doubles(
    used: Used, used_site: Site, tmp_path: Path
) -> None:
    site = used_site
    assert site.each(["flush_events"], ["accept", "e"], ["flush_events"])[::2] == [{"moved": 2}, {"moved": 1}]
    os.rename(site.database, tmp_path / "lost.sqlite3")
    site.database.with_name("site.sqlite3-wal").unlink(missing_ok=True)
    assert "--keep-store when it is newer" in site.refused("restore", used.backup)
    # What a restore of everything that was killed leaves: the next keeps what is there now.
    (site.folder / "events" / "_restoring.json").write_text('{"made_at": "before", "keep_store": false}')

    done = site.good("restore", "--keep-store", used.backup)

    assert (done["known"], done["waiting"]) == (2, 0)
    # Senders who got no answer repeat.
    assert site.each(["accept", "a", "c", "e", "new"], ["flush_events"])[1] == {"moved": 1}
    assert site.message_ids() == {f"1:s:{name}": 1 for name in ("a", "b", "c", "d", "e", "new")}


def test_keep_store__without_a_store__is_refused(used: Used, other: Site) -> None:
    assert "--keep-store: There is no event store" in other.refused("restore", "--keep-store", used.backup)


def test_older_store__beside_the_newer_database__is_refused_by_flush_and_doctor(
    used_site: Site, restored_site: Site
) -> None:
    site = used_site
    assert site.each(["flush_events"], ["accept", "e"])[0] == {"moved": 2}
    shutil.rmtree(site.folder / "events")
    os.rename(restored_site.folder / "events", site.folder / "events")

    assert "belongs to another database" in site.refused("flush_events")  # marked anew, so it can't be mistaken
    status, out, _ = site.run("doctor", "--json")
    (found,) = [one for one in json.loads(out)["findings"] if one["name"] == "store"]
    assert (status, found["state"]) == (1, "wrong")
