"""Signing in, in a real browser: provider, second factor, key, guesses; on each page the strict policy holds."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import User
from django.core.cache import caches
from oidc_provider_mock import User as Known
from oidc_provider_mock import run_server_in_thread

from insight_site.models import SignIn
from tests.insight_site.signin.make import PASSWORD, person
from tests.insight_site.signin.providers import set_up

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    caches["signin"].clear()
    yield
    caches["signin"].clear()


@pytest.fixture
def provider(settings: Any) -> Iterator[str]:
    claims = {"email_verified": True, "groups": ["pm"]}
    people = [Known(sub=name, claims={**claims, "email": f"{name}@example.org"}) for name in ("ann", "bob")]
    people.append(Known(sub="eve", claims={"email": "eve@example.org", "groups": ["choir"]}))
    with run_server_in_thread(user_claims=people) as running:
        address = f"http://localhost:{running.server_port}"
        set_up(
            settings,
            OIDC_SERVER_URL=address,
            OIDC_CLIENT_ID="insight",
            OIDC_CLIENT_SECRET="secret",
            OIDC_NAME="Example account",
            OIDC_SCOPES="openid,profile,email,groups",
        )
        settings.SSO_ROLES, settings.SSO_REQUIRES_GROUP = {"pm": ("PM",)}, True
        yield address


def log_in(page: Any, name: str = "ann", password: str = PASSWORD) -> None:
    page.goto("/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.locator("main form button[type=submit]:not(.hidden)").last.click()


def code(secret: str, *, later: int = 0) -> str:
    counter = list(yield_hotp_counters_from_time())[1] + later
    return str(format_hotp_value(hotp_value(secret, counter)))


def confirm(page: Any) -> None:
    """The password once more, before the account's safety is changed."""
    page.wait_for_url("**/account/confirm/**")
    page.fill("#id_password", PASSWORD)
    page.locator("main form button[type=submit]:not(.hidden)").click()


def set_up_app(page: Any) -> str:
    page.goto("/account/factor/app/")
    confirm(page)
    page.wait_for_url("**/account/factor/app/**")
    secret = page.locator("code.secret").inner_text()
    page.fill("#id_code", code(secret))
    page.locator("main form button[type=submit]:not(.hidden)").click()
    page.wait_for_url("**/account/factor/codes/")
    return str(secret)


def test_provider__sign_in_role_refusal_and_sign_out(chromium: Any, live_server: Any, provider: str) -> None:
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda line: troubles.append(line.text) if "Content Security" in line.text else None)

    page.goto("/login/?next=/glossary/")
    page.get_by_text("Log in with Example account").click()
    page.wait_for_url(f"{provider}/**")
    page.get_by_label("Authorize as ann").click()
    page.wait_for_url(f"{live_server.url}/glossary/")
    assert list(User.objects.get().groups.values_list("name", flat=True)) == ["PM"]

    page.locator("button.who").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{live_server.url}/")
    assert page.get_by_role("link", name="Log in").first.is_visible()

    page.goto("/login/")
    page.get_by_text("Log in with Example account").click()
    page.get_by_label("Authorize as eve").click()
    page.wait_for_url(f"{live_server.url}/sso/oidc/oidc/callback/**")
    assert "None of your groups may use this site" in page.inner_text("main")
    assert User.objects.count() == 1
    assert troubles == []
    context.close()


def test_app__set_up_asked_for_replayed_and_replaced_by_a_recovery_code(open_page: Callable[..., Any]) -> None:
    person()
    page = open_page()
    log_in(page)
    page.wait_for_url(re.compile(r":\d+/$"))
    secret = set_up_app(page)
    recovery = page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    page.goto("/account/factor/codes/")
    assert "can't be shown again" in page.inner_text("main")

    other = open_page()
    log_in(other)
    other.wait_for_url("**/login/code/")
    used = code(secret, later=1)
    other.fill("#id_code", used)
    other.locator("main form button[type=submit]:not(.hidden)").first.click()
    other.wait_for_url(re.compile(r":\d+/$"))

    third = open_page()
    log_in(third)
    third.fill("#id_code", used)
    third.locator("main form button[type=submit]:not(.hidden)").first.click()
    assert "used already" in third.inner_text("main")
    third.fill("#id_code", recovery[0])
    third.locator("main form button[type=submit]:not(.hidden)").first.click()
    third.wait_for_url(re.compile(r":\d+/$"))

    hows = list(SignIn.objects.filter(event="signed_in").order_by("pk").values_list("how", flat=True))
    assert hows == ["password", "password+totp", "password+recovery_codes"]
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored


def test_key__of_the_browser__is_added_named_asked_for_and_removed(open_page: Callable[..., Any]) -> None:
    person()
    page = open_page()
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    more = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True}
    options = {**more, "hasResidentKey": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    log_in(page)
    page.wait_for_url(re.compile(r":\d+/$"))
    page.goto("/account/factor/keys/add/")
    confirm(page)
    page.wait_for_url("**/account/factor/keys/add/**")
    page.fill("#id_name", "My laptop")
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url("**/account/factor/codes/")

    page.locator("button.who").click()
    page.get_by_role("button", name="Log out").click()
    log_in(page)
    page.wait_for_url("**/login/code/")
    page.locator("#mfa_webauthn_authenticate").click()
    page.wait_for_url(re.compile(r":\d+/$"))

    page.goto("/account/factor/keys/")
    assert "My laptop" in page.inner_text("main")
    page.get_by_role("link", name="Remove").click()
    page.wait_for_url("**/account/confirm/**")
    page.locator("#mfa_webauthn_reauthenticate, #id_password").first.wait_for()
    if page.locator("#id_password").count():
        page.fill("#id_password", PASSWORD)
        page.locator("main form button[type=submit]:not(.hidden)").click()
    else:
        page.locator("#mfa_webauthn_reauthenticate").click()
    page.wait_for_url("**/remove/")
    page.locator("main form button[type=submit]:not(.hidden)").click()
    page.wait_for_url("**/account/factor/keys/")
    assert "You have no key yet" in page.inner_text("main")
    hows = list(SignIn.objects.filter(event="signed_in").order_by("pk").values_list("how", flat=True))
    assert hows == ["password", "password+webauthn"]


def test_key__that_does_not_answer__is_told_on_the_page(open_page: Callable[..., Any]) -> None:
    person()
    page = open_page()
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "u2f", "transport": "usb", "hasResidentKey": False, "hasUserVerification": False}
    found = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    log_in(page)
    page.wait_for_url(re.compile(r":\d+/$"))
    page.goto("/account/factor/keys/add/")
    confirm(page)
    page.wait_for_url("**/account/factor/keys/add/**")
    page.evaluate(
        "() => { navigator.credentials.create = () => Promise.reject(new DOMException('x', 'NotAllowedError')) }"
    )

    page.locator("#mfa_webauthn_add").click()

    page.get_by_text("The key did not answer").wait_for()
    session.send("WebAuthn.removeVirtualAuthenticator", found)


def test_guesses__ten__lock_the_guesser_out_and_nobody_else(open_page: Callable[..., Any]) -> None:
    person()
    person("bob")
    page = open_page()
    for _ in range(10):
        log_in(page, password="wrong")
        page.get_by_role("alert").wait_for()

    log_in(page)
    page.get_by_text("Too many tries").wait_for()
    log_in(page, "bob")
    page.wait_for_url(re.compile(r":\d+/$"))
    assert "bob" in page.inner_text("button.who")


def test_role_that_needs_a_second_factor__sets_one_up_first(open_page: Callable[..., Any], settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = ["superuser"]
    User.objects.create_superuser("ann", "ann@example.org", PASSWORD)
    page = open_page()
    log_in(page)
    page.wait_for_url("**/account/factor/?needed")
    assert "needs a second factor" in page.inner_text("main")
    page.goto("/admin/")
    page.wait_for_url("**/account/factor/?needed")

    set_up_app(page)

    page.goto("/admin/auth/user/")
    page.wait_for_url("**/admin/auth/user/")
