"""The one door: where it is, what it says, what stays shut."""

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from insight_site.models import Preference, SignIn
from tests.insight_site.signin.make import PASSWORD, events, inside, log_in, person, superuser

pytestmark = pytest.mark.django_db


def test_login__right_password__goes_where_the_person_wanted(client: Client) -> None:
    person()

    answer = log_in(client, next="/glossary/?x=1")

    assert (answer.status_code, answer["Location"]) == (302, "/glossary/?x=1")
    assert events("ann") == ["confirmed", "signed_in"]
    assert SignIn.objects.get(event="signed_in").how == "password"


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_login__other_site_as_next__goes_home(client: Client, following: str) -> None:
    person()

    assert log_in(client, next=following)["Location"] == "/"


def test_admin_login__leads_to_the_same_door(client: Client) -> None:
    superuser()

    answer = client.get("/admin/login/?next=/admin/auth/user/")
    posted = client.post("/admin/login/", {"username": "root", "password": PASSWORD})

    assert answer["Location"] == "/login/?next=%2Fadmin%2Fauth%2Fuser%2F"
    assert posted["Location"].startswith("/login/")
    assert not inside(client)
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/login/?next=%2Fadmin%2F"


def test_admin_login__of_somebody_who_may_not_enter__says_so_and_goes_round_in_no_circle(client: Client) -> None:
    client.force_login(person())

    assert client.get("/admin/", follow=True).status_code == 403


def test_admin_password_page__leads_to_the_sites_own(client: Client) -> None:
    client.force_login(superuser())

    assert client.get("/admin/password_change/")["Location"] == "/account/password/"


@pytest.mark.parametrize(
    "path",
    [
        "/signup/",
        "/accounts/signup/",
        "/account/signup/",
        "/accounts/login/",
        "/account/email/",
        "/3rdparty/",
        "/sso/signup/",
    ],
)
def test_pages_of_allauth_that_nobody_wants__are_not_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_logout__ends_the_session_and_stands_on_record(client: Client) -> None:
    person()
    log_in(client)

    client.post("/logout/")

    assert not inside(client)
    assert events("ann")[-1] == "signed_out"
    assert client.get("/account/")["Location"].startswith("/login/")


def test_local_passwords_off__form_post_and_reset_are_gone(client: Client, settings: Any) -> None:
    settings.LOCAL_PASSWORDS = False
    person()

    page = client.get("/login/").content.decode()

    assert "id_password" not in page
    assert log_in(client).status_code == 403
    assert not inside(client)
    for path in ("/password/forgotten/", "/password/sent/", "/password/MQ/set-password/", "/account/password/"):
        assert client.get(path).status_code == 404, path
    client.force_login(User.objects.get())
    assert client.get("/account/password/").status_code == 404


@pytest.mark.parametrize("passwords", [True, False])
def test_sign_in_link__of_the_operator__lets_in_once(
    client: Client, settings: Any, capsys: pytest.CaptureFixture[str], passwords: bool
) -> None:
    settings.LOCAL_PASSWORDS = passwords
    ann = person()
    call_command("sign_in_link", "ann")
    path = capsys.readouterr().out.strip()

    asked = client.get(path)
    assert (asked.status_code, inside(client)) == (200, False)  # a scanner of mail that follows links uses nothing up
    client.post(path)
    assert client.session["_auth_user_id"] == str(ann.pk)

    again = Client()
    assert again.get(path).status_code == again.post(path).status_code == 403
    assert not inside(again)
    assert SignIn.objects.get(event="signed_in").how == "link"


def test_sign_in_link__old_forged_or_of_a_deactivated_account__lets_nobody_in(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insight_site.signin import accounts

    ann = person()
    path = accounts.operator_path(ann)
    ann.is_active = False
    ann.save()

    assert client.post(path).status_code == 403
    assert client.post("/login/link/forged/").status_code == 403
    ann.is_active = True
    ann.save()
    monkeypatch.setattr(accounts, "OPERATOR_MINUTES", -1)
    assert client.post(path).status_code == 403
    assert not inside(client)


def test_login__account_with_a_language__speaks_it(client: Client) -> None:
    Preference.objects.create(user=person(), language="ko")

    assert log_in(client).cookies["django_language"].value == "ko"


@pytest.mark.parametrize(
    "password", ["19940312271", "123456789012", "password12345"[:11], "ann@example.org1", "1q2w3e4r5t6y"]
)
def test_new_password__weak__is_refused(client: Client, password: str) -> None:
    client.force_login(person())

    form = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    answer = client.post("/account/password/", form)

    assert answer.status_code == 200
    assert answer.context["form"].errors["new_password2"]
    assert User.objects.get().check_password(PASSWORD)


def test_change_password__guesses_of_the_old_one__are_throttled(client: Client) -> None:
    client.force_login(person())
    form = {"new_password1": "quite another phrase", "new_password2": "quite another phrase"}
    for _ in range(10):
        client.post("/account/password/", {**form, "old_password": "wrong"})

    answer = client.post("/account/password/", {**form, "old_password": PASSWORD})

    assert "Too many tries" in str(answer.context["form"].errors)
    assert User.objects.get().check_password(PASSWORD)


def test_change_password__ends_other_sessions_and_keeps_this(client: Client) -> None:
    ann, other = person(), Client()
    log_in(client)
    log_in(other)

    form = {"old_password": PASSWORD, "new_password1": "quite another phrase", "new_password2": "quite another phrase"}
    client.post("/account/password/", form)

    ann.refresh_from_db()
    assert ann.check_password("quite another phrase")
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302
    assert "password" in events("ann")


def test_change_password__leaves_this_session_in_the_list(client: Client) -> None:
    person()
    log_in(client)
    new = "quite another phrase"

    client.post("/account/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})

    assert [row.session_key for row in UserSession.objects.all()] == [client.session.session_key]


def test_login__with_itself_as_next__goes_home(client: Client) -> None:
    client.force_login(person())

    assert client.get("/login/?next=/login/")["Location"] == "/"
