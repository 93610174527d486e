"""Explore in a real browser, in both languages: from a question to a picture and a study, also without a mouse."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import override_settings
from playwright.sync_api import expect

from events.catalogue import refresh
from events.outbox.rows import to_table
from events.store import event_table
from tests.aha.explore.small_logs import at, random_rows
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


SHIFT = """() => new Promise(done => {
  let sum = 0;
  const add = list => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value; };
  new PerformanceObserver(add).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 500);
})"""


@pytest.fixture
def log(tmp_path: Path, transactional_db: None) -> Iterator[None]:
    """Three hundred made-up users, and the list of their events."""
    cache.clear()
    with override_settings(EVENTS_URL=str(tmp_path / "events"), EXPLORE_DIR=str(tmp_path / "explore")):
        rows = random_rows(7, users=300)
        table = to_table([(user, event, time, "{}", str(n), at(60)) for n, (user, event, time) in enumerate(rows)])
        event_table.append(table, app_id="test", version=1)
        refresh.make_catalogue()
        yield


def answered(page: Any) -> None:
    page.wait_for_selector("#answer:not([aria-busy])", timeout=60_000)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("language", "tabs"),
    first_in_ci(
        [
            ("en", ["Retention", "Behaviour over time", "Times within days", "Lifecycle", "Funnel"]),
            ("ko", ["잔존", "행동 추이", "기간 내 횟수", "라이프사이클", "퍼널"]),
        ]
    ),
)
def test_views__one_after_the_other__each_answers_with_a_picture_and_a_table(
    open_page: Callable[..., Any], pm: User, language: str, tabs: list[str]
) -> None:
    page = open_page(language, pm)
    page.goto("/explore/")

    for name in tabs:
        page.locator("nav.tabs a", has_text=name).first.click()
        answered(page)
        assert page.locator("#answer .lead").inner_text()
        assert page.locator("#answer .drawn svg").count() >= 1
        assert page.locator("#answer details table").count() >= 1
        assert page.locator(".errorlist").count() == 0


@pytest.mark.usefixtures("log")
def test_retention__picked_by_mouse__leads_to_an_address_that_says_it_all(
    open_page: Callable[..., Any], pm: User
) -> None:
    page = open_page("en", pm)
    page.goto("/explore/")
    answered(page)

    page.get_by_role("button", name="Week 2", exact=True).click()
    expect(page.locator("#id_retention")).to_have_value("week:2")
    page.get_by_role("button", name="Show", exact=True).click()
    answered(page)

    assert "retention=week%3A2" in page.url
    assert "retention_kind" not in page.url
    assert page.locator("table.heat td.hatched").count() > 0
    shared = page.url
    page.goto("/")
    page.goto(shared)
    answered(page)
    assert "users stayed" in page.locator("#answer .lead").inner_text()


@pytest.mark.usefixtures("log")
def test_study__from_a_view__begins_with_its_behaviour_and_retention(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/explore/times/?behaviour=play&days=3&times=2&retention=window%3A7-13&signup_event=signup")
    answered(page)

    page.get_by_role("link", name="Use in a study").click()

    page.wait_for_url("**/aha/studies/new/**")
    assert page.locator("[name=retention]").first.input_value() == "window:7-13"
    assert page.locator("[name=behaviours]").first.input_value() == "play"


@pytest.mark.usefixtures("log")
def test_funnel__by_keyboard_alone__is_changed_and_shown(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/explore/funnel/?steps=signup&steps=play&signup_event=signup")
    answered(page)
    before = page.locator("#answer .lead").inner_text()

    page.locator("#id_days").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_url("**days=2**")
    answered(page)

    assert page.locator("#answer .lead").inner_text() != before
    assert "within 2 days" in page.locator("#answer .lead").inner_text().replace("\u00a0", " ")


@pytest.mark.usefixtures("log")
def test_funnel__steps_moved_by_keyboard__are_asked_in_their_new_order(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/explore/funnel/?steps=signup&steps=play&steps=shop&signup_event=signup")
    answered(page)

    page.get_by_role("button", name="Move shop up").focus()
    page.keyboard.press("Enter")
    expect(page.locator("textarea[name=steps]")).to_have_value("signup\nshop\nplay")
    expect(page.get_by_role("button", name="Move shop up")).to_be_focused()
    page.get_by_role("button", name="Show", exact=True).press("Enter")
    page.wait_for_url("**steps=signup&steps=shop&steps=play**")
    answered(page)

    assert "from signup to play" in page.locator("#answer .lead").inner_text()


@pytest.mark.usefixtures("log")
def test_picture__arrives_late__nothing_moves(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/explore/lifecycle/")
    answered(page)

    shift = page.evaluate(SHIFT)

    assert shift < 0.1


@pytest.mark.usefixtures("log")
def test_point__by_keyboard_alone__leads_to_its_users_and_they_become_a_segment(
    open_page: Callable[..., Any], pm: User
) -> None:
    page = open_page("en", pm)
    page.goto("/explore/retention/?signup_event=signup&retention=on_day%3A7&day_mode=rolling")
    answered(page)

    page.locator("#answer .drawn").first.focus()
    for key in ("ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert "these users" in page.locator(".chart-tip").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/explore/retention/users/**")
    assert page.locator("#pick-column").input_value() == "2-2"
    number = page.locator(".lead").inner_text().split()[0]
    page.locator("#id_name").focus()
    page.keyboard.type("Back on day 2")
    page.keyboard.press("Enter")

    page.wait_for_url("**/segments/models/back-on-day-2/")
    assert number in page.locator(".segment-table").inner_text()


@pytest.mark.usefixtures("log")
def test_cell__clicked__leads_to_its_users(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("ko", pm)
    page.goto("/explore/retention/?signup_event=signup&retention=on_day%3A7&day_mode=rolling")
    answered(page)

    cell = page.locator("table.heat td a").nth(8)
    wanted = cell.get_attribute("href")
    cell.click()

    page.wait_for_url("**/explore/retention/users/**")
    assert page.locator("#pick-at").input_value() in wanted
