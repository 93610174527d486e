"""Other behaviours proposed, picked and typed into rows by mouse and by keyboard alone, up to the start."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from experiments.models import Experiment, ReviewPolicy
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from tests.browser.person import Keyboard, Mouse
from tests.experiments.make import draft
from tests.experiments.plan.others.test_proposal import moment, study
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
ROW = "#id_other_behaviours-{at}-{part}"


@pytest.fixture
def plan(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """A draft that tests a moment, with a finished study behind it, and enough of 400 users a day of whom 40 % stay."""
    cache.clear()
    ReviewPolicy.objects.create(pk=1, mode="never")  # reviews have a test of their own
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.375)
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: known)
    study("window:14-20")
    size_of = {"planned_units": 20_000, "planned_end": timezone.localdate() + timedelta(days=60)}
    return draft("friends", nudge="A banner", moment=moment(days=7, retention="window:14-20"), **size_of)


@pytest.mark.parametrize("person", [Mouse, Keyboard])
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_list__proposed_and_added_to__is_planned_and_started(
    open_page: Callable[..., Any], pm: User, plan: Experiment, language: str, person: type[Mouse] | type[Keyboard]
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)
    page.goto(f"/experiments/{plan.key}/plan/hypothesis/")
    somebody = person(page)

    def type_into(part: str, text: str, at: int = 1) -> None:
        selector = ROW.format(at=at, part=part)
        somebody.go_to(selector) if isinstance(somebody, Keyboard) else somebody.press(selector)
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)

    somebody.press("#others button[name=propose]")
    page.locator(ROW.format(at=0, part="high")).wait_for()
    assert page.input_value(ROW.format(at=0, part="high")) == "11"
    assert Experiment.objects.get().other_behaviours == []

    somebody.press("#others [name=row_add]")
    assert page.evaluate("document.activeElement.id") == ROW.format(at=1, part="behaviour")[1:]
    page.keyboard.type("shop")
    page.keyboard.press("Escape")
    type_into("high", "4.5")
    assert page.locator(ROW.format(at=1, part="consequence")).is_hidden()
    somebody.tick(ROW.format(at=1, part="follows"))
    type_into("consequence", "Friends show what they bought")
    somebody.press(".plan-actions button[name=review]")
    page.wait_for_url("**/plan/review/")
    if page.locator("#start [name=sure]").count():  # a small plan: meant
        somebody.tick("#start [name=sure]")
    somebody.press("#start button[type=submit]")
    page.wait_for_url("**/experiments/friends/")

    chat, shop = Experiment.objects.get().other_behaviours
    assert (chat["behaviour"], chat["high"], chat["origin"]) == ("chat", 0.11, "promise")
    assert (shop["behaviour"], shop["times"], shop["high"], shop["origin"]) == ("shop", 1, 0.045, "person")
    assert shop["consequence"] == "Friends show what they bought"
    assert Experiment.objects.get().status == "running"


@pytest.mark.parametrize("width", [390, 1280])
def test_rows__fit_a_phone_and_a_desk(open_page: Callable[..., Any], pm: User, plan: Experiment, width: int) -> None:
    chat = {"behaviour": "chat", "times": 2, "low": -0.02, "high": 0.18, "origin": "promise", "consequence": ""}
    shop = {**chat, "behaviour": "shop", "origin": "cohort", "consequence": "Friends show what they bought."}
    Experiment.objects.update(other_behaviours=[chat, shop])
    page = open_page("en", pm)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/experiments/{plan.key}/plan/hypothesis/")
    page.locator(ROW.format(at=1, part="consequence")).wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= width
