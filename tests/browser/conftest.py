"""A real Chromium on a real server. Every page a test opens is watched: no console error, no request elsewhere."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.conftest import missing

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium")
    from playwright.sync_api import sync_playwright

    # Playwright's own event loop runs in this thread, and Django would refuse its database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def log_in(page: Any, user: User, address: str = "/login/") -> None:
    """Through the form, which also brings what the person chose elsewhere: language, theme, tours."""
    page.goto(address)
    page.fill("#id_username", user.username)
    page.fill("#id_password", "correct horse")
    with page.expect_navigation():
        page.locator("main button[type=submit]").click()


def session_of(user: User, address: str) -> dict[str, str]:
    """The cookie of a new session at that site: half the processor time of the form, and nothing chosen elsewhere."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": address}


@pytest.fixture
def open_page(chromium: Any, live_server: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(language, user=None, zone="UTC")`: a watched page, with a session of the user when one is given."""
    troubles: list[str] = []
    contexts: list[Any] = []

    def new(language: str = "en", user: User | None = None, zone: str = "UTC") -> Any:
        locale = {"en": "en-US", "ko": "ko-KR"}[language]
        size: Any = {"width": 1200, "height": 900}
        context = chromium.new_context(locale=locale, timezone_id=zone, base_url=live_server.url, viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: troubles.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: troubles.append(f"error: {e}"))
        page.on(
            "request",
            lambda r: (
                troubles.append(f"elsewhere: {r.url}")
                if not r.url.startswith((live_server.url, "data:", "blob:"))
                else None
            ),
        )
        if user is not None:
            context.add_cookies([session_of(user, live_server.url)])
        return page

    yield new
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def analyst(transactional_db: None) -> User:
    return User.objects.create_user("ann", password="correct horse")


@pytest.fixture
def pm(transactional_db: None) -> User:
    return User.objects.create_superuser("pm", password="correct horse")
