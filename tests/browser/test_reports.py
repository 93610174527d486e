"""An analyst in a real browser reads a report, peeks, follows and cancels what a real worker computes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache

from aha.models import Study
from aha.study.question import Inputs
from aha.study.studies import start_study
from events.simulation import EXPERIMENT_KEY, Simulation
from experiments.models import Analysis
from runs.models import Run
from tests.browser.pages import World, world
from tests.browser.worker import log, watch, worker
from tests.experiments.make_readout import RUNNING, make_result, stored
from tests.experiments.stored import stored_experiment
from tests.marks import first_in_ci

__all__ = ["log", "world"]
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
SAID = {
    "en": {
        "ship": "Ship it.",
        "time": "Over time",
        "causes": "The behaviour causes a gain",
        "older": "This is an older analysis.",
        "newest": "Open the newest",
        "peek": "Open before the day of the result",
        "yes": "Open it anyway",
        "cost": "Every earlier one makes a false finding likelier.",
        "peeked": "Opened early:",
        "cancel": "Cancel",
        "cancelled": "A person cancelled this run.",
    },
    "ko": {
        "ship": "출시하세요.",
        "time": "추이",
        "causes": "행동의 효과 확인",
        "older": "이전 분석입니다.",
        "newest": "최신 분석 열기",
        "peek": "결과일 전에 미리 보기",
        "yes": "그래도 미리 보기",
        "cost": "거짓 양성의 가능성이 커집니다.",
        "peeked": "미리 봄:",
        "cancel": "취소",
        "cancelled": "사용자가 실행을 취소했습니다.",
    },
}


@pytest.fixture
def reader(transactional_db: None) -> User:
    """An analyst, who may ask for analyses."""
    person = User.objects.create_user("ann", password="correct horse")
    person.user_permissions.set(Permission.objects.filter(codename="add_analysis"))  # tests lose the groups' rows
    return person


@pytest.fixture
def two_analyses(world: World) -> World:
    """The experiment of the world with an older analysis, from the time when it was running."""
    older = stored("hint", make_result(**RUNNING))
    Analysis.objects.filter(pk=world.analysis.pk).delete()
    newest = world.analysis
    newest.pk = older.pk + 1
    newest.save(force_insert=True)
    return world


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_report__read_by_an_analyst__verdict_first_then_numbers_file_and_older_analysis(
    open_page: Callable[..., Any], reader: User, two_analyses: World, language: str, tmp_path: Path
) -> None:
    page, words = open_page(language, reader), SAID[language]
    page.goto("/experiments/")
    page.locator("#rows").get_by_role("link", name="Hint: add friends").click()

    assert page.locator("h2.say").inner_text().startswith(words["ship"])
    page.locator(".in-full summary").click()
    assert page.locator(".in-full strong").inner_text().startswith(words["causes"])

    page.locator("nav.tabs").get_by_role("link", name=words["time"], exact=True).click()
    numbers = page.locator("details.numbers").first
    numbers.scroll_into_view_if_needed()
    numbers.locator("summary").click()
    assert numbers.locator("tbody tr").first.is_visible()

    page.locator(".takeaway .files summary").click()
    with page.expect_download() as waited:
        page.locator(".takeaway a", has_text="JSON").click()
    assert json.loads(waited.value.path().read_text())["verdict"]["code"] == "CAUSES"

    page.goto("/experiments/hint/history/")
    page.locator("#analyses tbody tr a").last.click()
    assert words["older"] in page.locator("main").inner_text()
    assert page.locator("h2.say").count() == 0  # its outcome was locked then
    page.get_by_role("link", name=words["newest"]).click()
    assert page.locator("h2.say").inner_text().startswith(words["ship"])


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_peek__asked_for__warns_first_then_a_worker_computes_it_and_the_report_begins_with_it(
    open_page: Callable[..., Any], reader: User, log: Simulation, language: str, tmp_path: Path
) -> None:
    cache.clear()
    stored_experiment(log, stopped=False, planned_units=2 * log.units)
    page, words = open_page(language, reader), SAID[language]
    page.goto(f"/experiments/{EXPERIMENT_KEY}/")

    page.locator("details.doings summary").click()
    page.get_by_role("link", name=words["peek"]).click()
    assert words["cost"] in page.locator("main").inner_text()
    assert Analysis.objects.count() == 0
    page.get_by_role("button", name=words["yes"]).click()
    page.locator("#progress progress").wait_for()
    with worker(tmp_path):
        page.locator(".alert.alarm").wait_for(timeout=90_000)

    assert page.locator("main .alert.alarm").first.inner_text().startswith(words["peeked"])
    row = Analysis.objects.get()
    assert (row.status, row.peek, row.final) == ("done", True, False)
    page.goto("/experiments/")
    assert page.locator("#rows tbody tr").count() == 1


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_run__computed_by_a_worker__its_progress_moves_and_a_click_cancels_it(
    open_page: Callable[..., Any], pm: User, log: Simulation, language: str, tmp_path: Path
) -> None:
    cache.clear()
    row = start_study(inputs=Inputs("signup", (3, 7), "window:21-27"), title="Slow", by=pm)
    page, words = open_page(language, pm), SAID[language]
    page.goto(f"/aha/studies/{row.pk}/")
    waiting = page.locator("#progress").inner_text()
    assert page.locator("#progress progress").get_attribute("value") == "0"

    with worker(tmp_path):
        said = watch(page, lambda text: text != waiting and " 0%" not in text and "%" in text)
        page.locator("#progress").get_by_role("button", name=words["cancel"]).click()
        page.locator("#progress .reason").wait_for(timeout=60_000)

    assert len(said) >= 2, said
    assert page.locator("#progress .reason").inner_text() == words["cancelled"]
    assert page.locator("#progress button").count() == 0
    row = Study.objects.get(pk=row.pk)
    assert (row.status, row.payload) == (Run.Status.CANCELLED, None)
    assert 0 < row.share < 1
