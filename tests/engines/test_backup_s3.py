"""Backups of a store in S3, and backups that lie in S3."""

import os
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
from deltalake import DeltaTable

from events.store import object_store
from tests.insight_site.backup.conftest import Site

pytestmark = pytest.mark.engines


def ids_in(address: str) -> list[str]:
    files = [uri for uri in DeltaTable(address).file_uris() if "event_date=0001-01-01" not in uri]
    with duckdb.connect() as connection:
        object_store.attach(address, connection.execute)
        return [
            row[0] for row in connection.execute("SELECT message_id FROM read_parquet($f)", {"f": files}).fetchall()
        ]


def migrated(folder: Path, address: str) -> Site:
    site = Site(folder, {"EVENTS_URL": address})
    assert site.run("migrate", "-v0")[0] == 0
    return site


def test_store_in_s3__backed_up_into_s3__is_restored_into_another_place(bucket: str, tmp_path: Path) -> None:
    site = migrated(tmp_path / "site", bucket)
    site.accept("a", "b")
    site.good("flush_events")
    site.accept("c")
    place = f"s3://{urlsplit(bucket).netloc}/backups"
    made = site.good("backup", f"{place}/")

    assert made["place"].startswith(f"{place}/insight-20")
    assert "There is a file" in site.refused("backup", made["place"])
    other = Site(tmp_path / "other", {"EVENTS_URL": f"{bucket}-restored"})
    assert other.good("restore", "--check", made["place"])["events"] == 2
    assert (other.good("restore", made["place"])["waiting"], other.good("flush_events")) == (1, {"moved": 1})
    assert sorted(ids_in(f"{bucket}-restored")) == ["1:s:a", "1:s:b", "1:s:c"]
    assert sorted(ids_in(bucket)) == ["1:s:a", "1:s:b"]
    folder = Site(tmp_path / "folder")
    folder.good("restore", made["place"])
    assert folder.message_ids() == {"1:s:a": 1, "1:s:b": 1}


def test_backups_in_s3__beyond_those_to_keep__are_deleted(bucket: str, tmp_path: Path) -> None:
    place = f"s3://{urlsplit(bucket).netloc}/backups"
    site = migrated(tmp_path / "site", bucket)
    site.more |= {"BACKUP_DIR": place, "BACKUP_KEEP": "1"}

    first = site.good("backup")["place"]
    time.sleep(1)
    second = site.good("backup")["place"]

    assert first != second
    assert [f"{place}/{name}" for name in object_store.names(place, "")] == [second]


EIGHT_FILES = """
from django.utils import timezone
from events.models import Source
from events.outbox.accept import accept_events
from events.outbox.flush import flush_events
source = Source.objects.create(name="app")
for name in "abcdefgh":
    event = dict(type="track", event="e", userId="u", messageId=name)
    accept_events(source_id=source.pk, key_kind="server", events=[event], received_at=timezone.now())
    flush_events()
"""


def test_restore_into_s3__killed_in_the_middle__is_run_again(bucket: str, tmp_path: Path) -> None:
    site = migrated(tmp_path / "site", str(tmp_path / "site" / "events"))
    site.python(EIGHT_FILES)
    site.good("backup", str(tmp_path / "site.tar"))
    other = Site(tmp_path / "other", {"EVENTS_URL": bucket})
    process = other.start("restore", str(tmp_path / "site.tar"))
    until = time.monotonic() + 120
    while len(list(object_store.names(bucket, ""))) < 4:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    other.good("restore", str(tmp_path / "site.tar"))

    assert sorted(ids_in(bucket)) == [f"1:s:{name}" for name in "abcdefgh"]
    assert "_restoring.json" not in list(object_store.names(bucket, ""))
    data = [name for name in object_store.names(bucket, "") if name.startswith("event_date=")]
    assert len(data) == len(DeltaTable(bucket).file_uris())  # the files of the killed one are gone with it
