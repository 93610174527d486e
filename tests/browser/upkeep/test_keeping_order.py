"""Search, tags, archive and what is to be tidied up, in both languages and by keyboard alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from events.upkeep import tags_and_owners
from tests.events.upkeep.make import segment, study
from tests.experiments.make import draft, running
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
LANGUAGES = first_in_ci(["en", "ko"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_palette__by_keyboard_alone__finds_opens_and_gives_the_focus_back(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    draft("invite", name="친구초대 banner", hypothesis="If we invite friends, more of them stay.")
    study("Spring")
    page = open_page(language, pm)
    page.goto("/aha/studies/")
    page.locator("nav a").first.focus()

    page.keyboard.press("Control+k")
    field = page.locator("#palette-text")
    page.locator("[role=option]").first.wait_for()
    assert page.evaluate("document.activeElement.id") == "palette-text"
    assert field.get_attribute("aria-expanded") == "true"
    assert field.get_attribute("aria-activedescendant") == "palette-hit-0"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert page.locator("[aria-selected=true]").get_attribute("id") == "palette-hit-1"
    page.keyboard.press("Escape")
    assert not page.locator("#palette").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "A"

    page.keyboard.press("/")
    page.keyboard.type("초대")
    page.locator("[role=option]:has-text('친구초대')").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/experiments/invite/**")


@pytest.mark.parametrize("language", LANGUAGES)
def test_palette__nothing_found__says_so_and_enter_searches_the_texts(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    page = open_page(language, pm)
    page.goto("/")

    page.keyboard.press("/")
    page.locator("[role=option]").first.wait_for()
    page.keyboard.type("qqq/qqq")  # while somebody types, "/" is a letter
    page.locator("#palette-state:not(:empty)").wait_for()
    assert page.locator("[role=option]").count() == 0
    page.keyboard.press("Enter")

    page.wait_for_url("**/search/?q=qqq%2Fqqq")


def test_palette__on_a_narrow_screen__fits(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/")

    page.keyboard.press("/")
    page.locator("[role=option]").first.wait_for()

    box = page.locator("#palette").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("language", LANGUAGES)
def test_tags__put_on__seen_in_the_list__renamed_for_all(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    one, other = study("Spring"), study("Autumn", seed=2)
    tags_and_owners.set_tags(thing=other, names=["old"])
    page = open_page(language, pm)
    page.goto(f"/aha/studies/{one.pk}/")

    page.locator("#upkeep summary").focus()
    page.keyboard.press("Enter")
    page.locator("#upkeep-tags").focus()
    page.keyboard.type("온보딩, Q4 2026")
    page.keyboard.press("Enter")
    page.locator("#upkeep .tagged", has_text="온보딩").wait_for()
    assert page.locator("#upkeep .tagged").all_inner_texts() == ["q4-2026", "온보딩"]

    page.locator("#upkeep .tagged").last.click()
    page.wait_for_url("**/aha/studies/?tag=**")
    assert page.locator("#rows tbody tr").count() == 1
    page.select_option("#narrow-tag", "old")  # htmx takes it from here
    page.locator("#rows tbody tr", has_text="Autumn").wait_for()
    assert page.locator("#rows tbody tr").count() == 1

    page.goto("/upkeep/tags/")
    row = page.locator("tr", has=page.locator("input[value=old]"))
    row.locator("input[name=name]").fill("온보딩")
    row.locator("input[name=name]").press("Enter")
    page.locator(".messages li").wait_for()
    assert page.locator("tbody .tagged").all_inner_texts() == ["q4-2026", "온보딩"]
    page.goto("/aha/studies/?tag=%EC%98%A8%EB%B3%B4%EB%94%A9")
    assert page.locator("#rows tbody tr").count() == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_archive__refused_while_it_is_used__then_out_of_the_list_and_back(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    segment()
    plan = running("hint", name="Hint", audience=[{"segment_key": "style.v1.g1", "coverage": 10_000}])
    page = open_page(language, pm)

    def archive() -> None:
        page.goto("/segments/models/style/")
        page.locator("#upkeep summary").click()
        page.locator("#upkeep form[action$='/archive/'] button").click()
        page.locator(".messages li").wait_for()

    archive()
    assert "Hint" in page.locator(".messages").inner_text()
    plan.status = "stopped"
    plan.save()
    archive()
    assert page.locator("form[action$='/restore/']").count() == 1
    page.goto("/segments/")
    assert page.locator(".segment-card").count() == 0
    page.select_option("#narrow-archived", "1")
    page.locator(".filters button").first.click()
    page.locator(".segment-card a", has_text="Style").click()
    page.locator("form[action$='/restore/'] button").press("Enter")
    page.locator(".messages li").wait_for()
    page.goto("/segments/")
    assert page.locator(".segment-card").count() == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_hygiene__from_the_first_page__by_its_buttons_until_nothing_is_left(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    plan = running("hint", name="Hint")
    type(plan).objects.update(planned_end=timezone.localdate() - timedelta(days=3))
    study("done")
    page = open_page(language, pm)
    page.goto("/upkeep/")
    page.goto("/")
    assert page.locator("#hygiene .value").inner_text() == "1"

    page.locator("#hygiene").click()
    assert page.locator("section.card").evaluate_all("rows => rows.map(one => one.id)") == ["past_end"]
    page.locator("#past_end a.button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/experiments/hint/do/stop/")
    page.locator("main form button[type=submit]").first.click()
    page.locator(".messages li").wait_for()

    plan.refresh_from_db()
    assert plan.status == "stopped"
    page.goto("/upkeep/")
    page.locator(".card.empty").wait_for()
    page.goto("/")
    assert page.locator("#hygiene").count() == 0
