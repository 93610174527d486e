"""Studies and AHA moments in a real browser: the circles follow the choice, with and without script."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from aha.models import AhaMoment, Study
from insight_site.exports import pictures
from reporting.document import dump
from runs.queue import status
from tests.aha.make_report import INPUTS, result
from tests.browser.person import wait_until
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def study(transactional_db: None) -> Study:
    cache.clear()
    row = Study.objects.create(title="First", status="done", inputs=dump(INPUTS), **result())
    pictures.draw_run("aha.Study", row.pk)
    return row


@pytest.mark.parametrize(("language", "title"), first_in_ci([("en", "Who counts"), ("ko", "집계 대상")]))
def test_study__done__charts_stand_inline_beside_their_tables(
    open_page: Callable[..., Any], analyst: User, study: Study, language: str, title: str
) -> None:
    page = open_page(language, analyst)

    page.goto(f"/aha/studies/{study.pk}/")
    drawn = page.locator("figure.picture svg").count()
    page.locator("#ranking summary").click()
    assert page.locator("#ranking table tbody tr").count() == 3
    assert page.locator("figure.picture img").count() == 0

    page.goto(f"/aha/studies/{study.pk}/?tab=method")
    assert page.locator("#units h2").inner_text() == title
    assert drawn + page.locator("figure.picture svg").count() == 5
    assert page.locator("figure.picture img").count() == 0


def test_candidate__other_times_chosen__circles_follow_without_a_new_page(
    open_page: Callable[..., Any], analyst: User, study: Study
) -> None:
    page = open_page("en", analyst)
    page.goto(f"/aha/studies/{study.pk}/candidates/1/")
    before = page.locator("#venn circle").first.get_attribute("r")

    page.select_option("#venn-times", "3")
    page.get_by_text("friend_add at least 3 times within 3 days:").first.wait_for()

    assert page.locator("#venn circle").first.get_attribute("r") != before
    assert page.url.endswith("/candidates/1/")
    assert page.locator("#venn").count() == 1
    assert page.locator("main h1").count() == 1


def test_venn__without_script__works_as_a_form(chromium: Any, live_server: Any, analyst: User, study: Study) -> None:
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    page = context.new_page()
    page.goto("/login/")
    page.fill("#id_username", "ann")
    page.fill("#id_password", "correct horse")
    page.locator("main button[type=submit]").click()
    page.goto(f"/aha/studies/{study.pk}/venn/?behaviour=friend_add&days=3&times=1")

    page.select_option("#venn-behaviour", "rotate")
    page.locator("#venn button").click()

    assert "rotate at least once within 3 days" in page.locator("#venn").inner_text()
    assert page.locator("header.top").count() == 1
    context.close()


def test_candidate__promoted__becomes_a_moment_that_keeps_its_evidence(
    open_page: Callable[..., Any], pm: User, study: Study
) -> None:
    page = open_page("en", pm)
    page.goto(f"/aha/studies/{study.pk}/candidates/1/")

    page.fill("#id_name", "Two friends")
    page.get_by_role("button", name="Make it an AHA moment").click()
    page.wait_for_url("**/moments/**")

    assert page.locator("h1").inner_text().startswith("Two friends")
    assert "its evidence is frozen" in page.locator(".messages").inner_text()
    page.locator("#tabs a", has_text="Method").click()
    assert "+8.0" in page.locator("#evidence").inner_text()
    assert AhaMoment.objects.get().times == 2


def test_new_study__bad_days__keeps_what_was_written(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/aha/studies/new/")

    page.get_by_text("Advanced", exact=True).click()
    page.fill("#id_days", "20")
    page.get_by_role("button", name="Start", exact=True).click()

    page.locator(".errorlist").first.wait_for()
    assert "day 14" in page.locator("main").inner_text()
    assert page.input_value("#id_days") == "20"


def test_study__opened_before_its_charts_are_drawn__they_come_by_themselves_in_their_places(
    open_page: Callable[..., Any], analyst: User
) -> None:
    cache.clear()
    row = Study.objects.create(title="First", status="done", inputs=dump(INPUTS), **result())
    page = open_page("en", analyst)
    status.sign("a", timezone.now())  # a worker that is busy: no request may draw

    page.goto(f"/aha/studies/{row.pk}/")
    undrawn = page.locator("svg.undrawn")
    number, places = undrawn.count(), [undrawn.nth(at).bounding_box() for at in range(undrawn.count())]
    assert number > 1
    assert page.locator("figure.picture [role=img]").first.get_attribute("aria-label").endswith("is being drawn.")
    assert page.locator("figure.picture .skeleton, figure.picture img").count() == 0

    pictures.draw_run("aha.Study", row.pk)
    page.locator("svg.undrawn").first.wait_for(state="detached")
    wait_until(page, "document.querySelectorAll('svg.undrawn').length === 0")

    drawn = page.locator("figure.picture svg")
    boxes = [drawn.nth(at).bounding_box() for at in range(drawn.count())]
    assert [box["height"] for box in boxes] == pytest.approx([box["height"] for box in places], rel=0.12)
    assert page.locator("figure.picture .skeleton").count() == 0
