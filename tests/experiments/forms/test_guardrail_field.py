"""Guardrails as rows of the plan's form: what is typed, what is stored, and what is said of a mistake."""

from typing import Any

import pytest
from django.test import Client

from events.catalogue import save_metrics
from events.metrics.facts import About, Facts
from experiments.models import Experiment
from experiments.pages.judging_forms import OutcomesForm
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import FINE, step

pytestmark = pytest.mark.django_db
NAME = "guardrail_metrics"


def sent(*rows: dict[str, str], **more: str) -> dict[str, str]:
    """What a browser sends of these rows."""
    given = {f"{NAME}-{at}-{part}": text for at, row in enumerate(rows) for part, text in row.items()}
    return {"first": "on_day:7", "second": "", **FINE, f"{NAME}-rows": str(len(rows)), **given, **more}


def errors(data: dict[str, str]) -> list[dict[str, list[str]]]:
    """Mistakes of each row."""
    form = OutcomesForm(data, experiment=draft("exp"))
    assert not form.is_valid()
    return [{name: list(texts) for name, texts in row.errors.items()} for row in form[NAME].value()]


def test_guardrails__rows__are_stored_as_metrics_and_rules(admin_client: Client) -> None:
    row = draft("exp")
    rows = (
        {"metric": "on_day:1", "direction": "higher", "margin": "1"},  # points of a share
        {"metric": "active_days:0-6", "direction": "lower", "margin": "0.5"},  # the number's own unit: days
        {"metric": "", "direction": "higher", "margin": ""},  # left blank
        {"metric": "week:2", "direction": "higher", "margin": ""},  # only watched
    )

    admin_client.post(step(row, "outcomes"), sent(*rows, otherwise="dont"))

    row.refresh_from_db()
    assert row.guardrail_metrics == ["on_day:1", "active_days:0-6", "week:2"]
    assert row.guardrail_rules == {
        "on_day:1": {"direction": "higher", "margin": 0.01},
        "active_days:0-6": {"direction": "lower", "margin": 0.5},
    }
    assert row.otherwise == "dont"


@pytest.mark.parametrize(
    ("typed", "stored"), [("0.7", 0.007), ("1,5", 0.015), ("2 points", 0.02), ("2%", 0.02), ("100", 1.0)]
)
def test_margin__of_a_share__is_in_points(typed: str, stored: float) -> None:
    form = OutcomesForm(sent({"metric": "on_day:1", "direction": "lower", "margin": typed}), experiment=draft("exp"))

    assert form.is_valid(), form.errors
    assert form.values()["guardrail_rules"] == {"on_day:1": {"direction": "lower", "margin": stored}}


def test_guardrails__stored_ones__come_back_to_the_same_rows_and_are_stored_alike(admin_client: Client) -> None:
    rules = {
        "on_day:1": {"direction": "higher", "margin": 0.007},
        "count:crash:0-6": {"direction": "lower", "margin": 12.5},
    }
    row = draft("exp", guardrail_metrics=["on_day:1", "week:2", "count:crash:0-6"], guardrail_rules=rules)

    page = admin_client.get(step(row, "outcomes"))
    rows = list(page.context["form"][NAME].initial)
    html = page.content.decode()
    begin = [type(page.context["form"].fields[NAME].row()).begin(one) for one in rows]
    given = [{part: str(one[part]) for part in ("metric", "direction", "margin", "first", "last")} for one in begin]
    admin_client.post(step(row, "outcomes"), sent(*given))

    row.refresh_from_db()
    assert [one["margin"] for one in begin] == ["0.7", "", "12.5"]
    assert (row.guardrail_metrics, row.guardrail_rules) == (["on_day:1", "week:2", "count:crash:0-6"], rules)
    assert 'value="Retained: active on day 1"' in html  # a name, no definition
    assert "on_day:1 |" not in html


@pytest.mark.parametrize(
    ("row", "at", "sentence"),
    [
        ({"metric": "happiness"}, "metric", "“happiness” is no metric. Choose one from the list."),
        ({"metric": "", "margin": "1"}, "metric", "Choose the metric that has this margin."),
        ({"metric": "on_day:1", "margin": "lots"}, "margin", "“lots” is no number. Write one such as 1 or 0.5."),
        ({"metric": "on_day:1", "margin": "0"}, "margin", "A margin is above 0. Leave it empty"),
        ({"metric": "on_day:1", "margin": "101"}, "margin", "A share can't change by 101 points: 100 is everybody."),
        ({"metric": "on_day:1", "first": "9", "last": "3"}, "last", "A window ends on its first day"),
    ],
)
def test_guardrail__mistake__is_one_sentence_at_its_row_and_nothing_is_lost(
    admin_client: Client, row: dict[str, str], at: str, sentence: str
) -> None:
    sound = {"metric": "week:2", "direction": "lower", "margin": "3"}
    data = sent(sound, {"direction": "higher", "margin": "", **row})

    first, second = errors(data)
    page = admin_client.post(step(Experiment.objects.get(), "outcomes"), data).content.decode()

    assert first == {}
    assert list(second) == [at]
    assert second[at][0].startswith(sentence)
    assert page.count(sentence.replace("'", "&#x27;")) == 1
    focused = page.partition(f'name="{NAME}-1-{at}"')[2].partition(">")[0]
    assert "autofocus" in focused
    for name, text in row.items():
        assert f'name="{NAME}-1-{name}"' in page
        assert not text or f'value="{text}"' in page or name == "metric"


def test_guardrail__twice__is_said_at_the_second() -> None:
    same = {"metric": "on_day:1", "direction": "higher", "margin": "1"}

    assert errors(sent(same, {**same, "margin": ""})) == [
        {},
        {"metric": ["Row 1 has the same already. Remove one of them."]},
    ]


@pytest.mark.parametrize(
    ("row", "stored"),
    [
        ({"metric": "on_day:1", "first": "3", "last": "3"}, "on_day:3"),
        ({"metric": "on_day:1", "first": "3", "last": "5"}, "window:3-5"),
        ({"metric": "on_day:1", "first": "3", "last": ""}, "on_day:3"),
        ({"metric": "week:2", "first": "8", "last": "14"}, "week:2"),  # the same days
        ({"metric": "week:2", "first": "", "last": ""}, "week:2"),
        ({"metric": "count:add:0-6", "first": "0", "last": "13"}, "count:add:0-13"),
        ({"metric": "survival:7", "first": "1", "last": "2"}, "survival:7"),  # no window
        ({"metric": "D14", "metric_title": "Retained: active on day 1", "first": "1", "last": "1"}, "on_day:14"),
        ({"metric": "The first day", "metric_title": "The first day", "metric_line": "on_day:1"}, "on_day:1"),
    ],
)
def test_metric__and_its_days__make_the_definition(row: dict[str, str], stored: str) -> None:
    form = OutcomesForm(sent({"direction": "higher", "margin": "", **row}), experiment=draft("exp"))

    assert form.is_valid(), form.errors
    assert form.values()["guardrail_metrics"] == [stored]


def test_guardrail__of_the_catalogue__shows_its_name_and_unit_and_takes_its_version_over(admin_client: Client) -> None:
    about = About("Days in play", unit="days of play")
    save_metrics.create_metric(
        key="play", about=about, facts=Facts("active_days:0-6", direction="higher", margin=0.5), by=None
    )
    row = draft("exp")

    admin_client.post(step(row, "outcomes"), sent({"metric": "metric:play", "direction": "lower", "margin": "2"}))
    page = admin_client.get(step(row, "outcomes")).content.decode()

    row.refresh_from_db()
    assert row.guardrail_rules == {"active_days:0-6": {"direction": "lower", "margin": 2.0}}
    assert 'value="Days in play"' in page
    assert 'data-part="unit">days of play<' in page


def test_rows__without_script__one_more_and_one_less__store_nothing(admin_client: Client) -> None:
    row = draft("exp")
    rows: tuple[dict[str, Any], ...] = ({"metric": "on_day:1", "margin": "1"}, {"metric": "week:2", "margin": "happy"})
    data = sent(*({"direction": "higher", **one} for one in rows))

    more = admin_client.post(step(row, "outcomes"), {**data, "row_add": NAME})
    less = admin_client.post(step(row, "outcomes"), {**data, "row_remove": f"{NAME}-0"})

    row.refresh_from_db()
    assert row.guardrail_metrics == []
    assert [one["metric"].value() for one in more.context["form"][NAME].value()] == ["on_day:1", "week:2", ""]
    assert "autofocus" in more.content.decode().partition(f'name="{NAME}-1-margin"')[2].partition(">")[0]
    (left,) = less.context["form"][NAME].value()
    assert (left["metric"].value(), left["margin"].value()) == ("week:2", "happy")
