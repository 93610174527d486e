"""Two guardrails with margins, picked and typed into rows by mouse and by keyboard alone, up to the start."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from experiments.models import Experiment, ReviewPolicy
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from tests.browser.person import Keyboard, Mouse
from tests.experiments.make import draft
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
SAID = "“lots” is no number. Write one such as 1 or 0.5."
ROW = "#id_guardrail_metrics-{at}-{part}"


@pytest.fixture
def plan(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """A draft that lacks nothing, and 400 users a day of whom 40 % stay: what the warehouse would answer."""
    cache.clear()
    ReviewPolicy.objects.create(pk=1, mode="never")  # reviews have a test of their own
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.375)
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: known)
    return draft("guild", nudge="A banner")


@pytest.mark.parametrize("person", [Mouse, Keyboard])
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_two_guardrails__with_margins__are_planned_and_started(
    open_page: Callable[..., Any], pm: User, plan: Experiment, language: str, person: type[Mouse] | type[Keyboard]
) -> None:
    page = open_page(language, pm)
    page.set_default_timeout(60_000)
    page.goto(f"/experiments/{plan.key}/plan/outcomes/")
    page.locator("#seen .numbers").first.wait_for()
    somebody = person(page)
    adding = "[data-rows=guardrail_metrics] [name=row_add]"

    def type_into(selector: str, text: str) -> None:
        somebody.go_to(selector) if isinstance(somebody, Keyboard) else somebody.press(selector)
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)

    for at, (metric, days, margin) in enumerate([("on_day:7", ("3", "5"), "1.5"), ("active_days:0-6", None, "0.5")]):
        somebody.press(adding)
        assert page.evaluate("document.activeElement.id") == ROW.format(at=at, part="metric")[1:]
        box = ROW.format(at=at, part="metric")
        if isinstance(somebody, Keyboard):
            somebody.pick(box, metric)
        else:  # the list is open already
            somebody.press(f"{box}_list [data-value='{metric}']")
        name = page.input_value(ROW.format(at=at, part="metric"))
        assert name.strip()
        assert metric.partition(":")[0] not in name  # a name, no syntax
        if days is not None:
            type_into(ROW.format(at=at, part="first"), days[0])
            type_into(ROW.format(at=at, part="last"), days[1])
        type_into(ROW.format(at=at, part="margin"), margin)
    page.locator(".row [data-line][value='window:3-5']").wait_for(state="attached")  # its name follows its days

    # A third one is added and taken away again.
    somebody.press(adding)
    somebody.press("[data-rows=guardrail_metrics] .row:nth-child(3) .remove")
    assert page.locator("[data-rows=guardrail_metrics] .row-list .row").count() == 2

    somebody.press(".plan-actions button[name=review]")
    page.wait_for_url("**/plan/review/")
    if page.locator("#start [name=sure]").count():  # a small plan: meant
        somebody.tick("#start [name=sure]")
    somebody.press("#start button[type=submit]")
    page.wait_for_url("**/experiments/guild/")

    row = Experiment.objects.get()
    assert (row.status, row.guardrail_metrics) == ("running", ["window:3-5", "active_days:0-6"])
    assert row.guardrail_rules == {
        "window:3-5": {"direction": "higher", "margin": 0.015},
        "active_days:0-6": {"direction": "higher", "margin": 0.5},
    }


def test_row__with_a_mistake__has_its_sentence_and_the_focus(
    open_page: Callable[..., Any], pm: User, plan: Experiment
) -> None:
    page = open_page("en", pm)
    page.goto(f"/experiments/{plan.key}/plan/outcomes/")
    somebody = Mouse(page)
    for at, (metric, margin) in enumerate([("on_day:7", "1"), ("on_day:14", "lots")]):
        somebody.press("[data-rows=guardrail_metrics] [name=row_add]")
        somebody.pick(ROW.format(at=at, part="metric"), metric)
        page.fill(ROW.format(at=at, part="margin"), margin)

    somebody.press(".plan-actions button[name=go]")
    page.locator(".row.wrong .errorlist").wait_for()

    assert page.evaluate("document.activeElement.id") == ROW.format(at=1, part="margin")[1:]
    assert page.locator(".row.wrong .errorlist").all_inner_texts() == [
        "“lots” is no number. Write one such as 1 or 0.5."
    ]
    assert page.input_value(ROW.format(at=0, part="metric")) == "Retained: active on day 7"
    assert page.input_value(ROW.format(at=1, part="margin")) == "lots"
