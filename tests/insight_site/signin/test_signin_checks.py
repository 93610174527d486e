"""System checks of signing in: each bad setting has its id, and good ones have none."""

from typing import Any

import pytest

from insight_site.checks import check_sign_in
from tests.insight_site.signin.providers import set_up

OIDC = {"OIDC_SERVER_URL": "https://login.example", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"}
SAML = {"SAML_IDP_ID": "https://idp.example", "SAML_METADATA_URL": "https://idp.example/metadata"}
HEADER = {"TRUSTED_HEADER_USER": "X-Forwarded-User", "BEHIND_PROXY": True}


def ids(settings: Any, environment: dict[str, str] | None = None, **values: Any) -> list[str | None]:
    set_up(settings, **(environment or {}))
    for name, value in values.items():
        setattr(settings, name, value)
    return [message.id for message in check_sign_in(None)]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, []),
        ({"LOCAL_PASSWORDS": False}, ["insight.E020"]),
        ({"LOCAL_PASSWORDS": False, **HEADER, "TRUSTED_PROXIES": ["10.1.2.3"]}, []),
        ({"PASSWORD_CHARS": 7}, ["insight.E021"]),
        ({"SESSION_IDLE_MINUTES": 0}, ["insight.E022"]),
        ({"SIGNIN_DAYS": 1}, ["insight.E023"]),
        (HEADER, ["insight.E024"]),
        ({**HEADER, "TRUSTED_PROXIES": ["proxy.example"]}, ["insight.E025"]),
        ({**HEADER, "TRUSTED_PROXIES": ["0.0.0.0/0"]}, ["insight.W026"]),
        ({**HEADER, "TRUSTED_PROXIES": ["::/0", "unix", "10.0.0.0/8"]}, ["insight.W026", "insight.W026"]),
        ({**HEADER, "BEHIND_PROXY": False, "TRUSTED_PROXIES": ["127.0.0.1"]}, ["insight.W027"]),
        ({"SSO_ROLES": {"a": ("King",)}}, ["insight.E032"]),
        ({"SSO_ROLES": {"": ("PM",)}}, ["insight.E032"]),
        ({"SSO_REQUIRES_GROUP": True}, ["insight.E033"]),
        ({"MFA_REQUIRED_ROLES": ["superuser", "PM"]}, []),
        ({"MFA_REQUIRED_ROLES": ["King"]}, ["insight.E034"]),
    ],
)
def test_settings__good_and_bad(settings: Any, values: dict[str, Any], found: list[str]) -> None:
    assert ids(settings, **values) == found


@pytest.mark.parametrize(
    ("environment", "https", "found"),
    [
        (OIDC, True, []),
        ({**OIDC, "OIDC_CLIENT_SECRET": ""}, False, ["insight.E028"]),
        ({**OIDC, "OIDC_SERVER_URL": "http://login.example"}, True, ["insight.E029"]),
        (SAML, True, []),
        ({**SAML, "SAML_IDP_ID": ""}, False, ["insight.E030"]),
        ({"SAML_IDP_ID": "x", "SAML_SSO_URL": "https://idp.example/sso"}, False, ["insight.E030"]),
        ({**SAML, "SAML_METADATA_URL": "http://idp.example"}, False, ["insight.E031"]),
    ],
)
def test_providers__good_and_bad(settings: Any, environment: dict[str, str], https: bool, found: list[str]) -> None:
    assert ids(settings, environment, HTTPS=https, LOCAL_PASSWORDS=False) == found
