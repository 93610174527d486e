"""A new start needs its SQL metrics certified, whichever door asks; what has started goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from events.catalogue import save_metrics
from experiments.models import Experiment, ReviewPolicy
from experiments.plan.amend import amend
from experiments.plan.catalogue_metrics import uncertified_sql
from experiments.plan.lifecycle import Action
from experiments.plan.moves import move, refusal
from runs.refusals import Refused
from tests.events.metric_catalogue.make import certified, metric
from tests.experiments.api.make import Api
from tests.experiments.make import do, draft
from tests.insight_site.mcp.agents import agent, told

pytestmark = pytest.mark.django_db
SQL = "sql:0-6:SELECT user_id, count(*) AS value FROM events GROUP BY user_id"
CAPPED = f"capped:100:{SQL}"
LISTS = ("primary_metrics", "secondary_metrics", "guardrail_metrics")


@pytest.fixture(autouse=True)
def alone() -> None:
    ReviewPolicy.objects.create(pk=1, mode=ReviewPolicy.Mode.NEVER)


def said(name: str, address: str) -> str:
    return f"The SQL metric “{name}” must be certified before the start: {address}"


def why_not(key: str = "exp") -> str:
    return refusal(Experiment.objects.get(key=key), Action.START)


@pytest.mark.parametrize("field", LISTS)
def test_start__with_an_uncertified_sql_metric__says_where_it_is_certified(field: str) -> None:
    metric("calls", SQL)
    draft("exp", **{field: ["metric:calls"]})

    with pytest.raises(Refused) as refused:
        move(key="exp", action=Action.START)

    assert refused.value.sentence == said("Calls", "/data/metrics/calls/")
    save_metrics.certify(key="calls", version=1)
    assert do("exp", "start").status == "running"


def test_start__with_sql_written_into_the_plan__sends_to_the_catalogue() -> None:
    draft("exp", primary_metrics=[SQL])

    assert why_not() == said(SQL[:59] + "…", "/data/metrics/new/")


def test_start__with_the_words_of_a_certified_metric__is_allowed() -> None:
    certified("calls", SQL)
    draft("exp", primary_metrics=[f"  {SQL}".replace("count(*) AS", "count(*)   AS")])

    assert why_not() == ""


def test_start__with_another_cap_than_the_certified_one__is_refused() -> None:
    certified("calls", SQL)
    draft("exp", primary_metrics=[CAPPED])

    assert "must be certified" in why_not()


def test_start__after_the_metric_was_deprecated_or_taken_up__is_refused() -> None:
    certified("calls", SQL)
    draft("exp", primary_metrics=[SQL])
    assert why_not() == ""

    save_metrics.take_up_again(key="calls")
    assert "must be certified" in why_not()
    save_metrics.certify(key="calls", version=1)
    assert why_not() == ""
    save_metrics.deprecate(key="calls")
    assert "must be certified" in why_not()


def test_start__of_a_copy_whose_cap_is_a_number__rests_on_the_version_that_it_names() -> None:
    certified("calls", SQL)
    row = draft("exp", primary_metrics=["metric:calls"])
    fixed = f"capped:99.9%=41:{SQL}"
    row.chosen_metrics.update(definition=fixed)
    Experiment.objects.filter(pk=row.pk).update(primary_metrics=[fixed])

    assert uncertified_sql(Experiment.objects.get()) == ()


def test_running__with_an_uncertified_sql_metric__goes_on() -> None:
    certified("calls", SQL)
    draft("exp", primary_metrics=["metric:calls"])
    do("exp", "start")

    save_metrics.take_up_again(key="calls")

    assert do("exp", "pause").status == "paused"
    assert do("exp", "resume").status == "running"
    amend(key="exp", why="longer", planned_units=2_000)
    assert do("exp", "stop").status == "stopped"


def test_plans__without_sql__ask_the_catalogue_nothing(django_assert_num_queries: Any) -> None:
    row = draft("exp")

    with django_assert_num_queries(0):
        assert uncertified_sql(row) == ()


def of_rest(_: Client) -> str:
    answer = Api()("POST", "exp/start", {})
    assert answer.status_code == 409
    return str(answer.json()["detail"])


def of_page(client: Client) -> str:
    page = client.post(
        "/experiments/exp/plan/review/", {"sure": "1"}, headers={"Accept-Language": "en"}
    ).content.decode()
    assert 'href="/data/metrics/calls/"' in page
    return page


def of_admin(client: Client) -> str:
    chosen = {"action": "start", "_selected_action": [Experiment.objects.get().pk]}
    answer = client.post("/admin/experiments/experiment/", chosen, follow=True, headers={"Accept-Language": "en"})
    return answer.content.decode()


def of_agent(_: Client) -> str:
    return str(told(agent(), "check_plan", key="exp"))


DOORS: list[Callable[[Client], str]] = [of_rest, of_page, of_admin, of_agent]


@pytest.mark.parametrize("door", DOORS)
def test_door__that_starts_or_checks__says_the_same(door: Callable[[Client], str], admin_client: Client) -> None:
    metric("calls", SQL)
    draft("exp", primary_metrics=["metric:calls"])

    assert said("Calls", "/data/metrics/calls/") in door(admin_client)
    assert Experiment.objects.get().status == "draft"
