"""A proxy's header: believed from the proxy alone."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from insight_site.models import SignIn
from insight_site.signin.trusted_header import is_trusted
from tests.insight_site.signin.make import events, inside, log_in, person

pytestmark = pytest.mark.django_db
PROXY = "10.1.2.3"


@pytest.fixture(autouse=True)
def _header(settings: Any) -> None:
    settings.TRUSTED_HEADER_USER = "X-Forwarded-User"
    settings.TRUSTED_HEADER_EMAIL = "X-Forwarded-Email"
    settings.TRUSTED_HEADER_GROUPS = "X-Forwarded-Groups"
    settings.TRUSTED_PROXIES = ["10.1.2.0/24"]
    settings.SSO_ROLES = {"pm": ("PM",), "admins": ("Admin",)}


def get(client: Client, name: str = "ann", path: str = "/account/", address: str = PROXY, **more: str) -> Any:
    headers = {**({"x-forwarded-user": name} if name else {}), **more}
    return client.get(path, REMOTE_ADDR=address, headers=headers)


def test_header__from_the_proxy__signs_in_with_roles(client: Client) -> None:
    answer = get(client, **{"x-forwarded-groups": "pm, choir", "x-forwarded-email": "ann@example.org"})

    ann = User.objects.get()
    assert answer.status_code == 200
    assert (ann.username, ann.email, ann.has_usable_password()) == ("ann", "ann@example.org", False)
    assert list(ann.groups.values_list("name", flat=True)) == ["PM"]
    assert events("ann") == ["activated", "roles", "signed_in"]
    assert SignIn.objects.get(event="signed_in").how == "header"


@pytest.mark.parametrize("address", ["203.0.113.9", "10.1.3.3", "127.0.0.1", "", "nonsense", "::1"])
@pytest.mark.parametrize("behind", [False, True])
def test_header__from_anywhere_else__is_nothing(client: Client, settings: Any, address: str, behind: bool) -> None:
    settings.BEHIND_PROXY = behind  # callers write X-Forwarded-For: it never makes a proxy of them

    answer = get(client, address=address, **{"x-forwarded-for": PROXY})

    assert answer.status_code == 302
    assert not User.objects.exists()
    assert not inside(client)


def test_header__that_the_site_does_not_know__is_nothing(client: Client, settings: Any) -> None:
    settings.TRUSTED_HEADER_USER = ""

    assert get(client).status_code == 302


@pytest.mark.parametrize(("second", "who"), [("bob", "bob"), ("", None)])
def test_header__that_names_another_or_nobody__ends_the_session(client: Client, second: str, who: str | None) -> None:
    get(client)

    answer = get(client, second)

    assert (answer.status_code == 200) is (who is not None)
    assert inside(client) is (who is not None)
    if who:
        assert client.session["_auth_user_id"] == str(User.objects.get(username=who).pk)


def test_header__with_other_groups__changes_roles_at_once(client: Client) -> None:
    get(client, **{"x-forwarded-groups": "admins"})
    assert User.objects.get().is_staff

    get(client, **{"x-forwarded-groups": "pm"})

    assert list(User.objects.get().groups.values_list("name", flat=True)) == ["PM"]
    assert not User.objects.get().is_staff


def test_session__stolen_and_used_past_the_proxy__ends(client: Client) -> None:
    get(client)

    assert get(client, address="203.0.113.9").status_code == 302


def test_session__begun_with_a_password__is_left_alone(client: Client) -> None:
    person("ann")
    log_in(client, address="203.0.113.9")

    assert client.get("/account/", REMOTE_ADDR="203.0.113.9").status_code == 200


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("SSO_REQUIRES_GROUP", True, "None of your groups"),
        ("SSO_CREATES_ACCOUNTS", False, "You have no account here"),
        ("SSO_EMAIL_DOMAINS", ["example.com"], "People with your e-mail"),
    ],
)
def test_stranger__is_refused_with_a_sentence(
    client: Client, settings: Any, setting: str, value: Any, sentence: str
) -> None:
    setattr(settings, setting, value)

    answer = get(client, **{"x-forwarded-email": "ann@evil.example.org"})

    assert answer.status_code == 403
    assert sentence in answer.content.decode()
    assert not User.objects.exists()
    assert get(client, path="/api/v1/users").json()["code"] == "forbidden"


def test_deactivated_account__is_refused(client: Client) -> None:
    person(is_active=False)

    assert "was deactivated" in get(client).content.decode()
    assert not inside(client)


@pytest.mark.parametrize("name", ["a\x00b", "x" * 200, "an n<script>", "a\nb"])
def test_name__that_no_account_can_have__is_refused(client: Client, name: str) -> None:
    assert get(client, name).status_code == 403
    assert not User.objects.exists()


def test_program__with_a_key_of_its_own__is_no_person(client: Client) -> None:
    answer = get(client, path="/api/v1/users", **{"x-api-key": "ak_wrong"})

    assert answer.status_code == 401
    assert not User.objects.exists()


def test_socket__without_addresses__counts_where_it_is_named(settings: Any) -> None:
    assert not is_trusted("")
    settings.TRUSTED_PROXIES = ["unix"]
    assert is_trusted("")
    assert not is_trusted("10.1.2.3")
    settings.TRUSTED_PROXIES = ["10.1.2.3", "2001:db8::/64"]
    assert is_trusted("::ffff:10.1.2.3")
    assert is_trusted("2001:db8::5")
    assert Group.objects.exists()


@pytest.mark.parametrize("key", [{"x-api-key": "ak_x"}, {"authorization": "Basic YW5uOng="}])
def test_key__on_a_page__keeps_no_session_alive_and_nobody_out(client: Client, key: dict[str, str]) -> None:
    assert get(client, **key).status_code == 200  # proxies hand on what a browser sent, or write it themselves

    assert get(client, "", **key).status_code == 302
    assert not inside(client)


def test_role_that_needs_a_second_factor__is_asked_for_none_by_this_site(client: Client, settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["PM"]

    first, second = (get(client, path="/experiments/", **{"x-forwarded-groups": "pm"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 200)
