"""From a moment through the six steps to a start with a placebo, by mouse and by keyboard; numbers follow the form."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from aha.models import AhaMoment
from aha.moments import promote
from experiments.models import Experiment
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from tests.experiments.make import draft
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
STEPS = ("variants", "audience", "outcomes", "plan", "review")


@pytest.fixture
def moment(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AhaMoment:
    """A claim, and 400 users a day of whom 40 % stay: what the warehouse would answer."""
    cache.clear()
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.375)
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: known)
    return promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )


def numbers(page: Any) -> None:
    """The right column has its answer."""
    page.locator("#seen .numbers").first.wait_for()


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_plan__by_mouse__goes_from_the_moment_to_a_start_with_a_placebo(
    open_page: Callable[..., Any], pm: User, moment: AhaMoment, language: str
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)
    go = page.locator(".plan-actions button[name=go]")

    page.goto(f"/experiments/-/new/?moment={moment.key}")
    go.click()
    page.wait_for_url("**/plan/variants/")
    page.locator("button[name=propose][value=placebo]").click()
    numbers(page)
    go.click()  # the nudge is empty: the step says so, with a first draft
    page.locator(".need button[name=mend]").first.click()
    page.wait_for_url("**/plan/variants/")
    assert "friend_add" in page.input_value("#id_nudge")
    go.click()
    for step in ("audience", "outcomes", "plan"):
        page.wait_for_url(f"**/plan/{step}/")
        numbers(page)
        if step == "plan":
            page.fill("#id_smallest_effect", "5")
            page.fill("#id_expected_take_up", "60")
            page.locator("button[name=suggest]").click()
            numbers(page)
        go.click()
    page.wait_for_url("**/plan/review/")
    assert page.locator(".plan-steps .done").count() == 5, page.locator(".plan-steps").inner_text()
    page.locator("#start button[type=submit]").click()
    page.wait_for_url("**/experiments/*/")

    row = Experiment.objects.get()
    assert (row.status, row.moment, row.expected_take_up) == ("running", moment, 0.6)
    assert list(row.variants.values_list("role", flat=True)) == ["nudge", "nudge", "placebo"]


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_plan__by_keyboard_alone__starts_too(
    open_page: Callable[..., Any], pm: User, moment: AhaMoment, language: str
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)

    def press(selector: str) -> None:
        """Go on with the tabulator until it is there, and press it."""
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                page.keyboard.press("Enter")
                return
        raise AssertionError(selector)

    page.goto(f"/experiments/-/new/?moment={moment.key}")
    press(".plan-actions button[name=go]")
    page.wait_for_url("**/plan/variants/")
    press("button[value=placebo]")
    page.locator("#id_arms-2-key").wait_for()
    numbers(page)
    press("#id_nudge")  # a text takes the line break, and then what is typed
    page.keyboard.type("A step of the tutorial")
    press(".plan-actions button[name=go]")
    for step in ("audience", "outcomes", "plan"):
        page.wait_for_url(f"**/plan/{step}/")
        numbers(page)
        if step == "plan":
            press("button[name=mend][value*=planned_units]")  # a row of the table of weeks, or the mend of a size
            page.wait_for_url("**/plan/plan/")
            numbers(page)
        press(".plan-actions button[name=go]")
    page.wait_for_url("**/plan/review/")
    if page.locator("input[name=sure]").count():
        page.focus("input[name=sure]")
        page.keyboard.press("Space")
    press("#start button[type=submit]")
    page.wait_for_url("**/experiments/*/")

    row = Experiment.objects.get()
    assert (row.status, row.variants.count()) == ("running", 3)
    assert "A step of the tutorial" in row.nudge


def test_numbers__follow_the_form_without_a_click(open_page: Callable[..., Any], pm: User, moment: AhaMoment) -> None:
    row = draft("guild", planned_units=None)
    page = open_page("en", pm)
    page.set_default_timeout(60_000)

    page.goto(f"/experiments/{row.key}/plan/audience/")
    page.fill("#id_everyone_coverage", "20")
    page.locator("#seen >> text=20.0% of the users who come").wait_for()

    page.goto(f"/experiments/{row.key}/plan/plan/")
    page.locator("#seen svg").wait_for()
    page.fill("#id_smallest_effect", "10")
    page.locator("#seen >> text=776").first.wait_for()  # R: power.prop.test(p1 = .4, p2 = .5) gives 387.3 a group


def test_steps__at_390_px__do_not_overflow(open_page: Callable[..., Any], pm: User, moment: AhaMoment) -> None:
    row = draft("guild", moment=moment, enrolment="new_units", planned_units=None)
    page = open_page("ko", pm)
    page.set_viewport_size({"width": 390, "height": 844})
    wide: dict[str, int] = {}

    for step in ("hypothesis", *STEPS):
        page.goto(f"/experiments/{row.key}/plan/{step}/")
        if step in STEPS[:-1]:
            numbers(page)
        else:
            page.wait_for_timeout(3_000)  # the last step comes again with its numbers
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wide |= {step: over} if over else {}

    assert wide == {}
