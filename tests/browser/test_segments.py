"""Segments in a real browser: a run that ends while it is watched, a rule tried out, the report in both languages."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from events.models import UnitTraits
from reporting.document import dump
from segments.models import Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published import rule_members
from tests.marks import first_in_ci
from tests.segments.make_report import report
from tests.segments.published.small_store import append, at

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def done_run() -> SegmentationRun:
    made = report()
    return SegmentationRun.objects.create(
        title="November", status="done", payload=dump(made), inputs=dump(made.inputs), share=1.0
    )


def test_run__ends_while_watched__page_shows_the_answer(open_page: Callable[..., Any], pm: User) -> None:
    run = SegmentationRun.objects.create(title="November", status="running", stage="null", share=0.4)
    page = open_page("en", pm)

    page.goto(f"/segments/runs/{run.pk}/")
    assert page.locator("progress").get_attribute("value") == "40"
    made = report()
    SegmentationRun.objects.filter(pk=run.pk).update(status="done", payload=dump(made), inputs=dump(made.inputs))

    page.locator("text=2 stable groups of users").wait_for()


@pytest.mark.parametrize(
    ("language", "summary"), first_in_ci([("en", "Stability of each group"), ("ko", "그룹별 안정성")])
)
def test_report__opened__pictures_and_their_tables(
    open_page: Callable[..., Any], analyst: User, language: str, summary: str
) -> None:
    run = done_run()
    page = open_page(language, analyst)

    figures = 0
    for tab in ("", "?tab=evidence"):
        page.goto(f"/segments/runs/{run.pk}/{tab}")
        for place in range(page.locator("figure img").count()):
            page.locator("figure img").nth(place).scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200
        figures += page.locator("figure").count()
    page.locator(f"summary:has-text('{summary}')").click()

    assert figures == 10
    assert page.locator("#stability table").is_visible()


def test_report__narrow_screen__nothing_sticks_out(open_page: Callable[..., Any], analyst: User) -> None:
    run = done_run()
    page = open_page("ko", analyst)
    page.set_viewport_size({"width": 380, "height": 800})

    page.goto(f"/segments/runs/{run.pk}/")

    assert page.evaluate("document.documentElement.scrollWidth") <= 380


PLATFORMS = ["ios"] * 3 + ["android"] * 5 + ["web"] * 2
WORDS = {
    "en": ("3 of 10 users", "Add a group", "As text", "Conditions", "Publish", "Use ‘ios’", "8 of 10 users"),
    "ko": ("10명 중 3명", "그룹 추가", "텍스트", "조건", "게시", "‘ios’ 사용", "10명 중 8명"),
}


@pytest.fixture
def users(transactional_db: None, settings: Any, tmp_path: Any) -> None:
    """Ten users with a platform, and no log."""
    cache.clear()
    rule_members._rule_count_read.clear()
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "store"), str(tmp_path / "prepared")
    UnitTraits.objects.bulk_create(
        UnitTraits(user_id=f"u{place}", traits={"platform": value}) for place, value in enumerate(PLATFORMS)
    )


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_rule__by_mouse__picked_counted_mended_and_published(
    open_page: Callable[..., Any], pm: User, users: None, language: str
) -> None:
    three, group, as_text, conditions, publish, _, eight = WORDS[language]
    page = open_page(language, pm)

    page.goto("/segments/rules/new/")
    page.select_option("#r-0-name", "platform")
    page.select_option("#r-0-pick", '"ios"')
    page.locator(f"text={three}").wait_for()
    page.select_option("#r-join", "any")
    page.locator(f"button:has-text('{group}')").click()
    page.select_option("#r-1-0-name", "platform")
    page.select_option("#r-1-0-operator", "in")
    page.locator("label.box:has-text('android') input").check()
    page.locator(f"text={eight}").wait_for()
    page.locator(f"button:text-is('{as_text}')").click()
    assert json.loads(page.input_value("#rule-text")) == {
        "any": [{"trait": "platform", "is": "ios"}, {"any": [{"trait": "platform", "in": ["android"]}]}]
    }
    page.locator(f".rule-tabs button:has-text('{conditions}')").click()
    page.locator("#r-1-0-name").wait_for()
    page.fill("#id_name", "아이폰")
    page.wait_for_load_state("networkidle")
    page.locator(f"button:text-is('{publish}')").click()
    page.wait_for_url("**/models/aipon/")

    assert Segment.objects.get().size == 8


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_rule__by_keyboard_alone__rows_are_added_moved_and_mended(
    open_page: Callable[..., Any], pm: User, users: None, language: str
) -> None:
    three, *_, use, _eight = WORDS[language]
    page = open_page(language, pm)

    page.goto("/segments/rules/new/?rule=" + quote(json.dumps({"all": [{"trait": "platform", "is": "iOS"}]})))
    mend = page.locator(f"button:has-text('{use}')")
    mend.wait_for()
    tab_to(page, f"document.activeElement.matches('button') && document.activeElement.textContent.includes('{use}')")
    page.keyboard.press("Enter")
    page.locator(f"text={three}").wait_for()
    tab_to(page, "document.activeElement.value == 'add r'")
    page.keyboard.press("Enter")
    page.locator("#r-1-subject:focus").wait_for()  # where the new row begins
    tab_to(page, "document.activeElement.value == 'up r-1'")
    page.keyboard.press("Enter")
    page.locator("#r-1-pick").wait_for()
    assert page.locator("#rule-said").text_content()
    tab_to(page, "document.activeElement.value == 'remove r-0'")
    page.keyboard.press("Enter")
    page.locator(f"text={three}").wait_for()

    assert page.locator(".rule-row").count() == 1
    page.wait_for_load_state("networkidle")


def tab_to(page: Any, there: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        if page.evaluate(there):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard never came to {there}")


def test_rule__narrow_screen__nothing_sticks_out(open_page: Callable[..., Any], pm: User, users: None) -> None:
    page = open_page("ko", pm)
    page.set_viewport_size({"width": 390, "height": 800})
    rule = {"all": [{"trait": "platform", "in": ["ios"]}, {"any": [{"behaviour": "b", "days": 7, "at_least": 3}]}]}

    page.goto("/segments/rules/new/?rule=" + quote(json.dumps(rule)))
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_list__two_ticked__compared_on_one_page(open_page: Callable[..., Any], analyst: User) -> None:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, units=4_000)
    for place, count in enumerate((300, 400)):
        stayed = {"count": count, "n": 1_000, "retention": "window:21-27"}
        Segment.objects.create(version=version, key=f"g{place + 1}", number=place, size=1_000, stayed=stayed)
    page = open_page("en", analyst)

    page.goto("/segments/")
    for box in page.locator("input[name=s]").all():
        box.check()
    page.locator("button:has-text('Compare the two ticked')").click()
    page.locator("text=g2 is retained more than g1").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_model__renamed__name_stands_everywhere(open_page: Callable[..., Any], pm: User) -> None:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, run=done_run())
    Segment.objects.create(version=version, key="g1", name="Fighters", stability=0.9, size=1_234)
    page = open_page("en", pm)

    page.goto("/segments/models/style/")
    page.locator("summary:has-text('Rename')").click()
    page.fill(".rename input[name=name]", "Brawlers")
    page.locator(".rename button").click()
    page.locator("text=The segment has a new name.").wait_for()
    page.goto("/segments/")

    assert "Brawlers" in page.locator("main").inner_text()
    assert "1,234" in page.locator("main").inner_text()


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_template__by_keyboard_alone__rows_of_the_last_days_on_a_narrow_screen(
    open_page: Callable[..., Any], pm: User, users: None, language: str
) -> None:
    append(
        [("a", "signup", at(0), {}), *(("a", "play", at(day), {}) for day in range(60, 80)), ("b", "chat", at(113), {})]
    )
    page = open_page(language, pm)
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto("/segments/rules/new/")
    tab_to(page, "document.activeElement.value == 'start old-fell'")
    page.keyboard.press("Enter")
    page.locator("#r-0-subject:focus").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [page.input_value(f"#r-1-{field}") for field in ("when", "days", "later", "typed")] == [
        *("earlier", "28", "28", "8")
    ]
    page.locator("#preview .big").wait_for()
    tab_to(page, "document.activeElement.id == 'r-1-when'")
    page.keyboard.press("ArrowUp")
    page.locator("#r-1-later").wait_for(state="detached")
    page.fill("#id_refresh_days", "")
    page.locator("#preview .said").wait_for()
    page.wait_for_load_state("networkidle")

    assert page.input_value("#r-1-when") == "last"
