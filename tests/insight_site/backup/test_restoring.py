"""A backup is restored whole into an empty site, and into no other."""

import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.insight_site.backup.conftest import Site, ended

pytestmark = pytest.mark.slow
# What a restore writes anew: the store's mark, the signs of life of who restores, and what `migrate` looks after.
OWN = {"events_flush", "django_migrations", "sqlite_sequence", "insight_site_writeprobe"}


def test_restore__of_a_used_site__has_every_row_and_event_of_it(old_site: Site, other: Site, tmp_path: Path) -> None:
    assert old_site.run("migrate", "-v0")[0] == 0
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
    assert other.stored() == old_site.stored()
    assert other.folder.joinpath("uploads/5f0c/content").read_bytes() == b"user,event\n"
    assert (done["events"], done["waiting"], done["warnings"]) == (made["events"], 5, []) == (193_840, 5, [])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, other.database)} == {0o600}


def test_restored_site__and_the_one_that_goes_on__flush_each_their_own_store(
    site: Site, other: Site, tmp_path: Path
) -> None:
    site.accept("a", "b")
    assert site.good("flush_events") == {"moved": 2}
    site.accept("c")
    site.good("backup", str(tmp_path / "site.tar"))
    other.good("restore", str(tmp_path / "site.tar"))
    site.accept("d")

    assert [site.good("flush_events"), other.good("flush_events")] == [{"moved": 2}, {"moved": 1}]
    assert site.message_ids() == dict.fromkeys(["1:s:a", "1:s:b", "1:s:c", "1:s:d"], 1)
    assert other.message_ids() == dict.fromkeys(["1:s:a", "1:s:b", "1:s:c"], 1)
    other.accept("a", "c", "e")  # senders who repeat are recognised there too
    assert other.good("flush_events") == {"moved": 1}
    crossed = Site(other.folder, {"EVENTS_URL": str(site.folder / "events")})
    other.accept("f")
    assert "belongs to another database" in crossed.refused("flush_events")


def test_row_numbers__after_a_restore__are_never_given_again(site: Site, other: Site, tmp_path: Path) -> None:
    make = "from events.models import Source; print(Source.objects.create(name='{}').pk)"
    assert [site.python(make.format(name)) for name in "abc"] == ["1", "2", "3"]
    site.python("from events.models import Source; Source.objects.filter(pk__gt=1).delete()")
    site.good("backup", str(tmp_path / "site.tar"))

    other.good("restore", str(tmp_path / "site.tar"))

    assert other.python(make.format("d")) == "4"


def test_backup_of_0_3__that_was_never_migrated__is_migrated_by_the_restore(
    old_backup: tuple[str, dict[str, Any]], other: Site
) -> None:
    file, made = old_backup

    done = other.good("restore", file)

    assert other.run("migrate", "--check")[0] == 0
    assert (done["rows"], done["events"]) == (made["rows"], 193_840)
    assert other.good("flush_events") == {"moved": 5}
    count = "from experiments.models import Experiment as E; print(E.objects.count())"
    assert other.python(count) == "3"


def test_site_with_rows__is_no_place_for_a_restore__and_says_what_is_there(site: Site, tmp_path: Path) -> None:
    site.accept("a")
    site.good("backup", str(tmp_path / "site.tar"))
    before = site.tables()

    said = site.refused("restore", str(tmp_path / "site.tar"))

    assert "events_messageid 1, events_outbox 1, events_source 1" in said
    assert site.tables() == before


@pytest.mark.parametrize(("where", "said"), [("events/stray.parquet", "stray.parquet"), ("uploads/x/y", "UPLOADS_DIR")])
def test_site_with_files__is_no_place_for_a_restore(
    where: str, said: str, site: Site, other: Site, tmp_path: Path
) -> None:
    site.good("backup", str(tmp_path / "site.tar"))
    stray = other.folder / where
    stray.parent.mkdir(parents=True)
    stray.write_text("mine")

    assert said in other.refused("restore", str(tmp_path / "site.tar"))
    assert set(other.everything()) - {"site.sqlite3"} == {where}


def test_running_worker__on_the_empty_site__must_stop_first(site: Site, tmp_path: Path) -> None:
    site.good("backup", str(tmp_path / "site.tar"))
    site.python("from runs.queue.pulse import sign; from django.utils import timezone; sign('w:1', timezone.now())")

    assert "stop web and worker" in site.refused("restore", str(tmp_path / "site.tar"))


def test_other_secret_key__is_told(site: Site, tmp_path: Path) -> None:
    site.good("backup", str(tmp_path / "site.tar"))
    other = Site(tmp_path / "other", {"SECRET_KEY": "another-secret-key-that-is-long-enough-to-be-one"})

    (warning,) = other.good("restore", str(tmp_path / "site.tar"))["warnings"]

    assert "another SECRET_KEY" in warning


def test_check__of_a_good_backup__leaves_the_site_alone(site: Site, other: Site, tmp_path: Path) -> None:
    site.accept("a")
    site.good("flush_events")
    site.good("backup", str(tmp_path / "site.tar"))

    done = other.good("restore", "--check", str(tmp_path / "site.tar"))

    assert (done["events"], done["rows"] > 50) == (1, True)
    assert other.everything() == []


KILL_AT_ADOPTION = """
import os, signal
from events.outbox import adopt
adopt.adopt_store = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
from django.core.management import call_command
call_command("restore", {file!r})
"""
MOMENTS: dict[str, Callable[[Site], bool]] = {
    "database half filled": lambda site: site.folder.joinpath("site.sqlite3.restoring").exists(),
    "store half there": lambda site: len(list(site.folder.glob("events/event_date=*/*"))) > 20,
    "store there": lambda site: site.folder.joinpath("events/_delta_log/_last_checkpoint").exists(),
}


@pytest.mark.parametrize(
    "moment", ["database half filled", "store half there", pytest.param("store there", marks=pytest.mark.proof)]
)
def test_restore__killed__leaves_an_empty_site_and_is_run_again(
    moment: str, old_backup: tuple[str, dict[str, Any]], other: Site
) -> None:
    file, _ = old_backup
    process = other.start("restore", file)
    until = time.monotonic() + 120
    while not MOMENTS[moment](other):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert other.database.exists() is False or other.database.stat().st_size == 0 or not other.tables()
    done = other.good("restore", file)

    assert (done["events"], other.good("flush_events")) == (193_840, {"moved": 5})
    assert not [name for name in other.everything() if "restoring" in name]
    assert sum(other.stored().values()) == 193_845


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
from django.core.management import call_command
call_command("restore", {file!r})
"""


@pytest.mark.parametrize(
    "most",
    [
        pytest.param(60_000, id="full at once", marks=pytest.mark.proof),
        pytest.param(3_000_000, id="full in the middle"),
    ],
)
def test_restore__that_can_write_no_more__says_so_in_a_sentence_and_is_run_again(
    most: int, old_backup: tuple[str, dict[str, Any]], other: Site
) -> None:
    file, _ = old_backup

    process = other.start_python(FULL.format(most=most, file=file))
    _, said = process.communicate()

    assert process.returncode != 0
    assert "CommandError: " in said.splitlines()[-1], said
    assert any(text in said.splitlines()[-1] for text in ("could not be written", "take the rows of the backup")), said
    assert other.good("restore", file)["events"] == 193_840


def test_restore__killed_before_the_store_is_marked__is_finished_by_the_next(
    site: Site, other: Site, tmp_path: Path
) -> None:
    site.accept("a")
    site.good("flush_events")
    site.accept("b")
    file = str(tmp_path / "site.tar")
    site.good("backup", file)
    status, _, _ = ended(other.start_python(KILL_AT_ADOPTION.format(file=file)))
    assert status == -signal.SIGKILL
    site.good("backup", str(tmp_path / "later.tar"))

    assert "another backup" in other.refused("restore", str(tmp_path / "later.tar"))
    assert other.good("restore", file)["waiting"] == 1

    assert other.good("flush_events") == {"moved": 1}
    assert other.message_ids() == {"1:s:a": 1, "1:s:b": 1}


def test_older_database__beside_the_newer_store__neither_loses_nor_doubles(site: Site, tmp_path: Path) -> None:
    site.accept("stored before")
    site.good("flush_events")
    site.accept("waits at the backup", "waits longer")
    site.good("backup", str(tmp_path / "site.tar"))
    site.good("flush_events")
    site.accept("stored after")
    site.good("flush_events")
    os.rename(site.database, tmp_path / "lost.sqlite3")
    site.database.with_name("site.sqlite3-wal").unlink(missing_ok=True)
    assert "--keep-store when it is newer" in site.refused("restore", str(tmp_path / "site.tar"))

    done = site.good("restore", "--keep-store", str(tmp_path / "site.tar"))

    assert (done["known"], done["waiting"]) == (2, 0)
    site.accept("stored before", "waits at the backup", "stored after", "new")  # senders who got no answer repeat
    assert site.good("flush_events") == {"moved": 1}
    names = ["stored before", "waits at the backup", "waits longer", "stored after", "new"]
    assert site.message_ids() == {f"1:s:{name}": 1 for name in names}


def test_keep_store__after_a_restore_of_everything_was_killed__keeps_what_is_there_now(
    site: Site, other: Site, tmp_path: Path
) -> None:
    site.accept("a")
    site.good("flush_events")
    site.good("backup", str(tmp_path / "site.tar"))
    shutil.copytree(site.folder / "events", other.folder / "events")
    (other.folder / "events" / "_restoring.json").write_text('{"made_at": "before", "keep_store": false}')

    other.good("restore", "--keep-store", str(tmp_path / "site.tar"))

    assert other.message_ids() == {"1:s:a": 1}


def test_keep_store__without_a_store__is_refused(site: Site, other: Site, tmp_path: Path) -> None:
    site.good("backup", str(tmp_path / "site.tar"))

    assert "--keep-store: There is no event store" in other.refused(
        "restore", "--keep-store", str(tmp_path / "site.tar")
    )


def test_older_store__beside_the_newer_database__is_refused_by_flush_and_doctor(
    site: Site, other: Site, tmp_path: Path
) -> None:
    site.accept("a")
    site.good("flush_events")
    site.good("backup", str(tmp_path / "site.tar"))
    site.accept("b")
    site.good("flush_events")
    other.good("restore", str(tmp_path / "site.tar"))
    os.rename(site.folder / "events", tmp_path / "newer")
    os.rename(other.folder / "events", site.folder / "events")
    site.accept("c")

    assert "belongs to another database" in site.refused("flush_events")  # marked anew, so it can't be mistaken
    status, out, _ = site.run("doctor", "--json")
    (found,) = [one for one in json.loads(out)["findings"] if one["name"] == "store"]
    assert (status, found["state"]) == (1, "wrong")
