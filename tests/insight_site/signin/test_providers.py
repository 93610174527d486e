"""What the environment says of providers, groups and mail, as Django and allauth read it."""

import environ
import pytest

from insight_site.first_start import mailer, providers, roles_by_group
from insight_site.signin.accounts import groups_of


def read(**environment: str) -> environ.Env:
    env = environ.Env()
    env.ENVIRON = environment
    return env


def test_providers__of_an_empty_environment__are_none() -> None:
    assert providers(read()) == {}


def test_saml__attributes_of_ones_own__replace_the_usual() -> None:
    found = providers(read(SAML_SSO_URL="https://x", SAML_EMAIL_ATTRIBUTE="mail", SAML_UID_ATTRIBUTE="uid"))

    names = found["saml"]["APPS"][0]["settings"]["attribute_mapping"]
    assert (names["email"], names["uid"]) == (["mail"], ["uid"])


def test_roles__by_group__keep_colons_of_groups_and_several_roles() -> None:
    lines = ["insight-admins:Admin", "urn:company:pm:PM", "insight-admins: Analyst"]

    assert roles_by_group(lines) == {"insight-admins": ("Admin", "Analyst"), "urn:company:pm": ("PM",)}
    assert roles_by_group(["nonsense"]) == {"": ("nonsense",)}


@pytest.mark.parametrize(
    ("value", "groups"),
    [(["a", " b "], ("a", "b")), ("a,b", ("a", "b")), (None, ()), ({"a": 1}, ()), ([1, "", "a"], ("a",)), (7, ())],
)
def test_groups__of_a_claim(value: object, groups: tuple[str, ...]) -> None:
    assert groups_of(value) == groups


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (
            "smtp+tls://u%40x:p%3Aw@mail.example:587",
            {"timeout": 10, "host": "mail.example", "port": 587, "username": "u@x", "password": "p:w", "use_tls": True},
        ),
        ("smtp+ssl://mail.example:465", {"timeout": 10, "host": "mail.example", "port": 465, "use_ssl": True}),
        ("filemail:///tmp/mail", {"file_path": "tmp/mail"}),
        ("consolemail://", None),
    ],
)
def test_mailer__of_an_address(url: str, options: dict[str, object] | None) -> None:
    assert mailer(environ.Env.email_url_config(url)).get("OPTIONS") == options
