"""Every main page is usable without seeing it, without a mouse, in the dark and on a narrow screen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser.pages import ADMIN_PAGES, PAGES, World, path, world
from tests.conftest import missing
from tests.experiments.make import draft, running

__all__ = ["world"]
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
AXE = Path(__file__).resolve().parent.parent / "clients" / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def violations(page: Any) -> list[str]:
    """Serious and critical ones, with the elements. The script comes by the browser's own channel, past the policy."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run(document, {json.dumps(RULES)})")
    return [
        f"{page.url} {row['id']} ({row['impact']}): " + " | ".join(node["html"][:120] for node in row["nodes"][:4])
        for row in found["violations"]
        if row["impact"] in ("serious", "critical")
    ]


def settle(page: Any) -> None:
    for place in range(page.locator("img[loading=lazy]").count()):
        page.locator("img[loading=lazy]").nth(place).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")


@pytest.fixture(autouse=True)
def _axe() -> None:
    if not AXE.is_file():
        missing("axe-core (make clients)")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__every_one__has_no_serious_violation(
    open_page: Callable[..., Any], pm: User, world: World, language: str
) -> None:
    page = open_page(language, pm)
    found = []

    for name in PAGES:
        page.goto(path(name, world))
        settle(page)
        assert page.locator("main h1").count() == 1, name
        found += violations(page)

    assert found == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_admin__every_screen_of_a_pm__has_no_serious_violation(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    rows = {"running": running("banner").pk, "draft": draft("guild").pk}
    page = open_page(language, pm)
    found = []

    for name, address in ADMIN_PAGES.items():
        answer = page.goto(address.format(**rows))
        page.wait_for_load_state("networkidle")
        assert answer.status == 200, name
        found += violations(page)

    assert found == []


def test_pages__in_the_dark__keep_their_contrast(open_page: Callable[..., Any], pm: User, world: World) -> None:
    page = open_page("en", pm)
    page.emulate_media(color_scheme="dark")
    found = []

    for name in PAGES:
        page.goto(path(name, world))
        settle(page)
        found += violations(page)

    assert found == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 29)"


def test_charts__in_the_dark__have_light_words(open_page: Callable[..., Any], pm: User, world: World) -> None:
    page = open_page("en", pm)
    page.emulate_media(color_scheme="dark")
    page.goto(path("study", world))

    fill = page.evaluate("getComputedStyle(document.querySelector('.drawn svg .role-title-text text')).fill")

    assert fill == "rgb(230, 233, 238)"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__narrow_screen__nothing_sticks_out(
    open_page: Callable[..., Any], pm: User, world: World, language: str
) -> None:
    page = open_page(language, pm)
    page.set_viewport_size({"width": 390, "height": 800})
    wide = {}

    for name in PAGES:
        page.goto(path(name, world))
        settle(page)
        wide[name] = page.evaluate("document.documentElement.scrollWidth")

    assert {name: width for name, width in wide.items() if width > 390} == {}


def test_violations__a_page_with_one__are_seen(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)
    page.goto("/glossary/")

    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/insight_site/icon.svg\">')"
    )

    assert any("image-alt" in found for found in violations(page))
