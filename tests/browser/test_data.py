"""The data section in a browser: from an empty site to the first event; the list; a name to show."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from events.catalogue import listing, refresh
from events.models import EventLabel, OutboxEvent, Rejected, Source
from events.outbox.flush import flush_events
from insight_site.models import ApiKey
from tests.browser.test_a11y import AXE, violations
from tests.conftest import missing
from tests.marks import first_in_ci

WORDS = {
    "en": {"waiting": "Waiting for your first event", "arrived": "1 event has arrived", "signup": "signup"},
    "ko": {"waiting": "첫 이벤트를 기다리는 중", "arrived": "이벤트 1건이 도착했습니다", "signup": "signup"},
}


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


@pytest.mark.slow
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_empty_site__source_key_snippet__turns_green_when_the_event_arrives(
    open_page: Callable[..., Any], pm: User, language: str, live_server: Any
) -> None:
    page = open_page(language, pm)
    page.goto("/data/")
    assert page.locator("#connect").is_visible()

    page.fill("#id_name", "Shop iOS")
    page.locator("#connect button[type=submit]").first.click()
    assert WORDS[language]["waiting"] in page.locator("#received").inner_text()
    command = page.locator("#snippet-curl").text_content()
    sent = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=30)

    page.wait_for_selector("#received.arrived")
    told = page.locator("#received").inner_text()
    assert '"accepted": 1' in sent.stdout
    assert WORDS[language]["arrived"] in told
    assert "signup" in told
    assert "hx-trigger" not in page.locator("#received").evaluate("part => part.outerHTML")
    key = ApiKey.objects.get()
    assert (key.source.name, key.kind, key.created_by) == ("Shop iOS", "server", pm)
    shown = page.locator("#key").inner_text()
    assert shown.startswith(key.prefix)
    assert shown not in page.goto("/data/").text()  # once, and never again


@pytest.mark.slow
def test_refused_event__while_one_waits__is_told_with_its_reason(
    open_page: Callable[..., Any], pm: User, live_server: Any
) -> None:
    page = open_page("en", pm)
    page.goto("/data/connect/")
    page.fill("#id_name", "Shop")
    page.locator("#connect button[type=submit]").first.click()
    command = page.locator("#snippet-curl").text_content().replace('"event": "signup", ', "")

    subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)

    page.wait_for_selector("#received .reason")
    assert "needs a name" in page.locator("#received .reason").inner_text()
    assert "waiting" in (page.locator("#received").get_attribute("class") or "")


@pytest.mark.slow
def test_list__search_and_rename__shows_the_new_name_everywhere(
    open_page: Callable[..., Any], pm: User, live_server: Any
) -> None:
    page = open_page("en", pm)
    page.goto("/data/connect/")
    page.fill("#id_name", "Shop")
    page.locator("#connect button[type=submit]").first.click()
    command = page.locator("#snippet-curl").text_content()
    for user, name in (("ann", "signup"), ("ann", "shop_buy"), ("bob", "signup")):
        text = command.replace("user-1", user).replace('"event": "signup"', f'"event": "{name}"')
        subprocess.run(["bash", "-c", text], capture_output=True, check=True, timeout=30)
    assert flush_events() == 3
    assert refresh.make_catalogue()

    page.goto("/data/events/")
    assert page.locator("#rows tbody tr").count() == 2
    page.locator("main input[type=search]").press_sequentially("buy")
    page.locator("#rows tbody tr", has_text="signup").wait_for(state="detached")
    page.locator("#rows tbody a").first.click()
    page.wait_for_selector("#trend table", state="attached")
    assert re.search(r"50.0.?%", page.locator(".tiles").inner_text())
    page.get_by_role("link", name="Rename or hide").click()
    page.fill("#id_name_en", "Purchase")
    page.locator("main button[type=submit]").click()

    assert page.locator("h1").inner_text() == "Purchase"
    page.goto("/data/live/")
    assert "Purchase" in page.locator("#tail").inner_text()
    assert not OutboxEvent.objects.exists()  # the tail reads them from the store
    assert EventLabel.objects.get().name_en == "Purchase"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", first_in_ci(["light", "dark"]))
def test_pages__with_events_in_them__have_no_serious_violation_at_any_width(
    open_page: Callable[..., Any], pm: User, scheme: str
) -> None:
    if not AXE.is_file():
        missing("axe-core (make clients)")
    shop = Source.objects.create(name="Shop")
    for place, (name, properties) in enumerate([("signup", '{"platform": "ios"}'), ("play", '{"mode": "solo"}')]):
        now = timezone.now()
        OutboxEvent.objects.create(
            message_id=f"{shop.pk}:s:{place}",
            user_id="user-0001",
            event=name,
            time=now,
            properties=properties,
            received_at=now,
        )
    Rejected.objects.create(source=shop, received_at=timezone.now(), code="bad_number", message="x", payload="{}")
    flush_events()
    refresh.make_catalogue()
    page = open_page("en", pm)
    page.emulate_media(color_scheme=scheme)
    found, wide = [], {}

    for width in (390, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        for address in ("/data/", "/data/events/", "/data/event/?name=signup", "/data/live/", "/data/connect/"):
            page.goto(address)
            page.wait_for_timeout(600)  # the trend comes by itself
            found += violations(page)
            wide[address, width] = page.evaluate("document.documentElement.scrollWidth")

    assert found == []
    assert {place: pixels for place, pixels in wide.items() if pixels > place[1]} == {}
