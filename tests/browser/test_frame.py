"""The frame of all pages: login, menu, language, the API's documentation."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from aha.models import Study
from tests.browser.conftest import log_in
from tests.browser.pages import make_world
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_login__wrong_password__says_so_and_keeps_the_name(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en")

    page.goto("/segments/")
    page.fill("#id_username", "ann")
    page.fill("#id_password", "nonsense")
    page.locator("main button[type=submit]").click()
    page.locator(".errorlist").wait_for()

    assert page.input_value("#id_username") == "ann"


@pytest.mark.parametrize(("language", "title"), first_in_ci([("en", "Segments"), ("ko", "세그먼트")]))
def test_login__then_page__in_the_browsers_language(
    open_page: Callable[..., Any], analyst: User, language: str, title: str
) -> None:
    page = open_page(language)

    log_in(page, analyst, "/segments/")

    assert page.locator("h1").inner_text() == title
    assert page.locator("nav a[aria-current=page]").inner_text() == title


def test_language__switched__stays_on_the_page(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)
    page.goto("/segments/")

    page.locator("button[value=ko]").click()
    page.wait_for_load_state()

    assert page.url.endswith("/segments/")
    assert page.locator("h1").inner_text() == "세그먼트"


def test_docs__of_the_api__show_its_paths(open_page: Callable[..., Any], analyst: User) -> None:
    page = open_page("en", analyst)

    page.goto("/api/docs/")
    page.locator(".opblock").first.wait_for()
    wanted = page.locator("[data-path='/api/v1/segments']")
    for _ in range(100):  # a long document is drawn where one looks
        if wanted.count():
            break
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(100)

    assert wanted.first.is_visible()


def test_language__switched__persists_on_another_machine(open_page: Callable[..., Any], analyst: User) -> None:
    here = open_page("en", analyst)
    here.goto("/segments/")
    here.locator("button[value=ko]").click()
    here.locator("h1:has-text('세그먼트')").wait_for()

    there = open_page("en")
    log_in(there, analyst)
    there.goto("/segments/")

    assert there.locator("h1").inner_text() == "세그먼트"


def test_studies__typed_into_the_filter__rows_follow_and_the_address_too(
    open_page: Callable[..., Any], analyst: User
) -> None:
    for title in ("Spring", "Autumn"):
        Study.objects.create(title=title, status="failed", reason="Nobody signed up.")
    page = open_page("en", analyst)
    page.goto("/aha/studies/")

    page.locator("main input[type=search]").press_sequentially("spr")
    page.locator("#rows:not(:has-text('Autumn'))").wait_for()

    assert "Spring" in page.locator("#rows").inner_text()
    assert page.locator("header.top").count() == 1
    page.wait_for_url("**/aha/studies/?q=spr**")


def test_studies__without_script__filter_is_a_form(chromium: Any, live_server: Any, analyst: User) -> None:
    for title in ("Spring", "Autumn"):
        Study.objects.create(title=title, status="failed", reason="Nobody signed up.")
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    page = context.new_page()
    page.goto("/login/?next=/aha/studies/")
    page.fill("#id_username", "ann")
    page.fill("#id_password", "correct horse")
    page.locator("main button[type=submit]").click()

    page.fill("main input[type=search]", "spr")
    page.locator(".filters button").click()

    assert "Autumn" not in page.locator("#rows").inner_text()
    assert page.locator("header.top").count() == 1
    context.close()


def test_note__by_keyboard__opens_and_closes(open_page: Callable[..., Any], analyst: User) -> None:
    world = make_world()
    page = open_page("en", analyst)
    page.goto(f"/aha/studies/{world.study.pk}/candidates/1/")
    button = page.get_by_role("button", name="Explain: AHA moment").first

    button.focus()
    page.keyboard.press("Enter")
    note = page.locator(".note:popover-open")
    note.wait_for()

    assert "It is a claim until an experiment has confirmed it." in note.inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".note:popover-open").count() == 0


def test_data_table__opened__has_the_rows_behind_the_chart(open_page: Callable[..., Any], analyst: User) -> None:
    study = make_world().study
    page = open_page("en", analyst)
    page.goto(f"/aha/studies/{study.pk}/")

    page.locator("#weeks summary").focus()
    page.keyboard.press("Enter")

    assert page.locator("#weeks table tbody tr").first.is_visible()
    with page.expect_download() as waited:
        page.locator("#weeks .files a", has_text="CSV").click()
    columns = waited.value.path().read_text(encoding="utf-8-sig").splitlines()[0].split(",")
    assert {"week", "share", "low", "high"} <= set(columns)
