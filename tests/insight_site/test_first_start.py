"""The first start: settings change nothing, `manage.py` makes folder and key, two starts share one key."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from insight_site.first_start import account_command, make_key, prepare

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The few files of a fresh clone that a start reads."""
    (tmp_path / "insight_site").mkdir()
    for name in (
        "manage.py",
        "CHANGELOG.md",
        *(f"insight_site/{one}.py" for one in ("__init__", "settings", "first_start", "admin_look")),
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(checkout: Path, *arguments: str, **own: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("SECRET_KEY", "VAR_DIR")} | own
    return subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_settings__imported__write_nothing_and_ask_for_the_key(checkout: Path) -> None:
    without = run(checkout, "-c", "import insight_site.settings")
    given = run(checkout, "-c", "import gc, insight_site.settings; print(gc.get_threshold()[0])", SECRET_KEY="k" * 50)

    assert without.returncode == 1
    assert "There is no secret key: run `make setup`, or set SECRET_KEY." in without.stderr
    assert given.returncode == 0, given.stderr
    assert given.stdout == "20000\n"  # a start goes ten times less often through all that is loaded
    assert not (checkout / "var").exists()


@pytest.mark.slow
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
    monkeypatch.delenv("VAR_DIR")
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


def test_files__of_a_first_start_and_of_an_older_site__are_closed_to_other_accounts(checkout: Path) -> None:
    """Version 0.3 left `var` at 0755, its database at 0644: hashes, sessions and traits for every account."""
    (checkout / "var").mkdir(mode=0o755)
    (checkout / "var").chmod(0o755)
    code = "import os; os.umask(0o022); from insight_site.first_start import prepare; from pathlib import Path\n"

    done = run(checkout, "-c", code + "prepare(Path('.')); Path('elsewhere.sqlite3').touch(); Path('events').mkdir()")

    assert done.returncode == 0, done.stderr
    modes = {name: (checkout / name).stat().st_mode & 0o777 for name in ("var", "elsewhere.sqlite3", "events")}
    assert modes == {"var": 0o750, "elsewhere.sqlite3": 0o600, "events": 0o700}


@pytest.mark.slow
def test_var_dir__elsewhere__is_made_and_gets_the_key(checkout: Path, tmp_path: Path) -> None:
    there = tmp_path / "state" / "insight"

    run(checkout, "manage.py", "version", VAR_DIR=str(there))
    seen = run(checkout, "-c", "from insight_site import settings as s; print(s.EVENTS_URL)", VAR_DIR=str(there))

    assert (there / "secret_key").stat().st_mode & 0o777 == 0o600
    assert seen.stdout.strip() == str(there / "events")
    assert not (checkout / "var").exists()


@pytest.mark.slow
def test_secret__in_a_file__is_read_without_its_last_line_break_and_wins(checkout: Path) -> None:
    (checkout / "key").write_text("of the file\n")
    (checkout / "url").write_text("postgres://u:p@h/d\n")
    code = "from insight_site import settings as s; import os; print(s.SECRET_KEY, s.DATABASES['default']['HOST'])"

    seen = run(checkout, "-c", code, SECRET_KEY="inherited", SECRET_KEY_FILE="key", DATABASE_URL_FILE="url")
    run(checkout, "manage.py", "version", SECRET_KEY_FILE="key")

    assert seen.stdout == "of the file h\n", seen.stderr
    assert not (checkout / "var" / "secret_key").exists()


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_secret__in_a_file_that_is_missing_or_empty__is_said_in_one_sentence(checkout: Path, text: str | None) -> None:
    if text is not None:
        (checkout / "key").write_text(text)

    done = run(checkout, "-c", "import insight_site.settings", SECRET_KEY_FILE="key")

    said = "key can't be read (FileNotFoundError)." if text is None else "key is empty."
    assert done.stderr.splitlines()[-1].endswith(f"SECRET_KEY_FILE: {said}")


@pytest.mark.slow
def test_secret_key__changed__keeps_sessions_and_api_keys_of_the_older_one(checkout: Path) -> None:
    code = "from insight_site import settings as s; print(s.API_KEY_PEPPERS, s.SECRET_KEY_FALLBACKS)"

    before = run(checkout, "-c", code, SECRET_KEY="a" * 50).stdout
    after = run(checkout, "-c", code, SECRET_KEY="b" * 50, SECRET_KEY_FALLBACKS="a" * 50).stdout

    (old,) = json.loads(before.split("] ")[0].replace("'", '"') + "]")
    new, kept = json.loads(after.split("] ")[0].replace("'", '"') + "]")
    assert (kept, new != old) == (old, True)
    assert "a" * 50 in after


def test_tests__whatever_lies_in_the_checkout__have_a_folder_of_their_own(settings: Settings) -> None:
    assert settings.VAR_DIR != ROOT / "var"
    assert str(settings.EVENTS_URL) == str(settings.VAR_DIR / "events")
    assert (settings.VAR_DIR / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("environment", "dotenv", "wanted"),
    [
        ({}, "", ".venv/bin/python manage.py createsuperuser"),
        ({"VAR_DIR": "/data/my site"}, "", "VAR_DIR='/data/my site' .venv/bin/python manage.py createsuperuser"),
        ({"VAR_DIR": "/data"}, "export VAR_DIR=/data\n", ".venv/bin/python manage.py createsuperuser"),
        (
            {"DATABASE_URL": "sqlite:////tmp/site.sqlite3", "SECRET_KEY": "hidden"},
            "# DATABASE_URL=none\n",
            "DATABASE_URL=sqlite:////tmp/site.sqlite3 .venv/bin/python manage.py createsuperuser",
        ),
        (
            {"DATABASE_URL": "postgres://insight:s3cret@db/insight"},
            "",
            "DATABASE_URL='postgres://…@db/insight' .venv/bin/python manage.py createsuperuser",
        ),
        (
            {"DATABASE_URL": "postgres://insight:s3cret@db/insight", "DATABASE_URL_FILE": "/run/secrets/db"},
            "",
            "DATABASE_URL_FILE=/run/secrets/db .venv/bin/python manage.py createsuperuser",
        ),
    ],
)
def test_account_command__goes_to_the_database_of_this_site_and_shows_no_password(
    tmp_path: Path, environment: dict[str, str], dotenv: str, wanted: str
) -> None:
    if dotenv:
        (tmp_path / ".env").write_text(dotenv)

    command = account_command(tmp_path, f"{tmp_path}/.venv/bin/python", environment)

    assert command == f"cd {tmp_path} && {wanted}"
    assert account_command(tmp_path, "/usr/bin/python3", {}).endswith("&& /usr/bin/python3 manage.py createsuperuser")
