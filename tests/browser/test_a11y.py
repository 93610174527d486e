"""Every main page is usable without seeing it, without a mouse, in the dark, on narrow and wide screens; none jumps."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import resolve

from tests.attacks import routes
from tests.browser.pages import ADMIN_PAGES, PAGES, World, path, world
from tests.conftest import missing
from tests.experiments.make import draft, running
from tests.marks import first_in_ci

__all__ = ["world"]
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
AXE = Path(__file__).resolve().parent.parent / "clients" / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


WIDTHS = (390, 1280, 1600)
SHIFT = 0.02  # of the screen, moved without a reason that the reader gave; below 0.1 browsers call it good
WATCH_SHIFTS = """window.__shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())
  if (!entry.hadRecentInput) window.__shift += entry.value; }).observe({ type: "layout-shift", buffered: true });"""
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}  # all that the dark changes


def violations(page: Any, rules: Any = RULES) -> list[str]:
    """Serious and critical ones, with the elements. The script comes by the browser's own channel, past the policy."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run(document, {json.dumps(rules)})")
    return [
        f"{page.url} {row['id']} ({row['impact']}): " + " | ".join(node["html"][:120] for node in row["nodes"][:4])
        for row in found["violations"]
        if row["impact"] in ("serious", "critical")
    ]


def settle(page: Any) -> None:
    """Every picture is there, and nothing is asked for the first time. Pages that follow a run never fall silent."""
    for place in range(page.locator("img[loading=lazy]").count()):
        page.locator("img[loading=lazy]").nth(place).scroll_into_view_if_needed()
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)  # htmx asks for the parts that are `load`ed
    quiet = "[...document.images].every((one) => one.complete) && !document.querySelector('.htmx-request')"
    for _ in range(100):  # not `wait_for_function`: the policy forbids what it evaluates
        if page.evaluate(quiet):
            break
        page.wait_for_timeout(100)


@pytest.fixture(autouse=True)
def _axe() -> None:
    if not AXE.is_file():
        missing("axe-core (make clients)")


@pytest.mark.proof  # in English, CI does it below
def test_pages__every_one_in_korean__has_no_serious_violation(
    open_page: Callable[..., Any], pm: User, world: World
) -> None:
    page = open_page("ko", pm)
    found = []

    for name in PAGES:
        page.goto(path(name, world))
        settle(page)
        assert page.locator("main h1").count() == 1, name
        found += violations(page)

    assert found == []


def others(pm: User, *, of_admin: bool) -> list[str]:
    """Addresses of all pages that no list of this folder names: a new route is looked at from its first day."""
    client = Client()
    client.force_login(pm)
    addresses = [re.sub(r"\{\w+\}", "1", address.split("?")[0]) for address in [*PAGES.values(), *ADMIN_PAGES.values()]]
    listed = {resolve(address).view_name for address in addresses}
    found = []
    for route in routes.all_routes():
        if route.name in listed or route.address.startswith("/api/") or route.name.startswith("admin:") != of_admin:
            continue
        answer = client.get(route.address)
        body = b"" if answer.streaming else answer.content
        if answer.status_code == 200 and b"<!doctype html" in body[:200].lower():
            found.append(route.address)
    return found


@pytest.mark.parametrize("of_admin", [False, pytest.param(True, marks=pytest.mark.proof)], ids=["site", "admin"])
def test_pages__that_no_list_names__have_no_serious_violation(
    open_page: Callable[..., Any], pm: User, *, of_admin: bool
) -> None:
    routes.make_site()
    page = open_page("en", pm)
    addresses = others(pm, of_admin=of_admin)
    found = []

    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("load")
        found += violations(page)

    assert len(addresses) > 20
    assert found == []


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
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


@pytest.mark.parametrize(
    ("scheme", "looked_at"), first_in_ci([("light", (1280,)), ("light", (390, 1600)), ("dark", WIDTHS)])
)
def test_pages__every_width__nothing_serious_sticks_out_or_jumps(
    open_page: Callable[..., Any], pm: User, world: World, scheme: str, looked_at: tuple[int, ...]
) -> None:
    """A page is one line in `tests.browser.pages.PAGES`; errors of its console and policy fail `open_page`."""
    page = open_page("en", pm)
    page.context.add_init_script(WATCH_SHIFTS)
    page.emulate_media(color_scheme=scheme)
    found, wide, jumped = [], {}, {}

    for name in PAGES:
        page.set_viewport_size({"width": WIDTHS[1], "height": 800})
        page.goto(path(name, world))
        settle(page)
        if (shift := page.evaluate("window.__shift")) > SHIFT:
            jumped[name] = round(shift, 3)
        assert page.locator("main h1").count() == 1, name
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
                wide[name, width] = seen
            if width in looked_at:
                found += violations(page, RULES if scheme == "light" else CONTRAST)

    assert found == []
    assert wide == {}
    assert jumped == {}


def test_theme__chosen_dark_on_a_light_machine__every_page_keeps_its_contrast(
    open_page: Callable[..., Any], pm: User, world: World
) -> None:
    page = open_page("en", pm)
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.locator("button.who").click()
    page.locator("button[name=theme][value=dark]").click()
    page.wait_for_load_state("networkidle")
    found = []

    for address in (PAGES["study"], PAGES["moment"], PAGES["home"], ADMIN_PAGES["dashboard"], ADMIN_PAGES["keys"]):
        page.goto(address.format(study=world.study.pk))
        settle(page)
        found += violations(page, CONTRAST)

    assert found == []
    assert page.evaluate("document.documentElement.className").strip() == "dark"


def test_charts__in_the_dark__have_light_words(open_page: Callable[..., Any], pm: User, world: World) -> None:
    page = open_page("en", pm)
    page.emulate_media(color_scheme="dark")
    page.goto(path("study", world))

    fill = page.evaluate("getComputedStyle(document.querySelector('.drawn svg .role-title-text text')).fill")

    assert fill == "rgb(230, 233, 238)"


def test_violations__a_page_with_one__are_seen(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)
    page.goto("/glossary/")

    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/insight_site/icon.svg\">')"
    )

    assert any("image-alt" in found for found in violations(page))
