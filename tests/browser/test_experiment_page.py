"""One experiment, one page, in a real browser: its tabs without script, the contents list, copying, and a stop."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from experiments.models import Experiment
from tests.browser.pages import World, world
from tests.experiments.make import running
from tests.marks import first_in_ci

__all__ = ["world"]
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
PARTS = ("", "results/time/", "results/segments/", "results/assumptions/", "results/numbers/")
ADDRESSES = (*PARTS, "health/", "plan/", "setup/", "history/")
TABS = {
    "en": ("Summary", "Over time", "Segments", "Assumptions", "All numbers", "Health", "Plan", "Set-up", "History"),
    "ko": ("요약", "추이", "세그먼트", "가정", "전체 수치", "데이터 상태", "계획", "연동", "이력"),
}
WORDS = {"en": ("Actions", "Stop", "Yes: Stop"), "ko": ("작업", "종료", "예, 종료")}


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_tabs__by_their_links__open_and_keep_their_address(
    open_page: Callable[..., Any], pm: User, world: World, language: str
) -> None:
    page = open_page(language, pm)
    page.goto("/experiments/hint/")

    for name, address in zip(TABS[language], ADDRESSES, strict=True):
        page.locator("nav.tabs").get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(f"**/experiments/hint/{address}")
        assert page.locator("nav.tabs [aria-current=page]").inner_text() == name


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_summary__at_1280_by_800_and_at_390__is_one_screen_and_two(
    open_page: Callable[..., Any], analyst: User, world: World, language: str
) -> None:
    page = open_page(language, analyst)
    for width, height in ((1280, 800), (390, 1_600)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto("/experiments/hint/")

        for part in (".say", ".levels-said", ".delta", ".cause", ".weak", ".facts-row"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= height, (part, width)


def test_copy__as_markdown__puts_the_summary_into_the_clipboard(
    open_page: Callable[..., Any], analyst: User, world: World
) -> None:
    page = open_page("en", analyst)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/experiments/hint/")

    page.locator("summary", has_text="Copy summary").click()
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")

    assert copied == page.locator("#summary-markdown").text_content()
    assert page.locator(".say em").inner_text() in copied
    assert page.locator(".weak span").inner_text() in copied


def test_contents__while_scrolling__say_where_one_is(
    open_page: Callable[..., Any], analyst: User, world: World
) -> None:
    page = open_page("en", analyst)
    page.goto("/experiments/hint/results/numbers/")

    page.locator("#details").scroll_into_view_if_needed()
    page.mouse.wheel(0, 20_000)
    page.locator(".jumps a[aria-current]").wait_for()

    assert page.locator(".jumps a[aria-current]").count() == 1


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_stop__from_the_page__asks_and_is_done(open_page: Callable[..., Any], pm: User, language: str) -> None:
    cache.clear()
    running("exp")
    page, (actions, stop, yes) = open_page(language, pm), WORDS[language]

    page.goto("/experiments/exp/")
    page.locator("summary", has_text=actions).click()
    page.get_by_role("link", name=stop, exact=True).click()
    page.wait_for_url("**/do/stop/")
    assert Experiment.objects.get().status == "running"
    page.get_by_role("button", name=yes).click()
    page.wait_for_url("**/experiments/exp/")

    assert Experiment.objects.get().status == "stopped"
