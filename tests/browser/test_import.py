"""An empty site, a log as it lies on the disk, and the list of its events: by mouse alone, by keyboard alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings

from events.catalogue import listing
from events.models import FileImport, Upload
from tests.browser.worker import worker
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
MOST_CLICKS = 6  # of the 25 from an empty site to a running experiment
MAPPING = re.compile(r"/data/import/[0-9a-f-]{36}/$")
RUN = re.compile(r"/data/import/runs/\d+/$")
FIRST_USER = ".kept tbody tr:first-child td:nth-child(3)"
LIST = re.compile(r"/data/events/")


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.UPLOADS_DIR = tmp_path / "uploads"
    cache.clear()
    listing._read.clear()


class Keyboard:
    """A person without a mouse: Tab until the wanted element has the focus, then a key."""

    def __init__(self, page: Any) -> None:
        self.page, self.keys = page, 0

    def go_to(self, selector: str) -> None:
        for _ in range(120):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.page.keyboard.press("Tab")
            self.keys += 1
        raise AssertionError(f"the keyboard doesn't reach {selector}")

    def press(self, selector: str, key: str = "Enter") -> None:
        self.go_to(selector)
        self.page.keyboard.press(key)
        self.keys += 1


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_college_messages__by_mouse_alone__are_in_the_list(
    open_page: Callable[..., Any], pm: User, real_data: Path, tmp_path: Path, language: str
) -> None:
    page, clicks = open_page(language, pm), 0
    page.set_default_timeout(60_000)  # a worker starts beside it
    page.set_viewport_size({"width": 1280, "height": 800})  # narrower, the menu is one click more

    def click(selector: str) -> None:
        nonlocal clicks
        page.locator(selector).first.click()
        clicks += 1

    page.goto("/")
    with worker(tmp_path):
        click("header nav a[href='/data/']")
        click("main a[href='/data/import/']")
        with page.expect_file_chooser() as chooser:
            click("#id_file")
        chooser.value.set_files(real_data / "events" / "CollegeMsg.txt")
        click("#upload-form button[type=submit]")
        page.wait_for_url(MAPPING)
        shown = page.locator(".kept tbody tr").first.inner_text()
        click("#mapping-form button[type=submit]")
        page.wait_for_url(RUN)
        page.locator(".verdict .button").first.wait_for(timeout=120_000)
        click(".verdict .button")
        page.wait_for_url(LIST)
        for words in ("college_msg", "59,835", "signup", "1,350"):
            page.locator(f"main >> text={words}").first.wait_for(timeout=90_000)
        page.wait_for_load_state("networkidle")

    assert shown.split() == ["2004년", "4월", "15일,", "14:56:01", "college_msg", "1", "2"]
    assert clicks <= MOST_CLICKS + 1  # the dialogue of the system is one of its own
    row = FileImport.objects.get()
    assert row.payload is not None
    assert (row.imported, row.payload["signups"], row.payload["users"]) == (59_835, 1_350, 1_350)
    assert not Upload.objects.exists()


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_college_messages__by_keyboard_alone__mapping_corrected_and_imported(
    open_page: Callable[..., Any], pm: User, real_data: Path, tmp_path: Path, language: str
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)  # a worker starts beside it
    person = Keyboard(page)

    with worker(tmp_path):
        page.goto("/data/import/")
        with page.expect_file_chooser() as chooser:
            person.press("#id_file")
        chooser.value.set_files(real_data / "events" / "CollegeMsg.txt")
        person.press("#upload-form button[type=submit]")
        page.wait_for_url(MAPPING)
        person.go_to("#id_user")
        page.keyboard.press("ArrowDown")  # from source to target
        page.locator(FIRST_USER, has_text="2").wait_for()
        assert page.evaluate("document.activeElement.id") == "id_user"
        page.keyboard.press("ArrowUp")
        page.locator(FIRST_USER, has_text="1").wait_for()
        person.go_to("#id_event_name")
        page.keyboard.press("Control+A")
        page.keyboard.type("message_sent")
        page.keyboard.press("Tab")
        page.locator(".kept tbody tr >> text=message_sent").first.wait_for()
        person.press("#mapping-form button[type=submit]")
        page.wait_for_url(RUN)
        page.locator(".verdict .button").first.wait_for(timeout=120_000)
        person.press(".verdict .button")
        page.wait_for_url(LIST)
        page.locator("main >> text=message_sent").first.wait_for(timeout=90_000)
        page.wait_for_load_state("networkidle")

    row = FileImport.objects.get()
    assert (row.imported, row.inputs["mapping"]["user"], row.inputs["mapping"]["event_name"]) == (
        59_835,
        "source",
        "message_sent",
    )


def test_mapping__changed_again_before_the_answer__keeps_the_newer_choice(
    open_page: Callable[..., Any], pm: User, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("source,target,time\n1,2,2024-03-01 10:00\n1,2,2024-03-02 10:00\n")
    page = open_page("en", pm)
    page.goto("/data/import/")
    page.set_input_files("#id_file", log)
    page.locator("#upload-form button[type=submit]").click()
    page.wait_for_url(MAPPING)
    page.locator(FIRST_USER, has_text="1").wait_for()

    held: list[Any] = []
    page.route("**/data/import/**", lambda route: held.append(route) if not held else route.continue_())
    page.select_option("#id_user", label="target")
    page.wait_for_timeout(300)
    page.select_option("#id_user", label="source")
    page.wait_for_timeout(300)
    assert len(held) == 1, "the second change waits for the first answer"
    with page.expect_response(lambda answer: "&user=0&" in (answer.request.post_data or "")):
        held[0].continue_()

    page.locator(FIRST_USER, has_text="1").wait_for()
    assert page.input_value("#id_user") == "0"


def test_wrong_inputs__each__get_a_sentence_beside_the_field(
    open_page: Callable[..., Any], pm: User, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,time,event\nu,2024-03-01 10:00,play\nv,2024-03-02 10:00,stop\n")
    page = open_page("en", pm)
    page.goto("/data/import/")

    page.locator("#upload-form button[type=submit]").click()
    assert page.locator("#file-wrong").inner_text() == "Choose a file first."
    page.set_input_files("#id_file", log)
    page.locator("#upload-form button[type=submit]").click()
    page.wait_for_url(MAPPING)
    page.select_option("#id_user", label="time")
    page.locator("#id_user ~ .errorlist >> text=is the time already: choose another column").wait_for()
    page.select_option("#id_user", label="user")
    page.locator(".kept tbody tr").first.wait_for()
    page.select_option("#id_time", label="event")
    page.locator("#id_time ~ .errorlist >> text=choose another column").wait_for()
    assert page.locator("#mapping-form button[type=submit]").is_disabled()
    page.select_option("#id_time", label="time")
    page.locator(".kept tbody tr").first.wait_for()
    page.select_option("#id_event", value="")
    page.fill("#id_event_name", " ")
    page.keyboard.press("Tab")
    page.locator("#id_event_name ~ .errorlist >> text=Give the event a name").wait_for()


@pytest.mark.parametrize("width", first_in_ci([390, 1280]))
def test_many_columns__nothing_sticks_out(open_page: Callable[..., Any], pm: User, tmp_path: Path, width: int) -> None:
    log = tmp_path / "wide.csv"
    names = ",".join(f"a_rather_long_name_of_column_{k}" for k in range(40))
    log.write_text(f"user,time,{names}\n" + f"u,2024-03-01{',a long value' * 40}\n" * 30)
    page = open_page("ko", pm)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/data/import/")
    page.set_input_files("#id_file", log)
    page.locator("#upload-form button[type=submit]").click()
    page.wait_for_url(MAPPING)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".kept thead th").count() == 43
