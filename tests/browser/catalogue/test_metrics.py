"""A metric from draft to certified to a new version, and a plan that runs on the old one, by two people."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from events.models import Metric
from experiments.models import ChosenMetric, Experiment, ReviewPolicy
from tests.browser.person import Mouse
from tests.experiments.make import draft
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
OLD, NEW = "active_days:0-6", "active_days:0-13"
METRIC = "/data/metrics/revenue/"


@pytest.fixture
def colleague(transactional_db: None) -> User:
    cache.clear()
    return User.objects.create_superuser("ben", password="correct horse")


def save(page: Any) -> None:
    page.locator("main form.card button[type=submit]").last.click()
    page.wait_for_url(f"**{METRIC}")


def status(page: Any) -> str:
    return str(page.locator("h1 .tag").get_attribute("class"))


@pytest.mark.parametrize(
    ("language", "name", "said", "newer"),
    first_in_ci([("en", "Revenue", "Revenue, version 1", "Version 2 is newer"), ("ko", "매출", "매출", "2")]),
)
def test_metric__from_draft_to_certified_to_a_new_version__and_the_running_plan_keeps_the_old_one(
    open_page: Callable[..., Any], pm: User, colleague: User, language: str, name: str, said: str, newer: str
) -> None:
    ReviewPolicy.objects.create(pk=1, mode="never")  # reviews have a test of their own
    author, reviewer = open_page(language, pm), open_page(language, colleague)

    author.goto("/data/metrics/new/")
    author.fill("#id_name_en", "Revenue")
    author.fill("#id_name_ko", "매출")
    author.select_option("#id_definition_kind", "active_days")
    author.locator("#id_definition_said >> text=6").first.wait_for()  # the first week is what it begins with
    author.fill("#id_margin", "0.5")
    save(author)
    assert "state-draft" in status(author)
    assert name in author.locator("h1").inner_text()
    assert {one.get_attribute("lang") for one in author.locator(".card p[lang]").all()} == {"en", "ko"}

    author.locator("form[action$='/certify/'] button").click()  # her own: somebody else could
    author.wait_for_load_state()
    assert "state-draft" in status(author)
    reviewer.goto(METRIC)
    reviewer.locator("form[action$='/certify/'] button").click()
    reviewer.locator(".tag.state-certified").first.wait_for()

    draft("exp")
    author.goto("/experiments/exp/plan/outcomes/")
    Mouse(author).pick("#id_first_metric", "metric:revenue")
    author.locator(".plan-actions button[name=review]").click()
    author.wait_for_url("**/plan/review/")
    if author.locator("#start [name=sure]").count():  # a small plan: she means it
        author.locator("#start [name=sure]").check()
    author.locator("#start button[type=submit]").click()
    author.wait_for_url("**/experiments/exp/")
    row = Experiment.objects.get()
    assert (row.status, row.primary_metrics) == ("running", [OLD])

    author.goto(f"{METRIC}change/")
    author.fill("#id_definition_last", "13")
    author.keyboard.press("Tab")
    author.locator("#id_definition_said >> text=13").first.wait_for()
    author.fill("#id_why", "Two weeks")
    save(author)
    assert "state-draft" in status(author)
    versions = author.locator("#versions").inner_text()
    assert OLD in versions
    assert NEW in versions
    assert author.locator("#uses li").count() == 1

    author.goto("/experiments/exp/plan/")
    plan = author.locator("main").inner_text()
    assert said in plan
    assert newer in plan
    row.refresh_from_db()
    assert row.primary_metrics == [OLD]
    assert ChosenMetric.objects.get().version.number == 1
    assert (Metric.objects.get().version, Metric.objects.get().status) == (2, "draft")
