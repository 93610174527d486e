"""The first administrator: by a password of a file or a link that works once; never twice, never a default."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from events.models import Source
from insight_site.access.keys import find_caller
from insight_site.models import ApiKey

pytestmark = pytest.mark.django_db
BOSS = "boss@example.com"
GOOD = "violet-otter-19-canyon"


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("bootstrap", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("bootstrap", *arguments, stdout=StringIO())
    assert caught.value.returncode == 2
    return str(caught.value)


def test_link__chooses_a_password_once_and_nobody_logs_in_before(settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = ["insight.example", "testserver"], True
    link = run("--email", BOSS)["link"]
    person, stranger = Client(), Client()

    page = person.get(urlsplit(link).path, follow=True)
    chosen = person.post(page.redirect_chain[-1][0], {"new_password1": GOOD, "new_password2": GOOD})
    again = stranger.get(urlsplit(link).path, follow=True)

    assert link.startswith("https://insight.example/password/")
    assert page.status_code == 200
    assert urlsplit(link).path.split("/")[-2] not in page.content.decode()
    assert chosen.headers["Location"] == "/login/"
    assert "This link has ended" in again.content.decode()
    assert Client().login(username=BOSS, password=GOOD)
    assert User.objects.get().is_superuser


def test_site_without_passwords__gives_no_link_to_a_page_that_is_not_there(settings: Any) -> None:
    settings.LOCAL_PASSWORDS = False

    made = run("--email", BOSS)

    assert (made["administrator"], made["link"]) == (BOSS, None)


def test_no_password__fits_before_one_is_chosen() -> None:
    run("--email", BOSS)

    assert not User.objects.get().has_usable_password()
    assert not Client().login(username=BOSS, password="")
    assert not Client().login(username=BOSS, password="None")


def test_environment__with_a_password_file__makes_an_administrator_who_can_log_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(GOOD + "\n")
    monkeypatch.setenv("BOOTSTRAP_ADMIN_EMAIL", BOSS)
    monkeypatch.setenv("BOOTSTRAP_ADMIN_PASSWORD_FILE", str(tmp_path / "password"))

    made = run()

    assert made == {"administrator": BOSS, "link": None, "source": None, "key": None}
    assert Client().login(username=BOSS, password=GOOD)


def test_second_call__makes_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(GOOD)
    (tmp_path / "other").write_text("another-" + GOOD)
    run("--email", BOSS, "--password-file", str(tmp_path / "password"), "--source", "shop")

    again = run("--email", BOSS, "--password-file", str(tmp_path / "other"), "--source", "shop")

    assert again == {"administrator": None, "link": None, "source": None, "key": None}
    assert Client().login(username=BOSS, password=GOOD)
    assert (User.objects.count(), Source.objects.count(), ApiKey.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["server", "client"])
def test_source__on_request__has_a_key_that_sends_events(kind: str) -> None:
    made = run("--email", BOSS, "--source", "shop", "--key-kind", kind)

    caller = find_caller(made["key"])
    assert caller is not None
    assert (caller.kind, caller.may("events:write"), caller.may("admin:*")) == (kind, True, False)


def test_other_administrator__is_refused_and_nothing_is_made() -> None:
    User.objects.create_superuser("somebody")

    said = refused("--email", BOSS, "--source", "shop")

    assert said == "This site has an administrator already, who can add others under Users in the admin."
    assert (User.objects.count(), Source.objects.count()) == (1, 0)


def test_account_of_that_name__is_never_raised_to_an_administrator() -> None:
    User.objects.create_user(BOSS, password=GOOD)

    assert refused("--email", BOSS) == f"There is an account named {BOSS} that is no administrator."
    assert not User.objects.get().is_superuser


@pytest.mark.parametrize("password", ["", "short", "password1234", BOSS])
def test_weak_password__is_refused_and_nobody_is_made(password: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(password)

    assert refused("--email", BOSS, "--password-file", str(tmp_path / "password"))
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "arguments", [(), ("--email", ""), ("--email", "a b"), ("--email", BOSS, "--password-file", "/no")]
)
def test_bad_input__is_one_sentence(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOTSTRAP_ADMIN_EMAIL", raising=False)

    assert refused(*arguments).count("\n") == 0
    assert not User.objects.exists()


def test_terminal__shows_the_link_and_the_key_once() -> None:
    out = StringIO()
    call_command("bootstrap", "--email", BOSS, "--source", "shop", "--address", "https://i.example/", stdout=out)
    second = StringIO()
    call_command("bootstrap", "--email", BOSS, "--source", "shop", stdout=second)

    assert "https://i.example/password/" in out.getvalue()
    assert "key, shown only now: sk_" in out.getvalue()
    assert second.getvalue() == "Everything is there already; nothing was changed.\n"
