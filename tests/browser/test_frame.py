"""The frame of all pages: login, menu, language, the API's documentation."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_login__wrong_password__says_so_and_keeps_the_name(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en")

    page.goto("/segments/")
    page.fill("#id_username", "ann")
    page.fill("#id_password", "nonsense")
    page.locator("main button[type=submit]").click()

    assert page.locator(".errorlist").count() == 1
    assert page.input_value("#id_username") == "ann"


@pytest.mark.parametrize(("language", "title"), [("en", "Segments"), ("ko", "세그먼트")])
def test_login__then_page__in_the_browsers_language(
    open_page: Callable[..., Any], analyst: User, language: str, title: str
) -> None:
    page = open_page(language, analyst)

    page.goto("/segments/")

    assert page.locator("h1").inner_text() == title
    assert page.locator("nav a[aria-current=page]").inner_text() == title


def test_language__switched__stays_on_the_page(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)
    page.goto("/segments/")

    page.locator("button[value=ko]").click()
    page.wait_for_load_state()

    assert page.url.endswith("/segments/")
    assert page.locator("h1").inner_text() == "세그먼트"


def test_docs__of_the_api__show_its_paths(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)

    page.goto("/api/docs/")
    page.locator(".opblock").first.wait_for()

    assert "/api/v1/segments" in page.locator("#swagger-ui").inner_text()
