"""Stop, ship 10 %, ship 100 %, back: with a mouse, in both languages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from experiments.models import Experiment, Rollout, RolloutMove
from experiments.serve import assign, config
from tests.experiments.make import running
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def shares(units: int = 60) -> int:
    """How many of so many users have the variant now."""
    config.forget()
    found = [assign.evaluate("exp", f"u{n}", {}) for n in range(units)]
    return sum(getattr(one, "variant", "") == "banner" for one in found)


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_winner__from_the_stop__is_shipped_to_a_tenth_then_to_all_and_taken_back(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    cache.clear()
    running(
        "exp",
        variants=[{"key": "control", "value": "none", "weight": 9_999}, {"key": "banner", "weight": 1, "value": "b"}],
    )
    page = open_page(language, pm)

    page.goto("/experiments/exp/do/stop/")
    page.locator("form button.final").click()
    page.wait_for_url("**/experiments/exp/")
    assert Experiment.objects.get().status == "stopped"
    assert shares() == 0

    page.locator(".doings summary").click()  # nothing was found that the plan's rule would ship
    page.locator("a[href='/experiments/exp/rollout/']").first.click()
    page.wait_for_url("**/rollout/")
    page.locator("#id_form-0-share").fill("10")
    page.locator("#ship button[type=submit]").click()  # without a reason
    page.locator("#ship .wrong").wait_for()
    assert not Rollout.objects.exists()
    page.locator("#id_why").fill("We like it")
    page.locator("#ship button[type=submit]").click()
    page.locator("#state table").wait_for()
    assert "10%" in page.locator("#state").inner_text()
    assert 0 < shares() < 20

    page.locator("#id_form-1-share").fill("100")
    page.locator("#ship button[type=submit]").click()
    page.locator("#state td", has_text="100%").wait_for()
    assert shares() == 60

    page.locator("#state a[href$='/rollout/do/back/']").click()
    page.wait_for_url("**/do/back/")
    assert Rollout.objects.get().state == "rolling"
    page.locator("form button.final").click()
    page.wait_for_url("**/rollout/")
    assert page.locator("#state").count() == 0
    assert "We like it" in page.locator("#rollout-history").inner_text()
    assert page.locator("#rollout-history li").count() == 3
    assert shares() == 0
    assert [move.kind for move in RolloutMove.objects.all()] == ["back", "change", "ship"]


def test_kill_switch__of_a_running_experiment__asks_and_pauses(open_page: Callable[..., Any], pm: User) -> None:
    cache.clear()
    running("exp")
    page = open_page("en", pm)

    page.goto("/experiments/exp/")
    page.locator("summary", has_text="Actions").click()
    page.get_by_role("link", name="Kill switch").click()
    page.wait_for_url("**/kill/")
    assert Experiment.objects.get().status == "running"
    page.get_by_role("button", name="Yes: Kill switch").click()
    page.wait_for_url("**/experiments/exp/")

    assert Experiment.objects.get().status == "paused"


@pytest.mark.parametrize(("language", "width"), first_in_ci([("en", 360), ("ko", 1440)]))
def test_page__at_every_width__has_nothing_that_sticks_out(
    open_page: Callable[..., Any], pm: User, language: str, width: int
) -> None:
    cache.clear()
    running("exp")
    page = open_page(language, pm)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/experiments/exp/do/stop/")
    page.locator("form button.final").click()
    page.wait_for_url("**/experiments/exp/")
    page.goto("/experiments/exp/rollout/")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
