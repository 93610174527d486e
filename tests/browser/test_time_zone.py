"""The time zone in a browser: guessed on the first day, changed after what changes was shown, one's own for times."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings

from events.catalogue import listing
from runs.models import SiteZone
from runs.site_zone import choose_site_zone, site_zone
from tests.browser.test_a11y import violations
from tests.experiments.make import running

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
FIELD = "#site-zone input[name=zone]"


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


def test_first_day__in_seoul__proposes_the_zone_of_the_browser_and_waits_for_a_person(
    open_page: Callable[..., Any], pm: User
) -> None:
    page = open_page("en", pm, zone="Asia/Seoul")
    page.goto("/data/connect/")

    assert page.input_value(FIELD) == "Asia/Seoul"
    assert page.locator("#site-zone [data-guessed]").is_visible()
    assert not SiteZone.objects.exists(), "a guess is no choice"
    assert violations(page) == []
    page.locator("#site-zone button").click()
    page.wait_for_selector("#site-zone", state="detached")

    assert site_zone() == "Asia/Seoul"
    page.locator("button.who").click()
    assert "Days and times are those of Asia/Seoul." in page.locator("#personal").inner_text()


def test_first_day__in_a_browser_without_script__takes_what_is_typed(
    chromium: Any, open_page: Callable[..., Any], pm: User, live_server: Any
) -> None:
    cookies = open_page("en", pm).context.cookies()
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto("/data/connect/")
    assert page.input_value(FIELD) == "UTC"
    assert not page.locator("#site-zone [data-guessed]").is_visible()

    page.fill(FIELD, "seoul")
    page.locator("#site-zone button").click()

    assert "Days are counted in Asia/Seoul." in page.locator(".messages").inner_text()
    context.close()


def test_another_zone__shows_what_changes_first__and_is_taken_by_a_second_button(
    open_page: Callable[..., Any], pm: User
) -> None:
    running("keeps")
    page = open_page("en", pm)
    page.goto("/settings/time-zone/")
    page.fill("#id_zone", "Seoul")
    page.locator("#choose-zone button").click()

    changes = page.locator("#zone-changes")
    assert "counted anew" in changes.inner_text()
    assert "keeps" in changes.inner_text()
    assert site_zone() == "UTC"
    assert violations(page) == []
    changes.locator("button").click()
    page.wait_for_selector(".messages")

    assert site_zone() == "Asia/Seoul"


def test_own_zone__times_of_the_account_page_move__and_the_menu_says_both(
    open_page: Callable[..., Any], pm: User
) -> None:
    choose_site_zone("Asia/Seoul")
    experiment = running("shown")
    type(experiment).objects.update(started_at=datetime(2026, 3, 4, 16, tzinfo=UTC))  # in Seoul the 5th, 01:00
    page = open_page("en", pm)
    page.goto("/experiments/shown/plan/")
    assert "Mar 5, 2026, 01:00" in page.locator("main").inner_text()

    page.goto("/account/")
    page.fill("#own-zone input[name=zone]", "new york")
    page.locator("#own-zone button").click()
    page.wait_for_selector(".messages")
    page.goto("/experiments/shown/plan/")

    assert "Mar 4, 2026, 11:00" in page.locator("main").inner_text()
    page.locator("button.who").click()
    said = page.locator("#personal").inner_text()
    assert "Days are those of Asia/Seoul, times those of America/New_York." in said
