"""OpenID Connect against a real server of it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.test import Client
from oidc_provider_mock import User as Known
from oidc_provider_mock import run_server_in_thread

from insight_site.models import SignIn
from tests.insight_site.signin.make import events, inside, log_in, person, superuser
from tests.insight_site.signin.providers import go_through_oidc, set_up

pytestmark = pytest.mark.django_db


def known(sub: str, *, verified: bool = True, groups: list[str] | None = None, email: str = "") -> Known:
    claims = {"email": email or f"{sub}@example.org", "email_verified": verified, "preferred_username": sub}
    return Known(sub=sub, claims={**claims, "groups": groups or []})


PEOPLE = [
    known("ann", groups=["pm", "choir"]),
    known("ann-elsewhere", email="ann@example.org", verified=False),
    known("boss", groups=["admins"]),
    known("stranger", email="s@elsewhere.example"),
    known("dotless", email="m\u0131ke@example.org"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE) as running:
        yield f"http://localhost:{running.server_port}"


@pytest.fixture(autouse=True)
def _oidc(settings: Any, server: str) -> None:
    set_up(
        settings,
        OIDC_SERVER_URL=server,
        OIDC_CLIENT_ID="insight",
        OIDC_CLIENT_SECRET="secret",
        OIDC_NAME="Example account",
        OIDC_SCOPES="openid,profile,email,groups",
    )
    settings.SSO_ROLES = {"pm": ("PM",), "admins": ("Admin", "Analyst")}


def roles(name: str) -> set[str]:
    return set(User.objects.get(username=name).groups.values_list("name", flat=True))


def test_first_sign_in__makes_an_account_with_the_roles_of_its_groups(client: Client) -> None:
    answer = go_through_oidc(client, "ann", following="/glossary/")

    ann = User.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, "/glossary/")
    assert inside(client)
    assert (ann.username, ann.email, roles("ann"), ann.is_staff) == ("ann", "ann@example.org", {"PM"}, False)
    assert not ann.has_usable_password()
    assert events("ann") == ["activated", "roles", "signed_in"]
    assert SignIn.objects.get(event="signed_in").how == "provider:oidc"


def test_admins__get_the_way_into_the_admin_and_lose_it_again(client: Client, settings: Any) -> None:
    go_through_oidc(client, "boss")
    assert User.objects.get().is_staff
    assert roles("boss") == {"Admin", "Analyst"}
    User.objects.get().groups.add(Group.objects.get(name="Service owner"))

    settings.SSO_ROLES = {"x": ("Admin",), "admins": ("Analyst",)}
    go_through_oidc(Client(), "boss")
    assert roles("boss") == {"Analyst", "Service owner"}
    assert User.objects.get().is_staff  # of the role that the mapping doesn't manage
    User.objects.get().groups.remove(Group.objects.get(name="Service owner"))
    User.objects.get().groups.add(Group.objects.get(name="Admin"))
    go_through_oidc(Client(), "boss")

    assert not User.objects.get().is_staff


def test_nobody_of_a_mapped_group__is_refused_with_a_sentence(client: Client, settings: Any) -> None:
    settings.SSO_REQUIRES_GROUP = True

    answer = go_through_oidc(client, "stranger")

    assert answer.status_code == 403
    assert "None of your groups may use this site" in answer.content.decode()
    assert not inside(client)
    assert not User.objects.exists()
    go_through_oidc(client, "ann")
    assert inside(client)


def test_group_lost__is_refused_at_the_next_sign_in(client: Client, settings: Any) -> None:
    go_through_oidc(client, "ann")
    settings.SSO_REQUIRES_GROUP, settings.SSO_ROLES = True, {"others": ("PM",)}
    again = Client()

    assert go_through_oidc(again, "ann").status_code == 403
    assert not inside(again)


def test_account_with_the_address__is_joined_when_the_provider_has_checked_it(client: Client) -> None:
    ann = person("ann.smith", email="Ann@Example.org")

    go_through_oidc(client, "ann")

    assert client.session["_auth_user_id"] == str(ann.pk)
    assert User.objects.count() == 1
    ann.refresh_from_db()
    assert ann.has_usable_password()
    go_through_oidc(Client(), "ann")
    assert User.objects.count() == 1


def test_account_with_the_address__not_checked__is_not_joined(client: Client) -> None:
    superuser("ann")

    answer = go_through_oidc(client, "ann-elsewhere")

    assert answer.status_code == 403
    assert "doesn&#x27;t say that it has checked" in answer.content.decode()
    assert not inside(client)
    assert User.objects.count() == 1


def test_two_accounts_with_the_address__none_is_joined(client: Client) -> None:
    person("one", email="ann@example.org")
    person("two", email="ann@example.org")

    assert go_through_oidc(client, "ann").status_code == 403
    assert not inside(client)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("SSO_CREATES_ACCOUNTS", False, "You have no account here"),
        ("SSO_EMAIL_DOMAINS", ["example.org"], "People with your e-mail address"),
    ],
)
def test_stranger__is_refused(client: Client, settings: Any, setting: str, value: Any, sentence: str) -> None:
    setattr(settings, setting, value)

    answer = go_through_oidc(client, "stranger")

    assert sentence in answer.content.decode()
    assert not User.objects.exists()
    assert SignIn.objects.get().event == "refused"


def test_domain_allowed__comes_in(client: Client, settings: Any) -> None:
    settings.SSO_EMAIL_DOMAINS = ["Example.org"]

    go_through_oidc(client, "ann")

    assert inside(client)


def test_deactivated_account__is_refused(client: Client) -> None:
    go_through_oidc(client, "ann")
    User.objects.update(is_active=False)
    again = Client()

    answer = go_through_oidc(again, "ann")

    assert "was deactivated" in answer.content.decode()
    assert not inside(again)


def test_cancelled_at_the_provider__says_how_to_go_on(client: Client) -> None:
    answer = go_through_oidc(client, "ann", deny=True)

    assert answer.status_code == 403
    assert "did not work" in answer.content.decode()


@pytest.mark.parametrize("query", ["", "?code=x&state=y", "?error=access_denied&state=y"])
def test_callback__that_nobody_began__lets_nobody_in(client: Client, query: str) -> None:
    assert client.get(f"/sso/oidc/oidc/callback/{query}").status_code == 403
    assert not inside(client)


def test_callback__of_another_browsers_sign_in__lets_nobody_in(client: Client) -> None:
    started = Client().get("/sso/oidc/oidc/login/")
    sent = requests.post(started["Location"], data={"sub": "ann"}, allow_redirects=False, timeout=10)

    answer = client.get(sent.headers["Location"].removeprefix("http://testserver"))

    assert answer.status_code == 403
    assert not inside(client)


def test_provider_away__is_said_on_a_page(client: Client, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://localhost:9"

    answer = client.get("/sso/oidc/oidc/login/")

    assert answer.status_code == 403
    assert "does not answer" in answer.content.decode()


def test_provider_in_the_database__counts_for_nothing(client: Client, server: str) -> None:
    from allauth.socialaccount.models import SocialApp

    more = {"server_url": server}
    SocialApp.objects.create(provider="openid_connect", provider_id="evil", client_id="x", name="Evil", settings=more)

    assert client.get("/sso/oidc/evil/login/").status_code == 404
    assert "Evil" not in client.get("/login/").content.decode()


def test_local_password__still_works_beside_it(client: Client) -> None:
    person("bob")

    log_in(client, "bob")

    assert inside(client)


def test_domain_allowed__address_that_the_provider_has_not_checked__is_refused(client: Client, settings: Any) -> None:
    settings.SSO_EMAIL_DOMAINS = ["example.org"]

    answer = go_through_oidc(client, "ann-elsewhere")

    assert "People with your e-mail address" in answer.content.decode()
    assert not User.objects.exists()


def test_account_whose_address_only_looks_alike__is_not_joined(client: Client) -> None:
    superuser("mike")  # PostgreSQL's UPPER makes one letter of both

    go_through_oidc(client, "dotless")

    assert client.session.get("_auth_user_id") != str(User.objects.get(username="mike").pk)


def test_process__of_joining_the_account_that_is_logged_in__is_refused(client: Client) -> None:
    bob = person("bob", password=None)
    client.force_login(bob)

    started = client.get("/sso/oidc/oidc/login/", {"process": "connect"})
    sent = requests.post(started["Location"], data={"sub": "stranger"}, allow_redirects=False, timeout=10)
    answer = client.get(sent.headers["Location"].removeprefix("http://testserver"))

    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()
