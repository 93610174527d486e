"""Funnels, ratios, quantiles and SQL metrics from their parts: each part by its input, no line typed."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.test import Client

from events.catalogue.listing import PropertyEntry
from events.metrics import parse_metric
from events.pickers.definition_parts import Parts, definition_of, parts_of, with_usual_days
from events.pickers.fields import MetricField, sent_parts
from events.pickers.known_names import trait_note
from runs.refusals import Refused

pytestmark = pytest.mark.django_db
SELECT = "SELECT user_id, count(*) AS value FROM events WHERE event = 'battle' GROUP BY user_id"
BUILT = [
    "funnel:signup:battle:0-6",
    "funnel:signup:battle[mode=pvp]:friend_add:0-13",
    "quantile:90%:sum:buy:price:0-6",
    "quantile:50%:active_days:0-13",
    "sum:buy:price:0-6 / active_days:0-6",
    "capped:99.9%:count:battle:0-6 / count:friend_add:0-13",
    f"sql:0-6:{SELECT}",
    f"capped:99.9%:sql:0-6:{SELECT}",
]


class Form(forms.Form):
    metric = MetricField(required=False)


def sent(line: str, was: str = "window:14-20") -> dict[str, str]:
    """What a browser sends whose inputs hold this metric, and whose line is still the one before."""
    parts = parts_of(parse_metric(line))
    below = {} if parts.below is None else _inputs("metric_below", parts.below)
    steps = {f"metric_step{at}": step for at, step in enumerate(parts.steps)}
    return {"metric": was, "metric_was": was, **_inputs("metric", parts), **below, **steps}


def _inputs(name: str, parts: Parts) -> dict[str, str]:
    names = ("kind", "first", "last", "event", "property", "behaviour", "of", "share", "sql")
    capped = {f"{name}_capped": "on"} if parts.capped else {}
    return {**{f"{name}_{part}": str(getattr(parts, part)) for part in names}, f"{name}_capping": "1", **capped}


@pytest.mark.parametrize("line", BUILT)
def test_parts__of_a_metric__make_it_again(line: str) -> None:
    parts = parts_of(parse_metric(line))

    assert parts.kind != "line"
    assert str(definition_of(parts)) == line


@pytest.mark.parametrize("line", BUILT)
def test_builder__its_inputs_alone__make_the_metric(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.pickers.fields.unknown_in_definition", lambda _definition: None)
    data = QueryDict(mutable=True)
    data.update(sent(line))

    form = Form(data)

    assert form.is_valid(), form.errors
    assert form.cleaned_data["metric"] == line


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (Parts("funnel", 0, 6, steps=("battle", "", "")), "Choose at least two steps."),
        (Parts("quantile", 0, 6, of="active_days", share="100"), "Write a share of users between 0 and 100%"),
        (Parts("quantile", 0, 6, of="active_days", share="half"), "Write a share of users between 0 and 100%"),
        (Parts("ratio", 0, 6, of="count"), "Choose the behaviour that is counted."),
        (Parts("ratio", 0, 6, of="active_days", below=Parts("sum", 0, 6)), "Choose the event and the property"),
        (Parts("sql", 0, 6), "Write a SELECT that gives user_id and value."),
        (Parts("sql", 0, 6, sql="SELECT * FROM users"), "An SQL metric "),
    ],
)
def test_parts__that_lack_something__say_it_in_one_sentence(parts: Parts, sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        definition_of(parts)

    assert refusal.value.sentence.startswith(sentence)


def test_kind__changed__keeps_the_number() -> None:
    counted = parts_of(parse_metric("count:battle:0-6"))
    ratio = sent_parts({"m_kind": "ratio", "m_behaviour": "battle", "m_first": "0", "m_last": "6"}, "m", counted)

    assert str(definition_of(ratio)) == "count:battle:0-6 / active_days:0-6"


@pytest.mark.parametrize(
    ("parts", "days"),
    [
        (Parts("count", 14, 20), (0, 6)),  # nobody chose them: they are retention's
        (Parts("active", 0, 6), (14, 20)),
        (Parts("count", 0, 6), (0, 6)),
        (Parts("funnel", 14, 21), (14, 21)),
    ],
)
def test_days__of_a_kind_just_chosen__are_its_usual_ones_unless_somebody_chose(
    parts: Parts, days: tuple[int, int]
) -> None:
    assert (with_usual_days(parts).first, with_usual_days(parts).last) == days


def fragment(client: Client, **asked: Any) -> str:
    kinds = "active count funnel ratio quantile sql"
    answer = client.post(f"/pick/definition/?of=m&kinds={kinds.replace(' ', '+')}", asked)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_fragment__of_a_ratio__has_both_numbers_and_says_what_it_measures(asker: Client) -> None:
    found = fragment(asker, changed="kind", m_kind="ratio", m_of="count", m_behaviour="battle", m_first="0", m_last="6")

    assert 'name="m_of"' in found
    assert 'name="m_below_kind"' in found
    assert "Ratio over all users. Above the line: Per user, from day 0 to day 6: number of battle." in found
    assert "/pick/preview/?of=m" in found


def test_fragment__of_a_funnel__gets_a_step_more_until_there_are_six(asker: Client) -> None:
    steps = {f"m_step{at}": "battle" for at in range(5)}

    three = fragment(asker, changed="kind", m_kind="funnel", m_step0="battle")
    four = fragment(asker, changed="kind", m_kind="funnel", m_step0="battle", m_more="1")
    six = fragment(asker, changed="kind", m_kind="funnel", m_more="1", **steps)

    assert [found.count('<input type="text" name="m_step') for found in (three, four, six)] == [3, 4, 6]
    assert [found.count('name="m_more"') for found in (three, four, six)] == [1, 1, 0]


def test_fragment__of_sql_while_somebody_types__is_the_gates_sentence(asker: Client) -> None:
    wrong = fragment(asker, changed="parts", m_kind="sql", m_sql="SELECT user_id FROM users", m_first="0", m_last="6")
    right = fragment(asker, changed="parts", m_kind="sql", m_sql=SELECT, m_first="0", m_last="6")

    assert wrong.count("An SQL metric") == 1
    assert "<textarea" not in wrong  # somebody is typing in it
    assert "Per user, from day 0 to day 6, 0 where it gives no row" in right
    assert "/pick/preview/?of=m" in right


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ((("guild-a", 5), ("guild-b", 4)), "different values: 2, such as guild-a"),
        ((("ann@example.com", 1), ("bob@example.com", 1)), ""),  # values of one user name that user
    ],
)
def test_traits__show_values_that_five_users_share(values: tuple[tuple[str, int], ...], note: str) -> None:
    trait = PropertyEntry("guild", "text", 9, 9, 9, 9, different=len(values), values=values)

    assert trait_note(trait) == note
