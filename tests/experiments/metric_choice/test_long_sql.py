"""An SQL metric may have 4,000 characters at every door, and one more is refused with one sentence everywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils.translation import override

from aha.models import Finding
from events.metrics import metric_lines, parse_metric
from events.models import Metric
from experiments.forms import MetricsField
from experiments.models import Experiment
from experiments.plan.lifecycle import Action
from experiments.plan.moves import refusal
from insight_site.exports.copy_definition import bring
from insight_site.exports.definition import definition_of
from runs.refusals import Refused
from tests.events.metric_catalogue.make import metric
from tests.experiments.api.make import PLAN, Api
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import FINE
from tests.insight_site.mcp.agents import agent, told

pytestmark = pytest.mark.django_db
SAID = "An SQL metric has at most 4000 characters, not 4001."
LISTS = ("primary_metrics", "secondary_metrics", "guardrail_metrics")


def sql(length: int) -> str:
    """An SQL metric whose SELECT has so many characters, most of them in texts."""
    names = ", ".join(f"'{'x' * 190}{at:03}'" for at in range(18))
    select = "SELECT user_id, count(*) AS value FROM events WHERE property('p') IN ({}, '{}', '{}') GROUP BY user_id"
    left = length - len(select.format(names, "", ""))
    return "sql:0-6:" + select.format(names, "y" * (left // 2), "z" * (left - left // 2))


def of_page(client: Client, line: str) -> Any:
    given = {"name_en": "Long", "name_ko": "긴 지표", "definition": line, "direction": "higher"}
    answer = client.post("/data/metrics/new/", given, headers={"Accept-Language": "en"})
    return None if answer.status_code == 302 else answer.context["form"].errors["definition"][0]


def of_step(client: Client, line: str, name: str = "first") -> Any:
    row = draft("exp")
    rows = {f"{name}-rows": "1", f"{name}-0-metric": line} if name in LISTS else {name: line}
    given = {"first": "window:14-20", **FINE, **rows, "action": "next"}
    answer = client.post(f"/experiments/{row.key}/plan/outcomes/", given)
    if answer.status_code != 302:
        return answer.context["form"].errors[name][0]
    stored = Experiment.objects.get(key="exp")
    assert str(parse_metric(line)) in [*stored.primary_metrics, *stored.secondary_metrics, *stored.guardrail_metrics]
    return None


def of_list(client: Client, line: str) -> Any:
    return of_step(client, line, "guardrail_metrics")


def of_fragment(client: Client, line: str) -> Any:
    address = "/pick/definition/?of=first&kinds=active+line&changed=line"
    found = client.post(address, {"first": line}).content.decode()
    return SAID if SAID in found else None


def of_outlook(client: Client, line: str) -> Any:
    row = draft("exp")
    given = {"step": "outcomes", "first": line, **FINE}
    answer = client.post(f"/experiments/{row.key}/plan/outcomes/outlook/", given)
    return SAID if "Correct the form" in answer.content.decode() else None  # the form itself says what is wrong


def of_catalogue_api(_: Client, line: str) -> Any:
    answer = Api()("POST", "/api/v1/metrics", {"key": "long", "name_en": "Long", "definition": line})
    return None if answer.status_code == 201 else answer.json()["detail"]


def of_plan_api(_: Client, line: str) -> Any:
    answer = Api()("POST", "", {**PLAN, "guardrail_metrics": [line]})
    if answer.status_code != 201:
        return answer.json()["detail"]
    assert Experiment.objects.get().guardrail_metrics == [line]
    return _of_start(answer.json()["key"])


def of_agent(_: Client, line: str) -> Any:
    found = told(
        agent("plans:draft"), "draft_experiment", **{**PLAN, "value_type": "string", "secondary_metrics": [line]}
    )
    return _of_start("guild") if "code" not in found else found["detail"]


def of_file(line: str, tmp_path: Path) -> Any:
    path = tmp_path / "metrics.yaml"
    path.write_text(f"metrics:\n- key: long\n  name: Long\n  definition: {json.dumps(line)}\n")
    try:
        call_command("metrics", "import", str(path))
    except CommandError as error:
        return str(error)
    assert Metric.objects.get().current.definition == line
    return None


def of_admin(_: Client, line: str) -> Any:
    try:
        return None if MetricsField().clean(line) == [line] else "changed"
    except ValidationError as error:
        return error.messages[0]


def of_promotion(_: Client, line: str) -> Any:
    draft("there", secondary_metrics=[line])
    with override_settings(ENVIRONMENT="staging"):
        document = json.loads(json.dumps(definition_of(Experiment.objects.get(key="there"))))
    Experiment.objects.all().delete()
    assert bring(document, by=None).secondary_metrics == [line]
    return _of_start("there")


def _of_start(key: str) -> Any:
    """Drafts may hold what can't be read yet: the start says what is wrong."""
    said = refusal(Experiment.objects.get(key=key), Action.START)
    return said if "characters" in said else None


DOORS: list[Callable[..., Any]] = [
    of_page, of_step, of_list, of_fragment, of_outlook, of_catalogue_api, of_plan_api, of_agent, of_admin, of_promotion
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_sql_metric__of_four_thousand_characters__is_taken(door: Callable[..., Any], admin_client: Client) -> None:
    line = sql(4_000)
    assert len(line) == 4_008

    assert door(admin_client, line) is None


@pytest.mark.parametrize("door", DOORS)
def test_sql_metric__of_one_more__is_refused_in_one_sentence(door: Callable[..., Any], admin_client: Client) -> None:
    said = door(admin_client, sql(4_001))

    assert SAID in said


def test_sql_metric__of_a_file__is_taken_and_refused_alike(tmp_path: Path) -> None:
    assert of_file(sql(4_000), tmp_path) is None
    assert SAID in of_file(sql(4_001), tmp_path)


def test_sql_metric__too_long__is_refused_in_korean() -> None:
    with override("ko"), pytest.raises(Refused) as refusal:
        parse_metric(sql(4_001))

    with override("ko"):
        assert refusal.value.sentence == "SQL 지표는 최대 4000자이며, 지금은 4001자입니다."


def test_sql_metric__capped__fits_the_catalogue_too() -> None:
    row = metric("long", sql(4_000), cap="99.9%")

    assert row.current.facts.line.startswith("capped:99.9%:sql:0-6:SELECT")


def test_finding__of_a_long_outcome__is_stored() -> None:
    field = Finding._meta.get_field("outcome")

    assert field.max_length is None


def test_lines__of_an_sql_metric__go_on_until_another_begins() -> None:
    text = "on_day:7\nsql:0-6:SELECT user_id,\n  count(*) AS value\nFROM events\n\nGROUP BY user_id\nmetric:revenue\nx"

    assert metric_lines(text) == [
        "on_day:7",
        "sql:0-6:SELECT user_id, count(*) AS value FROM events GROUP BY user_id",
        "metric:revenue",
        "x",
    ]
