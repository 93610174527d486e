"""SAML, with responses that the tests sign themselves: the good one comes in, each bad one doesn't."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client

from insight_site.models import SignIn
from insight_site.signin import views
from tests.insight_site.signin.make import events, inside, person
from tests.insight_site.signin.providers import (
    IDP,
    Said,
    assertion,
    go_through_saml,
    key_pair,
    post,
    request_id,
    response,
    set_up,
)

pytestmark = pytest.mark.django_db


def browser() -> Client:
    """One that says which host it asks, as browsers do and Django's doesn't."""
    return Client(HTTP_HOST="testserver")


@pytest.fixture
def client() -> Client:
    return browser()


@pytest.fixture(autouse=True)
def _saml(settings: Any) -> None:
    set_up(
        settings,
        SAML_IDP_ID=IDP,
        SAML_SSO_URL="https://idp.example/sso",
        SAML_CERTIFICATE=key_pair("idp")[1],
        SAML_NAME="Example account",
    )
    settings.SSO_ROLES = {"pm": ("PM",)}


@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_good_response__makes_an_account_with_its_roles(client: Client, sign: str) -> None:
    answer = go_through_saml(client, Said(groups=("pm", "other"), sign=sign))

    ann = User.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert inside(client)
    assert (ann.email, list(ann.groups.values_list("name", flat=True))) == ("ann@example.org", ["PM"])
    assert not ann.has_usable_password()
    assert SignIn.objects.get(event="signed_in").how == f"provider:{IDP}"


def test_again__other_groups__are_other_roles(client: Client) -> None:
    go_through_saml(client, Said(groups=("pm",)))

    go_through_saml(browser(), Said(groups=()))

    assert User.objects.get().groups.count() == 0


def wrapped(xml: str) -> str:
    """A signed assertion is moved aside, and one of another person stands in its place (signature wrapping)."""
    found = re.search(r"<saml:Assertion.*</saml:Assertion>", xml, re.DOTALL)
    assert found is not None
    evil = assertion(Said(name_id="root", email="root@example.org"), "_evil")
    aside = f"<samlp:Extensions>{found[0]}</samlp:Extensions>"
    return xml.replace(found[0], evil).replace("<samlp:Status>", f"{aside}<samlp:Status>")


def wrapped_within(xml: str) -> str:
    """The signed assertion hides in the signature of another person's."""
    found = re.search(r"<saml:Assertion.*</saml:Assertion>", xml, re.DOTALL)
    assert found is not None
    evil = assertion(Said(name_id="root", email="root@example.org"), "_evil")
    return xml.replace(
        found[0], evil.replace("<saml:Subject>", f"<saml:Advice>{found[0]}</saml:Advice><saml:Subject>", 1)
    )


def doubled(xml: str) -> str:
    """An unsigned assertion before the signed one."""
    return xml.replace("<saml:Assertion", assertion(Said(name_id="root"), "_evil") + "<saml:Assertion", 1)


BAD: dict[str, dict[str, Any]] = {
    "unsigned": {"sign": "nothing"},
    "another key": {"signer": "stranger"},
    "another site's": {"audience": "https://other.example/"},
    "sent elsewhere": {"destination": "https://other.example/acs/"},
    "old": {"minutes": -10},
    "changed": {"change": lambda xml: xml.replace("ann-1", "root")},
    "comment in the name": {"change": lambda xml: xml.replace("ann-1", "root<!-- -->-1")},
    "wrapped": {"change": wrapped},
    "wrapped within": {"change": wrapped_within},
    "doubled": {"change": doubled},
    "no question of this browser": {"in_response_to": "_nobody_asked"},
    "entity": {
        "change": lambda xml: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + xml.replace("ann-1", "&e;")
    },
    "no xml": {"change": lambda xml: "<"},
}


@pytest.mark.parametrize("case", BAD)
def test_bad_response__lets_nobody_in(client: Client, case: str) -> None:
    person("root", email="root@example.org")

    answer = go_through_saml(client, Said(**BAD[case]))

    assert answer.status_code == 403
    assert "did not work" in answer.content.decode()
    assert not inside(client)
    assert User.objects.count() == 1
    assert events()[-1] == "refused"


def test_replay__of_a_good_response__lets_nobody_in_anywhere(client: Client) -> None:
    said = Said()
    go_through_saml(client, said)
    packed = response(said)
    client.post("/logout/")

    here = post(client, packed)
    there = browser()
    elsewhere = post(there, packed)

    assert (here.status_code, elsewhere.status_code) == (403, 403)
    assert not inside(client)
    assert not inside(there)


def test_unasked__response_of_the_provider__lets_nobody_in(client: Client) -> None:
    answer = post(client, response(Said()))

    assert answer.status_code == 403
    assert not inside(client)


@pytest.mark.parametrize("path", ["/sso/saml/saml/logout/", "/sso/saml/saml/logout/?SAMLRequest=x"])
def test_logout__not_signed__ends_nothing(client: Client, path: str) -> None:
    client.force_login(person())

    assert client.get(path).status_code == 400
    assert inside(client)


def test_metadata__names_this_site(client: Client) -> None:
    text = client.get("/sso/saml/saml/metadata/").content.decode()

    assert 'Location="http://testserver/sso/saml/saml/acs/"' in text


def test_saml_not_set_up__pages_are_not_there(client: Client, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {}

    for page in ("login", "acs", "acs/finish", "metadata"):
        assert client.get(f"/sso/saml/saml/{page}/").status_code == 404
    assert Group.objects.exists()


def test_login_page__has_the_way(client: Client) -> None:
    text = client.get("/login/?next=/glossary/").content.decode()

    assert "Log in with Example account" in text
    assert request_id(client.get("/sso/saml/saml/login/")["Location"])


def test_strangers__fill_no_table_with_what_they_call_responses(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "A_MINUTE", 3)

    large = client.post("/sso/saml/saml/acs/", {"SAMLResponse": "x" * 300_000})
    answers = [browser().post("/sso/saml/saml/acs/", {"SAMLResponse": "x"}).status_code for _ in range(5)]

    assert (large.status_code, answers) == (413, [302, 302, 302, 429, 429])
    assert browser().get("/sso/saml/saml/login/").status_code == 429
    assert Session.objects.count() == 3
