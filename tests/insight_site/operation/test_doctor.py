"""`doctor`: each trouble is named with a mend, and a site without trouble is left in peace."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from insight_site.models import Notice
from insight_site.operate import doctor
from insight_site.operate.doctor import LOOK, OK, WRONG
from runs.models import Schedule
from runs.queue.status import sign

pytestmark = pytest.mark.django_db


def use_https(settings: Any, *, on: bool) -> None:
    for name in ("HTTPS", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS"):
        setattr(settings, name, on)


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, settings: Any) -> None:
    """A site in which nothing is wrong."""
    tmp_path.chmod(0o700)
    for name, folder in {"EVENTS_URL": "events", "EXPLORE_DIR": "explore", "COMPILED_DIR": "compiled"}.items():
        setattr(settings, name, str(tmp_path / folder))
    settings.UPLOADS_DIR = tmp_path / "uploads"
    use_https(settings, on=True)
    settings.BEHIND_PROXY, settings.WORKERS, settings.EXPLORE_MEMORY = True, 1, "100MB"
    settings.BASE_DIR = settings.VAR_DIR = tmp_path
    User.objects.create_superuser("boss")
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
    settings.NOTICES = replace(settings.NOTICES, site="https://insight.example.com")
    sign("box:1", timezone.now())
    Schedule.objects.update(next_run=timezone.now())


def run() -> tuple[int, dict[str, tuple[str, str, str]]]:
    out, code = io.StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    findings = json.loads(out.getvalue())["findings"]
    return code, {one["name"]: (one["state"], one["text"], one["mend"]) for one in findings}


@pytest.mark.slow
def test_site__without_trouble__is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_is_open", lambda file: False)

    code, found = run()

    assert code == 0
    assert {name: said for name, said in found.items() if said[0] != OK} == {}
    assert {"settings", "folders", "privacy", "database", "migrations", "people", "worker", "store"} <= found.keys()


@pytest.mark.slow
def test_https__off__is_one_line_with_its_mend(settings: Any) -> None:
    use_https(settings, on=False)

    found = [one for one in doctor.examine() if one.name == "settings" and one.state == LOOK]

    assert len(found) == 1
    assert "HTTPS=1" in found[0].mend


def test_folder__that_cannot_be_written__is_named(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings.UPLOADS_DIR = tmp_path / "file"

    code, found = run()

    assert code == 1
    assert found["folders"][0] == WRONG
    assert "UPLOADS_DIR" in found["folders"][1]


@pytest.mark.parametrize(("way", "mode", "state"), [(0o755, 0o644, LOOK), (0o755, 0o600, OK), (0o700, 0o644, OK)])
def test_secret__that_others_can_read__is_named(way: int, mode: int, state: str, settings: Any, tmp_path: Path) -> None:
    """Not the file's mode alone decides: a folder that nobody enters hides it."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        settings.VAR_DIR = folder
        (folder / "secret_key").write_text("x")
        (folder / "secret_key").chmod(mode)
        folder.chmod(way)

        found = {one.name: one for one in doctor.examine()}

        said = str(folder / "secret_key") in found["privacy"].text
        folder.chmod(0o700)
    assert said == (state == LOOK)


def test_package__of_another_version__is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("django==0.1 \\\n    --hash=sha256:x\nnosuchthing==1.0\n")

    _, found = run()

    assert found["packages"][0] == LOOK
    assert "≠ 0.1" in found["packages"][1]
    assert "nosuchthing missing ≠ 1.0" in found["packages"][1]
    assert "--require-hashes" in found["packages"][2]


def test_nobody__who_can_administer__is_wrong() -> None:
    User.objects.update(is_active=False)

    code, found = run()

    assert (code, found["people"][0]) == (1, WRONG)
    assert "bootstrap" in found["people"][2]


def test_database__away__is_said_once_and_nothing_that_rests_on_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "insight_site.operate.component_health.NEEDED", {"database": lambda: "failed: OperationalError"}
    )

    code, found = run()

    assert code == 1
    assert found["database"][0] == WRONG
    assert not {"worker", "people"} & found.keys()


def test_every_part__has_a_mend() -> None:
    from insight_site.operate import component_health

    assert component_health.SIGNS.keys() == doctor.MENDS.keys()
    assert all(mend() for mend in doctor.MENDS.values())


def test_terminal__shows_marks_and_mends() -> None:
    User.objects.update(is_active=False)
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)

    assert (
        "✗ people: nobody can administer this site\n    → manage.py bootstrap --email YOU@EXAMPLE.COM" in out.getvalue()
    )


@pytest.mark.slow
def test_mail__that_goes_nowhere__leads_nowhere__or_was_given_up(settings: Any) -> None:
    site = settings.NOTICES
    Notice.objects.create(kind="started", happened_at=timezone.now(), state="given_up", ended_at=timezone.now())
    assert run()[1]["mail"][:2] == (LOOK, "1 notices of the last week were given up")
    settings.NOTICES = replace(site, site="https://localhost")
    assert run()[1]["mail"][:2] == (LOOK, "links in mails lead to https://localhost")
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    assert run()[1]["mail"][:2] == (LOOK, "no mail goes out: EMAIL_URL is not set")
