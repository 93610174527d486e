"""Joined ids on the data page and of one user, in both languages, wide and narrow."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from events.catalogue import listing
from events.models import Source
from events.outbox.accept import accept_events
from tests.insight_site.identity.world import events
from tests.marks import first_in_ci

PICTURES = os.environ.get("PICTURES", "")


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


@pytest.mark.slow
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_joined_ids__on_the_data_page_and_of_a_user__are_shown(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    source = Source.objects.create(name="Shop")
    browser = [{"type": "track", "event": "open", "userId": "ann", "anonymousId": "q"}]
    for kind, sent in (("server", events()), ("client", browser)):
        accept_events(source_id=source.pk, key_kind=kind, events=sent, received_at=timezone.now())
    page = open_page(language, pm)

    for width in (1200, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/data/")
        part = page.locator("#identity")
        assert [text.strip() for text in part.locator("dd a").all_inner_texts()] == ["7", "2", "1"]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        _picture(part, f"data-{language}-{width}")
    with page.expect_navigation():
        part.locator("dd a").nth(1).click()
    assert {"cho", "eve"} <= set(page.locator("body").inner_text().split())
    page.goto("/segments/users/?id=l")
    assert page.locator("main code").all_inner_texts() == ["l", "p"]
    _picture(page.locator("main"), f"user-{language}")


def _picture(part: Any, name: str) -> None:
    if PICTURES:
        part.screenshot(path=f"{PICTURES}/{name}.png")
