"""The first start: settings change nothing, `manage.py` makes folder and key, two starts share one key."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from insight_site.first_start import make_key, prepare

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The few files of a fresh clone that a start reads."""
    (tmp_path / "insight_site").mkdir()
    for name in (
        "manage.py",
        "CHANGELOG.md",
        *(f"insight_site/{one}.py" for one in ("__init__", "settings", "first_start")),
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(checkout: Path, *arguments: str, **own: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"} | own
    return subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def test_settings__imported__write_nothing_and_ask_for_the_key(checkout: Path) -> None:
    without = run(checkout, "-c", "import insight_site.settings")
    given = run(checkout, "-c", "import insight_site.settings", SECRET_KEY="k" * 50)

    assert without.returncode == 1
    assert "There is no secret key: run `make setup`, or set SECRET_KEY." in without.stderr
    assert given.returncode == 0, given.stderr
    assert not (checkout / "var").exists()


def test_manage__first_start__makes_a_key_for_its_owner_alone_and_keeps_it(checkout: Path) -> None:
    path = checkout / "var" / "secret_key"

    run(checkout, "manage.py", "version")
    key = path.read_text()
    run(checkout, "manage.py", "version")

    assert len(key) > 60
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == key
    assert [one.name for one in path.parent.iterdir()] == ["secret_key"]


def test_prepare__with_a_key_in_the_environment_file__makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.delenv("SECRET_KEY")
    (tmp_path / ".env").write_text("SECRET_KEY=mine\n")

    prepare(tmp_path)

    assert list((tmp_path / "var").iterdir()) == []


def test_make_key__second_process_in_between__the_first_whole_key_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret_key"

    def meanwhile(_bytes: int) -> str:
        assert not path.exists()  # nobody can read a file that isn't written yet
        path.write_text("of the other process")
        return "mine"

    monkeypatch.setattr(secrets, "token_urlsafe", meanwhile)

    make_key(path)

    assert path.read_text() == "of the other process"
    assert list(tmp_path.iterdir()) == [path]
