"""A report on its way out: the file opens without a network, the link for strangers works until it ends."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from insight_site.exports import takeaway
from insight_site.models import ShareLink
from tests.browser.pages import World, path, world
from tests.marks import first_in_ci

__all__ = ["world"]
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("language", "words"), first_in_ci([("en", "Who counts"), ("ko", "집계 대상")]))
def test_html__downloaded__opens_offline_without_a_request(
    chromium: Any, open_page: Callable[..., Any], analyst: User, world: World, tmp_path: Path, language: str, words: str
) -> None:
    page = open_page(language, analyst)
    for name in ("study", "segmentation", "experiment"):
        page.goto(path(name, world))
        page.locator(".takeaway .files summary").click()
        with page.expect_download() as waited:
            page.locator(".takeaway a", has_text="HTML").click()
        file = tmp_path / f"{name}.html"
        waited.value.save_as(file)

        context = chromium.new_context(offline=True, locale="en-US")
        alone = context.new_page()
        asked: list[str] = []
        troubles: list[str] = []
        alone.on("request", lambda request, asked=asked: asked.append(request.url))
        alone.on("console", lambda line, troubles=troubles: troubles.append(line.text))
        alone.goto(file.as_uri())
        alone.locator("summary").first.wait_for()

        assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
        assert troubles == []
        assert alone.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert alone.evaluate("getComputedStyle(document.querySelector('.top')).display") == "flex"
        assert name != "study" or words in alone.locator("main").inner_text()
        context.close()


def test_link__made_by_a_pm__is_read_by_a_stranger_until_it_is_ended(
    open_page: Callable[..., Any], pm: User, world: World
) -> None:
    page = open_page("en", pm)
    page.goto(path("study", world))

    page.locator(".share summary").click()
    page.get_by_role("button", name="Make a link").click()
    address = page.locator(".messages .link").inner_text()
    stranger = open_page("ko")
    answer = stranger.goto(address)

    assert answer.status == 200
    assert "집계 대상" in stranger.locator("main").inner_text()
    assert stranger.locator("figure.picture svg").count() == 5
    assert stranger.locator("form, script, nav a[href^='/']").count() == 0

    page.reload()
    page.locator(".share summary").click()
    page.get_by_role("button", name="End it").click()
    page.locator("text=The link no longer works.").wait_for()

    assert not ShareLink.objects.get().is_live


@pytest.mark.parametrize("report", ["study", "analysis"])
@pytest.mark.parametrize(("language", "words"), first_in_ci([("en", "It has expired"), ("ko", "만료")]))
def test_link__expired__is_refused_with_a_plain_sentence(
    chromium: Any, live_server: Any, world: World, language: str, words: str, report: str
) -> None:
    link, token = takeaway.create_link(run=getattr(world, report), days=7, by=None)
    ShareLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    context = chromium.new_context(base_url=live_server.url, locale={"en": "en-US", "ko": "ko-KR"}[language])
    page = context.new_page()

    answer = page.goto(f"/shared/{token}/")

    assert answer.status == 410
    assert words in page.locator("main").inner_text()
    assert "Spring" not in page.content()
    assert "Hint" not in page.content()
    context.close()
