"""The system checks of our own settings, and the site's production settings under Django's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from insight_site.checks import check_settings

ROOT = Path(__file__).resolve().parents[2]
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}}}
GOOD: dict[str, Any] = {
    "DATABASES": SQLITE,
    "API_KEY_PEPPERS": ["p" * 32],
    "EVENT_ID_DAYS": 7,
    "WORKERS": 1,
    "RATES": {"ingest": 1},
    "REDIS_URL": "",
    "EVENTS_URL": "/var/events",
}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str | None]]:
    """The ids that the checks find when these settings differ from good ones."""

    def ids(**changed: Any) -> list[str | None]:
        monkeypatch.setattr("insight_site.checks.settings", SimpleNamespace(**{**GOOD, **changed}))
        return [message.id for message in check_settings(None)]

    return ids


def test_checks__store_in_s3_without_the_package__is_named(
    check: Callable[..., list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.store.object_store.PACKAGE", "no_such_package")

    assert check(EVENTS_URL="s3://bucket/events") == ["insight.E007"]
    assert check(EVENTS_URL="/var/events") == []


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # The browser tests set it for their own process, and a deployment must not have it.
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, []),
        ({"WORKERS": 0}, ["insight.E001"]),
        ({"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}}, ["insight.E002"]),
        ({"DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}}}, []),
        ({"API_KEY_PEPPERS": []}, ["insight.E003"]),
        ({"API_KEY_PEPPERS": ["p" * 32, "p" * 31]}, ["insight.E003"]),
        ({"EVENT_ID_DAYS": 6}, ["insight.E004"]),
        ({"RATES": {"ingest": 0}}, ["insight.E006"]),
        ({"EVENT_ID_DAYS": 6, "RATES": {"ingest": 0}}, ["insight.E004", "insight.E006"]),
    ],
    ids=str,
)
def test_check__of_a_setting__refuses_just_beyond_the_limit(
    changed: dict[str, Any], ids: list[str], check: Callable[..., list[str | None]]
) -> None:
    assert check(**changed) == ids


@pytest.mark.parametrize(("installed", "ids"), [(None, ["insight.E005"]), ("redis", [])])
def test_check__of_redis__needs_its_package(
    installed: str | None, ids: list[str], check: Callable[..., list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("insight_site.checks.importlib.util.find_spec", lambda name: installed)

    assert check(REDIS_URL="redis://127.0.0.1/0") == ids


def test_check__of_the_default_settings__finds_nothing() -> None:
    assert check_settings(None) == []


@pytest.mark.slow
def test_check_deploy__with_production_settings__has_no_warning(tmp_path: Path) -> None:
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        HTTPS="1",
        DEBUG="0",
        SECRET_KEY="0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        ALLOWED_HOSTS="insight.example",
        EVENTS_URL=str(tmp_path),
    )

    assert (done.returncode, done.stdout.strip()) == (0, "System check identified no issues (3 silenced)."), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, "max-age=31536000"),
        ({"HSTS_SUBDOMAINS": "1"}, "max-age=31536000; includeSubDomains"),
        ({"HSTS_SUBDOMAINS": "1", "HSTS_PRELOAD": "1"}, "max-age=31536000; includeSubDomains; preload"),
    ],
    ids=str,
)
def test_https__binds_other_hosts__only_when_asked(asked: dict[str, str], sent: str) -> None:
    code = (
        "from django.test import Client; "
        "print(Client().get('/v1/', secure=True, headers={'host': 'localhost'})['Strict-Transport-Security'])"
    )

    done = manage("shell", "-v0", "-c", code, HTTPS="1", **asked)

    assert done.stdout.strip() == sent, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "said"), [({"EVENT_ID_DAYS": "6"}, "insight.E004"), ({"RATE_INGEST": "0"}, "insight.E006")], ids=str
)
def test_check__of_a_bad_environment__ends_with_an_error(environment: dict[str, str], said: str) -> None:
    done = manage("check", **environment)

    assert done.returncode == 1
    assert said in done.stderr
