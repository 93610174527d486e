"""A new study in a real browser: by mouse alone and by keyboard alone, without one typed word of syntax."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings

from aha.models import Study
from events.catalogue import refresh
from tests.aha.questions.conftest import INERT, log, low_floors  # noqa: F401 - the fixture
from tests.browser.person import wait_until
from tests.events.catalogue.conftest import Line, write  # noqa: F401 - the fixture
from tests.marks import first_in_ci

STUDY = re.compile(r"/aha/studies/\d+/$")
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _listed(
    transactional_db: None,
    write: Callable[[list[Line]], None],  # noqa: F811 - the fixture
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.EXPLORE_DIR = str(tmp_path / "explore")
    cache.clear()
    write(log())
    assert refresh.make_catalogue()


def new_page(open_page: Callable[..., Any], pm: User, language: str = "en") -> Any:
    page = open_page(language, pm)
    page.goto("/aha/studies/new/")
    page.locator("#preview .facts").wait_for()
    return page


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {name}")


def has(page: Any, selector: str, value: str) -> None:
    wait_until(page, "([selector, value]) => document.querySelector(selector)?.value === value", [selector, value])


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_study__by_mouse_alone__is_asked_and_started(open_page: Callable[..., Any], pm: User, language: str) -> None:
    page = new_page(open_page, pm, language)

    page.get_by_role("button", name="D7", exact=True).click()
    has(page, "#id_retention", "on_day:7")
    page.locator("details.advanced > summary").click()
    page.locator("#id_behaviours_add").click()
    page.locator("#id_behaviours_list [data-value='friend_add']").click()
    page.locator("#id_behaviours_chips .chip").wait_for()
    page.locator("#id_behaviours_add").click()
    page.locator("#id_behaviours_list [data-value='battle']").click()
    has(page, "#id_behaviours", "friend_add\nbattle")
    page.locator("#id_behaviours_chips [data-remove='battle']").click()
    has(page, "#id_behaviours", "friend_add")
    page.locator("form.before .actions button[type=submit]").click()
    page.wait_for_url(STUDY)

    study = Study.objects.get()
    assert study.inputs["retention"] == "on_day:7"
    assert study.inputs["behaviours"] == ["friend_add"]


def test_study__by_keyboard_alone__is_asked_and_started(open_page: Callable[..., Any], pm: User) -> None:
    page = new_page(open_page, pm)

    tab_to(page, "id_signup_event")
    page.keyboard.press("ArrowDown")
    page.locator("#id_signup_event_list [aria-selected=true]").wait_for()
    assert page.get_attribute("#id_signup_event", "aria-activedescendant") == "id_signup_event_list_0"
    page.keyboard.press("ArrowUp")  # round to the last: the first event of any kind
    page.keyboard.press("Enter")
    has(page, "#id_signup_event", "*")
    tab_to(page, "id_retention_preset2")
    page.keyboard.press("Enter")
    has(page, "#id_retention", "on_day:7")
    page.locator("#id_retention_preset2[aria-pressed=true]").wait_for()
    tab_to(page, "id_title")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Advanced
    tab_to(page, "id_behaviours_add")
    page.keyboard.press("b")  # the first letter of an event; a click of the arrow would do as well
    page.locator("#id_behaviours_list [data-value='battle']").wait_for()
    for _ in range(20):
        page.keyboard.press("ArrowDown")
        if page.locator("#id_behaviours_list [aria-selected=true]").get_attribute("data-value") == "battle":
            break
    page.keyboard.press("Enter")
    has(page, "#id_behaviours", "battle")
    page.locator("#id_behaviours_chips .chip").wait_for()
    page.keyboard.press("Backspace")  # in the empty box: takes the last one away
    has(page, "#id_behaviours", "")
    tab_to(page, "id_title")
    page.keyboard.press("Enter")
    page.wait_for_url(STUDY)

    study = Study.objects.get()
    assert (study.inputs["signup_event"], study.inputs["retention"]) == ("*", "on_day:7")


def test_behaviour__with_a_property__is_found_step_by_step(open_page: Callable[..., Any], pm: User) -> None:
    page = new_page(open_page, pm)
    page.locator("details.advanced > summary").click()

    page.locator("#id_behaviours_add").fill("battle")
    for value in ("battle[", "battle[mode=", "battle[mode=pvp]"):
        page.locator(f"#id_behaviours_list [data-value='{value}']").click()

    has(page, "#id_behaviours", "battle[mode=pvp]")
    assert page.locator("#id_behaviours_chips .chip").inner_text().startswith("battle · mode = pvp")


def test_definition__words_and_line__stay_in_step(open_page: Callable[..., Any], pm: User) -> None:
    page = new_page(open_page, pm)

    page.fill("#id_retention_first", "9")
    page.locator("#id_retention_last").focus()
    has(page, "#id_retention", "window:9-13")
    page.locator("#id_retention_builder .aslines summary").click()
    page.fill("#id_retention", "2주차 잔존")
    page.keyboard.press("Tab")
    has(page, "#id_retention_first", "8")
    page.select_option("#id_retention_kind", "event")
    page.locator("#id_retention_event").click()
    page.locator("#id_retention_event_list [data-value='battle']").click()

    has(page, "#id_retention", "min_events:battle:8-14:1")
    page.locator("#id_retention_said .rate strong").wait_for()


def test_wrong_field__its_mend__is_taken_over_with_one_click(open_page: Callable[..., Any], pm: User) -> None:
    page = new_page(open_page, pm)
    page.locator("details.advanced > summary").click()
    page.fill("#id_days", "1 7 20")
    page.keyboard.press("Tab")
    page.locator("#preview .objections").wait_for()

    page.locator("#preview .mends button").first.click()
    has(page, "#id_days", "1 7")
    page.locator("#preview .facts").wait_for()
    page.locator("#id_inert_add").click()
    page.locator("#id_inert_list [data-value='mute']").click()
    page.locator("#preview .objections .mends button").first.click()

    page.locator("#id_inert_chips .chip").nth(4).wait_for()
    assert set(page.input_value("#id_inert").split("\n")) == set(INERT)
    page.locator("#preview .facts").wait_for()
    assert not Study.objects.exists()


def test_study__without_script__is_a_plain_form(chromium: Any, live_server: Any, pm: User) -> None:
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    page = context.new_page()
    page.goto("/login/")
    page.fill("#id_username", "pm")
    page.fill("#id_password", "correct horse")
    page.locator("main button[type=submit]").last.click()
    page.goto("/aha/studies/new/")
    page.locator("#id_retention_builder .aslines summary").click()
    page.fill("#id_retention", "D7")
    page.locator("details.advanced > summary").click()
    page.fill("#id_behaviours", "friend_ad")

    page.locator("form.before .actions button[type=submit]").click()
    page.get_by_role("button", name="Use friend_add").first.click()
    assert page.input_value("#id_behaviours").strip() == "friend_add"
    page.locator("form.before .actions button[type=submit]").click()
    page.wait_for_url(STUDY)

    assert Study.objects.get().inputs["behaviours"] == ["friend_add"]
    context.close()
