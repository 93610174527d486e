"""Segments in a real browser: a run that ends while it is watched, a rule tried out, the report in both languages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from reporting.document import dump
from segments.models import Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published import publish_rule
from tests.segments.make_report import report

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


@pytest.mark.parametrize(("language", "summary"), [("en", "Stability of each group"), ("ko", "그룹별 안정성")])
def test_report__opened__pictures_and_their_tables(
    open_page: Callable[..., Any], analyst: User, language: str, summary: str
) -> None:
    run = done_run()
    page = open_page(language, analyst)

    page.goto(f"/segments/runs/{run.pk}/")
    for place in range(page.locator("figure img").count()):
        page.locator("figure img").nth(place).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    page.locator(f"summary:has-text('{summary}')").click()

    assert page.locator("figure").count() == 10
    assert page.locator("#stability table").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_report__narrow_screen__nothing_sticks_out(open_page: Callable[..., Any], analyst: User) -> None:
    run = done_run()
    page = open_page("ko", analyst)
    page.set_viewport_size({"width": 380, "height": 800})

    page.goto(f"/segments/runs/{run.pk}/")

    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_rule__preview__counts_without_leaving_the_page(
    open_page: Callable[..., Any], pm: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        publish_rule, "preview_rule", lambda **_: publish_rule.Preview(20_000, 1_234, False, "friend_add")
    )
    page = open_page("en", pm)

    page.goto("/segments/rules/new/")
    page.fill("#id_name", "With friends")
    page.locator("button:has-text('Preview')").click()
    page.locator("text=1,234 of 20,000 users (6.2 %)").wait_for()

    assert page.url.endswith("/segments/rules/new/")
    assert page.input_value("#id_name") == "With friends"


def test_model__renamed__name_stands_everywhere(open_page: Callable[..., Any], pm: User) -> None:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, run=done_run())
    Segment.objects.create(version=version, key="g1", name="Fighters", stability=0.9, size=1_234)
    page = open_page("en", pm)

    page.goto("/segments/models/style/")
    page.fill("input[name=name]", "Brawlers")
    page.locator("button:has-text('Rename')").click()
    page.locator("text=The segment has a new name.").wait_for()
    page.goto("/segments/")

    assert "Brawlers 1,234 users" in page.locator("main").inner_text()
