"""Curves in a real browser: crosshair, tooltip and legend by mouse, finger and keyboard."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from events.calendar import entries
from tests.browser.pages import World
from tests.browser.pages import world as world
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def curve(page: Any) -> Any:
    """The report's chart of who is active on which day, of two groups."""
    page.goto("/experiments/hint/results/time/")
    page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true; })")
    chart = page.locator(".drawn.read").filter(has=page.locator("[data-series]")).first
    into_view(chart)
    return chart


def into_view(chart: Any) -> None:
    """Scroll there, and let the page's own scroll event pass: it closes a tooltip."""
    chart.scroll_into_view_if_needed()
    chart.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def names(chart: Any) -> list[str]:
    return [entry.get_attribute("data-series") for entry in chart.locator("[data-series]").all()]


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_curve__under_mouse_and_finger__says_every_group_at_that_day(
    open_page: Callable[..., Any], pm: User, world: World, language: str
) -> None:
    page = open_page(language, pm)
    chart = curve(page)
    box, tip = chart.bounding_box(), page.locator(".chart-tip")

    page.mouse.move(box["x"] + 200, box["y"] + box["height"] / 2)
    expect(tip).to_be_visible()  # the text of what isn't drawn yet has no breaks between its lines
    first = tip.inner_text()
    page.mouse.move(box["x"] + 420, box["y"] + box["height"] / 2)
    second = tip.inner_text()

    assert first != second
    for name in names(chart):
        assert name in first
        assert name in second
    assert first.count("%") == second.count("%") == 2
    expect(chart.locator("line.here")).to_have_count(1)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()

    page.locator(".drawn.read").last.evaluate("one => one.focus({preventScroll: true})")  # the tap takes it from there
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    at = {"x": box["x"] + 200, "y": box["y"] + box["height"] / 2}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(tip).to_be_visible()  # after the finger has left, too
    assert tip.inner_text() == first


@pytest.mark.parametrize(
    ("language", "said"), first_in_ci([("ko", "릴리스, 2026년 1월 7일"), ("en", "release, Jan 7, 2026")])
)
def test_curve__over_dates__says_what_happened_then(
    open_page: Callable[..., Any], pm: User, world: World, language: str, said: str
) -> None:
    entries.add(entry=entries.Written("release", "App 4.2", date(2026, 1, 7)), by=None)
    page = open_page(language, pm)
    page.goto("/experiments/hint/health/")
    page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true; })")
    chart = page.locator(".drawn.read", has=page.locator(".happened"))
    into_view(chart)
    line = chart.locator(".happened line").bounding_box()
    tip, spoken = page.locator(".chart-tip"), page.locator("#chart-reading")

    page.mouse.move(line["x"], line["y"] + line["height"] / 2)
    expect(tip).to_contain_text("▼ App 4.2")
    expect(tip).to_contain_text(said)
    expect(page.locator("details.happened li")).to_have_count(1)  # and not the experiment itself

    page.mouse.move(5, 5)
    chart.focus()
    page.keyboard.press("Home")
    expect(spoken).not_to_contain_text("App 4.2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text(f"▼ App 4.2: {said}")


def test_curve__by_keyboard_alone__is_read_aloud_and_a_hidden_group_is_left_out(
    open_page: Callable[..., Any], pm: User, world: World
) -> None:
    page = open_page("en", pm)
    chart = curve(page)
    spoken, tip, entry = (
        page.locator("#chart-reading"),
        page.locator(".chart-tip"),
        chart.locator("[data-series]").first,
    )
    control, nudge = names(chart)

    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text("Day 1;")
    page.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text("Day 2;")
    expect(spoken).to_contain_text(f"{control}: ")
    expect(spoken).to_contain_text(f"{nudge}: ")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    page.keyboard.press("Tab")
    expect(entry).to_be_focused()
    expect(entry).to_have_attribute("aria-pressed", "true")
    drawn = chart.locator(f"path[data-reading='{control}']:visible")
    before = drawn.count()
    page.keyboard.press("Space")
    expect(entry).to_have_attribute("aria-pressed", "false")
    assert before > drawn.count() == 0
    chart.focus()
    page.keyboard.press("End")
    expect(spoken).not_to_contain_text(f"{control}: ")
    expect(spoken).to_contain_text(f"{nudge}: ")

    entry.click()  # by mouse it comes back
    expect(entry).to_have_attribute("aria-pressed", "true")
    assert drawn.count() == before
