"""A backup each night in BACKUP_DIR: so many are kept, and one that stopped is seen."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from insight_site.models import Snapshot
from insight_site.operate import backup, backup_files, component_health
from runs.refusals import Refused
from tests.insight_site.backup.conftest import Site

SIGN = "from insight_site.operate import component_health as signs; print(signs.backup().line)"
MOMENT = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


@pytest.mark.slow
def test_back_up__without_a_file__keeps_the_newest_in_its_folder(used_site: Site, other: Site, tmp_path: Path) -> None:
    folder, site = tmp_path / "kept", used_site
    site.more = {"BACKUP_DIR": str(folder), "BACKUP_KEEP": "2"}
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"insight-2026100{day}T023000Z.tar").write_text("old")
    (folder / "mine.tar").write_text("mine")

    done, sign = site.python(f"from insight_site.tasks import back_up; print(back_up())\n{SIGN}").splitlines()

    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [Path(done).name, "insight-20261003T023000Z.tar", "mine.tar"]
    )
    assert stat.S_IMODE(Path(done).stat().st_mode) == 0o600
    assert sign == "ok: the last one is 0 hours old"
    checked = other.good("restore", "--check", done)
    assert (checked["events"], checked["rows"] > 50) == (2, True)
    assert other.everything() == []  # it leaves a site alone


@pytest.mark.slow
def test_back_up__that_fails__deletes_none_and_is_no_success(used_site: Site, tmp_path: Path) -> None:
    site = used_site
    (site.folder / "events").rename(tmp_path / "away")
    site.more = {"BACKUP_DIR": str(tmp_path / "kept"), "BACKUP_KEEP": "1"}
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "insight-20261003T023000Z.tar").write_text("old")

    assert "is not there" in site.refused("backup")

    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["insight-20261003T023000Z.tar"]
    assert site.python(SIGN) == "failed: no backup has been made yet"


@pytest.mark.django_db
def test_task__without_a_folder__makes_none(settings: Settings) -> None:
    settings.BACKUP_DIR = ""

    assert backup.back_up_tonight() == ""
    assert component_health.backup() == component_health.Sign(True, "BACKUP_DIR is not set")
    with pytest.raises(Refused, match="set BACKUP_DIR"):
        backup.back_up_and_keep()


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "ok"), [(1, True), (35.9, True), (36.1, False)])
def test_sign__after_the_last_backup__fails_when_it_is_a_day_and_a_half_old(
    hours: float, ok: bool, settings: Settings
) -> None:
    settings.BACKUP_DIR = "/backups"
    component_health.note({"bytes": 1})
    Snapshot.objects.update(counted_at=timezone.now() - timedelta(hours=hours))

    assert component_health.backup().ok is ok


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("s3://bucket/b/", "s3://bucket/b/insight-20261101T023000Z.tar"),
        ("s3://bucket/b/x.tar", "s3://bucket/b/x.tar"),
        ("there/", "there/insight-20261101T023000Z.tar"),
        ("x.tar", "x.tar"),
    ],
)
def test_place_for__a_folder__is_a_file_named_after_the_moment(target: str, place: str) -> None:
    assert backup_files.place_for(target, MOMENT) == place
    assert backup_files.NAMED.fullmatch(place.rpartition("/")[2]) or place.endswith("x.tar")


def test_written__when_the_block_fails__leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with backup_files.written(str(tmp_path / "x.tar")) as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert list(tmp_path.iterdir()) == []
