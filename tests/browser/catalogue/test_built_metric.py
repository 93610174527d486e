"""A ratio and a funnel, built by picking, previewed and saved, by mouse and by keyboard alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings

from events.catalogue import refresh
from events.models import Metric
from tests.aha.questions.conftest import log
from tests.browser.person import Keyboard, Mouse, wait_until
from tests.events.catalogue.conftest import Line, write  # noqa: F401 - the fixture
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
SETTLED = """document.activeElement.tagName === 'SELECT'
  && !document.querySelector('.htmx-swapping, .htmx-settling, .htmx-request')"""
PART = "#id_definition_{}"


@pytest.fixture(autouse=True)
def _listed(
    transactional_db: None,
    write: Callable[[list[Line]], None],  # noqa: F811 - the fixture
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.EXPLORE_DIR = str(tmp_path / "explore")
    cache.clear()
    write(log())
    assert refresh.make_catalogue()


class Builder:
    """One person in front of the form of a metric."""

    def __init__(self, page: Any, person: type[Mouse] | type[Keyboard]) -> None:
        self.page, self.person = page, person(page)

    def type_into(self, selector: str, text: str) -> None:
        if isinstance(self.person, Keyboard):
            self.person.go_to(selector)
        else:
            self.person.press(selector)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, part: str, kind: str) -> None:
        """Take a kind from a list of kinds; with the keyboard by its arrows."""
        box = PART.format(part)
        if isinstance(self.person, Mouse):
            self.page.select_option(box, kind)
            return
        self.person.go_to(box)
        for _ in range(12):
            if self.page.input_value(box) == kind:
                return
            with self.page.expect_response("**/pick/definition/**"):
                self.page.keyboard.press("ArrowDown")
            wait_until(self.page, SETTLED)
        raise AssertionError(f"the arrows don't reach {kind}")

    def save(self, key: str) -> Metric:
        self.person.press("main form.card .actions button[type=submit]")
        self.page.wait_for_url(f"**/data/metrics/{key}/")
        return Metric.objects.get(key=key)


@pytest.mark.parametrize("person", [Mouse, Keyboard])
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_ratio_and_funnel__are_built_previewed_and_saved(
    open_page: Callable[..., Any], pm: User, language: str, person: type[Mouse] | type[Keyboard]
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)
    somebody = Builder(page, person)

    page.goto("/data/metrics/new/")
    somebody.type_into("#id_name_en", "Battles a day")
    somebody.choose("kind", "ratio")
    page.locator(PART.format("behaviour")).wait_for()
    somebody.person.pick(PART.format("behaviour"), "battle")
    page.locator("#id_definition_said .preview button").wait_for()
    somebody.person.press("#id_definition_said .preview button")
    page.locator(".previewed dl div").nth(1).wait_for()
    assert "95%" in page.locator(".previewed").inner_text()
    ratio = somebody.save("battles-a-day")

    page.goto("/data/metrics/new/")
    somebody.type_into("#id_name_en", "Battle, then a friend")
    somebody.choose("kind", "funnel")
    page.locator(PART.format("step0")).wait_for()
    somebody.person.pick(PART.format("step0"), "battle")
    somebody.person.pick(PART.format("step1"), "friend_add")
    page.locator("#id_definition_said .preview button").wait_for()
    assert "battle → friend_add" in page.locator("#id_definition_said").inner_text()
    somebody.type_into(PART.format("last"), "13")
    funnel = somebody.save("battle-then-a-friend")

    assert ratio.current.definition == "count:battle:0-6 / active_days:0-6"
    assert funnel.current.definition == "funnel:battle:friend_add:0-13"


def test_sql__while_somebody_types__the_gate_says_one_sentence(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/data/metrics/new/")
    page.select_option(PART.format("kind"), "sql")
    page.locator(PART.format("sql")).press_sequentially("SELECT user_id, count(*) AS value FROM people")

    page.locator("#id_definition_said .errorlist >> text=people").wait_for()
    assert page.evaluate("document.activeElement.id") == "id_definition_sql"
    page.fill(PART.format("sql"), "SELECT user_id, count(*) AS value FROM events GROUP BY user_id")
    page.locator("#id_definition_said .preview button").wait_for()
    assert page.locator("#id_definition_said .errorlist").count() == 0
