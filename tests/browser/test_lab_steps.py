"""A lab in the six steps: from its moment through its nudges to the start, by mouse and by keyboard alone."""

import os
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from aha.models import AhaMoment
from experiments.models import Experiment, ReviewPolicy
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from tests.browser.person import Keyboard, Mouse
from tests.experiments.plan.others.test_proposal import moment, study
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
NUDGE = "#id_nudges-{at}-{part}"


@pytest.fixture
def claim(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AhaMoment:
    """A moment with a finished study behind it, and enough of 4,000 users a day of whom 40 % stay."""
    cache.clear()
    ReviewPolicy.objects.create(pk=1, mode="never")  # reviews have a test of their own
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 112_000, 4_000.0, 0.4, None, 20, 0.375)
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: known)
    study("window:14-20")
    return moment(days=7, retention="window:14-20")


@pytest.mark.parametrize("person", [Mouse, Keyboard])
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_lab__from_its_moment__is_planned_and_started(
    open_page: Callable[..., Any], pm: User, claim: AhaMoment, language: str, person: type[Mouse] | type[Keyboard]
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)
    page.goto(reverse("aha:moment", args=[claim.key]))
    somebody = person(page)

    def type_into(part: str, text: str, at: int) -> None:
        selector = NUDGE.format(at=at, part=part)
        somebody.go_to(selector) if isinstance(somebody, Keyboard) else somebody.press(selector)
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)

    def go_on(step: str) -> None:
        somebody.press(".plan-actions button[name=go]")
        page.wait_for_url(f"**/plan/{step}/")

    somebody.press("a[href*='kind=lab']")
    page.wait_for_url("**/-/new/?kind=lab*")
    go_on("variants")
    lab = Experiment.objects.get()
    assert [nudge["behaviour"] for nudge in lab.nudges] == ["add", "chat"]

    somebody.press("[name=row_add][value=nudges]")
    page.keyboard.type("Guild hint")
    type_into("behaviour", "guild_join", 2)
    page.keyboard.press("Escape")
    type_into("share", "30", 2)
    for at in range(3):
        type_into("words", f"Hint {at}", at)
    go_on("audience")
    go_on("outcomes")
    go_on("plan")
    for name, text in (("smallest_effect", "2"), ("planned_effect", "20"), ("planned_units", "60000")):
        somebody.go_to(f"#id_{name}") if isinstance(somebody, Keyboard) else somebody.press(f"#id_{name}")
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)
    page.locator("#id_planned_end").fill((timezone.localdate() + timedelta(days=60)).isoformat())
    go_on("review")
    if page.locator("#start [name=sure]").count():  # no event came yet: meant
        somebody.tick("#start [name=sure]")
    somebody.press("#start button[type=submit]")
    page.wait_for_url(f"**/experiments/{lab.key}/")

    lab.refresh_from_db()
    assert (lab.status, lab.variants.count()) == ("running", 8)
    assert [nudge["key"] for nudge in lab.nudges] == ["add", "chat", "guild-hint"]
    assert (lab.nudges[2]["share"], lab.nudges[2]["words"]) == (3_000, "Hint 2")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [390, 1280])
def test_steps__of_a_lab__fit_a_phone_and_a_desk(
    open_page: Callable[..., Any], pm: User, claim: AhaMoment, width: int, language: str
) -> None:
    lab = drafts.draft_lab(moment=claim)
    drafts.update_draft(key=lab.key, planned_effect=0.2, planned_units=20_000, smallest_effect=0.02)
    page = open_page(language, pm)
    page.set_viewport_size({"width": width, "height": 900})
    for step in ("hypothesis", "variants", "audience", "outcomes", "plan", "review"):
        page.goto(f"/experiments/{lab.key}/plan/{step}/")
        page.wait_for_load_state("networkidle")

        assert page.evaluate("document.documentElement.scrollWidth") <= width, step
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/{language}-{width}-{step}.png", full_page=True)
