"""A PM plans, starts and stops an experiment from an AHA moment in a real browser; a refused start says why."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from aha.models import AhaMoment
from aha.moments import promote
from experiments.models import Experiment, HoldoutPlan, HoldoutReading
from experiments.plan.audience import create_holdout
from tests.experiments.make import draft
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
MOST_SCREENS = 8
SAID = {
    "en": {
        "test": "Test it",
        "go": "Save and continue",
        "start": "Start the experiment",
        "running": "runs now",
        "stop": "Stop",
        "yes": "Yes: Stop",
        "stopped": "is stopped",
        "mend": "Fix",
        "actions": "Actions",
        "refused": "The plan needs a hypothesis.",
    },
    "ko": {
        "test": "실험하기",
        "go": "저장하고 계속",
        "start": "실험 시작",
        "running": "실험을 시작했습니다",
        "stop": "종료",
        "yes": "예, 종료",
        "stopped": "실험을 종료했습니다",
        "mend": "고치기",
        "actions": "작업",
        "refused": "계획에 가설이 필요합니다.",
    },
}


@pytest.fixture
def moment(transactional_db: None) -> AhaMoment:
    cache.clear()
    return promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )


def start(page: Any, words: dict[str, str]) -> None:
    """Nobody knows how many users come, which is said: whoever has read it may start all the same."""
    page.get_by_role("button", name=words["start"]).click()
    page.locator("input[name=sure]").check()
    page.get_by_role("button", name=words["start"]).click()


class Screens:
    """Counts the pages that a person sees, by where the browser lands."""

    def __init__(self, page: Any) -> None:
        self.seen: list[str] = []
        page.on("domcontentloaded", lambda one: self.seen.append(re.sub(r"\?.*", "", one.url)))


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_pm__from_an_aha_moment__creates_starts_and_stops_within_eight_screens(
    open_page: Callable[..., Any], pm: User, moment: AhaMoment, language: str
) -> None:
    page, words = open_page(language, pm), SAID[language]
    page.goto(f"/aha/moments/{moment.key}/")
    screens = Screens(page)

    page.get_by_role("link", name=words["test"]).click()
    page.get_by_role("button", name=words["go"], exact=True).last.click()
    page.wait_for_url("**/plan/variants/")
    page.fill("#id_nudge", "An invitation after level 5")
    page.get_by_role("button", name=words["go"], exact=True).last.click()
    page.wait_for_url("**/plan/audience/")
    page.get_by_role("button", name=words["go"], exact=True).last.click()
    page.wait_for_url("**/plan/outcomes/")
    assert page.input_value("#id_first") == "window:14-20"
    page.get_by_role("button", name=words["go"], exact=True).last.click()
    page.wait_for_url("**/plan/plan/")
    page.fill("#id_smallest_effect", "0.05")
    page.fill("#id_planned_units", "4000")
    page.fill("#id_planned_end", "2099-01-01")
    page.get_by_role("button", name=words["go"], exact=True).last.click()
    page.wait_for_url("**/plan/review/")
    start(page, words)
    page.locator(f"text={words['running']}").wait_for()
    row = Experiment.objects.get()
    assert (row.status, row.moment, row.nudge) == ("running", moment, "An invitation after level 5")

    page.locator("summary", has_text=words["actions"]).click()
    page.get_by_role("link", name=words["stop"], exact=True).click()
    page.get_by_role("button", name=words["yes"]).click()
    page.locator(f"text={words['stopped']}").wait_for()

    row.refresh_from_db()
    assert row.status == "stopped"
    # Six steps, its page, the question; the page after the stop is one that was seen before.
    assert len(set(screens.seen)) == MOST_SCREENS, screens.seen


@pytest.fixture
def no_store(settings: Any, tmp_path: Path) -> None:
    """Nothing to count, whatever the store of another test holds."""
    cache.clear()
    settings.EVENTS_URL = str(tmp_path / "events")


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_start__refused__shows_its_sentence_and_leads_to_the_step(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    row = draft("guild", hypothesis="", nudge="A banner in the lobby.")
    page, words = open_page(language, pm), SAID[language]

    page.goto(f"/experiments/{row.key}/do/start/")
    page.get_by_role("alert").locator(f"text={words['refused']}").wait_for()
    page.get_by_role("link", name=words["mend"]).click()
    page.wait_for_url("**/plan/hypothesis/")
    page.fill("#id_hypothesis", "Friends keep people.")
    page.locator("button[name=review]").click()
    page.wait_for_url("**/plan/review/")
    start(page, words)
    page.locator(f"text={words['running']}").wait_for()

    row.refresh_from_db()
    assert row.status == "running"


@pytest.mark.usefixtures("no_store")
def test_start__pressed_while_the_page_wants_to_load_itself_anew__is_answered(
    open_page: Callable[..., Any], pm: User
) -> None:
    row = draft("guild", nudge="A banner in the lobby.")
    page, held = open_page("en", pm), dict[str, Any]()
    page.route("**/plan/numbers/", lambda route: held.update(numbers=route))
    page.goto(f"/experiments/{row.key}/plan/review/")
    page.route("**/plan/review/", lambda route: held.update(start=route))

    page.get_by_role("button", name=SAID["en"]["start"]).click(no_wait_after=True)
    page.wait_for_timeout(300)
    held["numbers"].fulfill(status=204, headers={"HX-Refresh": "true"})
    page.wait_for_timeout(300)
    held["start"].continue_()
    page.locator("input[name=sure]").check()  # it was answered: nobody knows how many users come
    page.unroute("**/plan/review/")
    page.get_by_role("button", name=SAID["en"]["start"]).click()

    page.locator(f"text={SAID['en']['running']}").wait_for()
    row.refresh_from_db()
    assert row.status == "running"


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_pm__plans_a_holdout_report__mends_a_date_and_asks_for_a_count(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    cache.clear()
    create_holdout(key="2026h2", share=500)
    page = open_page(language, pm)
    page.goto("/experiments/")

    page.locator("nav.tabs a[href='/experiments/-/holdouts/']").click()
    page.locator("a.button[href='/experiments/-/holdouts/new/']").click()
    page.fill("#id_since", "2026-07-01")
    page.select_option("#id_population", "first_seen")
    page.fill("#id_end", "2026-07-02")  # over already: it would be a peek
    page.locator("main form button[type=submit]").last.click()
    page.locator(".name-end.wrong .errorlist").wait_for()
    page.fill("#id_end", "2099-01-01")
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url(re.compile(r"/holdouts/\d+/$"))
    assert "Jan 1, 2099" in page.locator("main .card ul").inner_text()
    page.locator("form[action$='/read/'] button").click()
    page.locator("#progress").wait_for()

    plan = HoldoutPlan.objects.get()
    assert (plan.population, plan.readings) == ("first_seen", ["2099-01-01"])
    assert HoldoutReading.objects.filter(plan=plan, status="queued").exists()
