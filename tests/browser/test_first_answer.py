"""A study or segmentation watched while a real worker computes it: counts, evidence in its place, then the report."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from aha.models import Study
from aha.study import preliminary
from aha.study.question import Inputs
from aha.study.studies import start_study
from events.simulation import WORLDS, draw_arms, simulate
from runs.kinds import PARTS
from runs.models import Run
from segments.models import SegmentationRun
from segments.search.partial_results import CHANCE, FEATURES, GROUPS, METHOD, TIERS
from segments.search.question import Inputs as PlayInputs
from segments.search.segmentations import start_segmentation
from tests.aha.store import store_of
from tests.aha.study.early.make_parts import RUNNING, running_study
from tests.browser.person import wait_until
from tests.browser.worker import held, worker
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
BEHAVIOURS = ("friend_add", "chat")
UNITS = 2_000
# Sum of all layout shifts that no click caused, as the browser itself counts them.
COUNT_SHIFTS = """() => { window.shifted = 0; new PerformanceObserver(list => {
  for (const one of list.getEntries()) { if (!one.hadRecentInput) window.shifted += one.value; }
}).observe({type: 'layout-shift', buffered: false}); }"""


def told(run: Run) -> set[str]:
    """The names of the parts that the run has shown so far."""
    run.refresh_from_db(fields=["early"])
    return set((run.early or {}).get(PARTS, {}))


@pytest.fixture
def small_world(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    world = WORLDS["step"]
    with store_of(simulate(world, UNITS, 3, draw_arms(world, UNITS, 3)), tmp_path / "small"):
        yield


@pytest.mark.usefixtures("small_world")
@pytest.mark.parametrize(
    ("language", "waiting", "counted"),
    first_in_ci([("ko", "아직", "명 전체를 집계했습니다"), ("en", "not yet", "Counted on all")]),
)
def test_study__watched__shows_counts_before_it_is_done_and_the_report_after(
    open_page: Callable[..., Any], pm: User, tmp_path: Path, language: str, waiting: str, counted: str
) -> None:
    cache.clear()
    study = start_study(inputs=Inputs("signup", (3,), "window:14-20", behaviours=BEHAVIOURS), by=pm)
    page = open_page(language, pm)
    page.set_default_timeout(400_000)

    page.goto(f"/aha/studies/{study.pk}/")
    assert page.locator("#early table").count() == 0
    with worker(tmp_path) as process:
        with held(process, lambda: told(study) >= {preliminary.COUNTED}):
            page.locator("#early table.many tbody tr").first.wait_for()
            page.evaluate(COUNT_SHIFTS)
            table = page.locator("#early table.many")
            rows = table.locator("tbody tr").count()
            assert counted in page.locator("#early-counted").inner_text()
            assert waiting in table.inner_text()
            assert Study.objects.values_list("payload", flat=True).get() is None
            assert "A" in table.locator("thead").inner_text()
        with held(process, lambda: bool(told(study) & {preliminary.LUCK, preliminary.ACTIVE, preliminary.MODEL})):
            wait_until(page, "text => document.querySelectorAll('#early .soft').length < text", 7 * rows, 400)
            assert table.locator("tbody tr").count() == rows
            assert page.evaluate("window.shifted") == 0
        page.locator("#curve-first").wait_for()

    assert page.locator("#early").count() == 0
    study.refresh_from_db()
    assert (study.status, study.early) == ("done", None)


@pytest.fixture
def grouped_world(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with store_of(simulate(WORLDS["planted_groups"], UNITS // 2, 11), tmp_path / "grouped"):
        yield


@pytest.mark.usefixtures("grouped_world")
@pytest.mark.parametrize(
    ("language", "waiting", "counted"),
    first_in_ci([("en", "not yet", "Counted on all"), ("ko", "아직", "명 전체를 집계했습니다")]),
)
def test_segmentation__watched__shows_counts_before_it_is_done_and_the_report_after(
    open_page: Callable[..., Any], pm: User, tmp_path: Path, language: str, waiting: str, counted: str
) -> None:
    cache.clear()
    run = start_segmentation(inputs=PlayInputs("signup", 0, 6, "window:21-27"), by=pm)
    page = open_page(language, pm)
    page.set_default_timeout(400_000)

    page.goto(f"/segments/runs/{run.pk}/")
    assert page.locator("#early table").count() == 0
    with worker(tmp_path) as process:
        with held(process, lambda: TIERS in told(run)):
            page.locator("#early table tbody tr").first.wait_for()
            page.evaluate(COUNT_SHIFTS)
            rows = page.locator("#early tbody tr").count()
            wait_until(page, "text => document.querySelector('#early-counted').innerText.includes(text)", counted, 400)
            assert waiting in page.locator("#early table").nth(1).inner_text()
            assert waiting not in page.locator("#early table").first.inner_text()
            assert SegmentationRun.objects.values_list("payload", flat=True).get() is None
            left, seen = page.locator("#early td .soft").count(), told(run)
        with held(process, lambda: bool((told(run) - seen) & {FEATURES, GROUPS, METHOD, CHANCE})):
            wait_until(page, "left => document.querySelectorAll('#early td .soft').length < left", left, 400)
            assert page.locator("#early tbody tr").count() == rows
            assert page.evaluate("window.shifted") == 0
        page.locator("#groups").wait_for()

    assert page.locator("#early").count() == 0
    run.refresh_from_db()
    assert (run.status, run.early) == ("done", None)


def test_study__without_script__shows_the_same_by_reload(chromium: Any, live_server: Any, pm: User) -> None:
    study = running_study()
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url, locale="en-US")
    page = context.new_page()
    page.goto("/login/")
    page.fill("#id_username", "pm")
    page.fill("#id_password", "correct horse")
    page.locator("main button[type=submit]").click()

    page.goto(f"/aha/studies/{study.pk}/")
    assert page.locator("#early table.many").inner_text().count("not yet") > 0
    Study.objects.filter(pk=study.pk).update(early=RUNNING)
    page.reload()
    assert "Evidence that has come: marks, comparison with luck." in (page.locator("#early-news").text_content() or "")
    context.close()
