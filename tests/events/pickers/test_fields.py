"""Fields that pick: what they take, and what they say beside a name that nobody knows, with its mend."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.utils import translation

from events.pickers.fields import BehaviourField, BehavioursField, EventField, MetricField, RetentionField
from events.pickers.quick_fixes import Mendable, QuickFix, mended

pytestmark = pytest.mark.usefixtures("listed")


def refused(field: forms.Field, value: Any) -> tuple[str, list[tuple[str, str]]]:
    with pytest.raises(forms.ValidationError) as caught:
        field.clean(value)
    (error,) = caught.value.error_list
    mends: tuple[QuickFix, ...] = getattr(error, "mends", ())
    return str(error.message), [(mend.value, str(mend.label)) for mend in mends]


BATTLES = "sql:0-6:SELECT user_id, count(*) AS value FROM events WHERE event = '{}' GROUP BY user_id"


def test_event__of_the_log__is_taken() -> None:
    assert EventField().clean(" friend_add ") == "friend_add"


def test_event__any__is_taken_where_it_is_offered_alone() -> None:
    assert EventField(any_event=True).clean("*") == "*"
    assert refused(EventField(), "*")[0].startswith("There is no event “*”.")


@pytest.mark.parametrize(("language", "said"), [("en", "There is no event “friend_ad”. Did you mean friend_add?")])
def test_event__with_a_typo__offers_the_nearest(language: str, said: str) -> None:
    with translation.override(language):
        assert refused(EventField(), "friend_ad") == (said, [("friend_add", "Use friend_add")])


def test_event__like_nothing__names_the_most_frequent() -> None:
    sentence, mends = refused(EventField(), "가입🎮")

    assert sentence == "There is no event “가입🎮”. The most frequent are signup, friend_add, battle, a=b, shop."
    assert mends == []


@pytest.mark.parametrize("text", ["friend_add", "battle[mode=pvp]", "battle#mode", r"a\=b", "battle[score=25]#mode"])
def test_behaviour__that_somebody_did__is_taken(text: str) -> None:
    assert BehaviourField().clean(text) == text


@pytest.mark.parametrize(
    ("text", "said", "mends"),
    [
        ("batle[mode=pvp]", "There is no event “batle”. Did you mean battle?", [("battle[mode=pvp]", "Use battle")]),
        ("battle[map=desert]", "battle has no property “map”. It has mode, score.", [("battle", "Use battle alone")]),
        ("battle#map", "battle has no property “map”. It has mode, score.", [("battle", "Use battle alone")]),
        (
            "battle[mode=co-op]",
            "mode of battle is never “co-op”. Its values are pvp, solo.",
            [("battle[mode=pvp]", "mode = pvp"), ("battle[mode=solo]", "mode = solo")],
        ),
        ("shop[item=hat]", "shop has no property “item”; it has none at all.", [("shop", "Use shop alone")]),
        ("battle[mode=", "'battle[mode=' is no behaviour. Write EVENT, EVENT[property=value] or EVENT#property.", []),
    ],
)
def test_behaviour__that_nobody_did__says_what_there_is(text: str, said: str, mends: list[tuple[str, str]]) -> None:
    sentence, offered = refused(BehaviourField(), text)

    assert (sentence, sorted(offered)) == (said, sorted(mends))


def test_behaviours__one_wrong__mends_that_line_alone() -> None:
    sentence, mends = refused(BehavioursField(), "signup\nfriend_ad\nbattle")

    assert sentence == "There is no event “friend_ad”. Did you mean friend_add?"
    assert mends == [("signup\nfriend_add\nbattle", "Use friend_add")]


def test_behaviours__are_each_kept_once() -> None:
    assert BehavioursField().clean("friend_add\n battle \n\nfriend_add") == ("friend_add", "battle")
    assert BehavioursField().clean("") == ()
    assert BehavioursField(required=False).clean(["battle"]) == ("battle",)


class OneForm(forms.Form):
    retention = RetentionField()
    outcome = MetricField(required=False)


def form(**data: str) -> OneForm:
    return OneForm({"retention": "window:14-20", **data})


def in_parts(**parts: str) -> dict[str, str]:
    """A form as a browser sends it, with changed parts."""
    shown = {"kind": "active", "least": "1", "first": "14", "last": "20", "was": "window:14-20", **parts}
    return {f"retention_{name}": value for name, value in shown.items()}


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"retention": "D7"}, "on_day:7"),
        ({"retention": "2주차 잔존"}, "week:2"),
        ({"retention": " window:3-9 "}, "window:3-9"),
        (in_parts(), "window:14-20"),
        (in_parts(first="7", last="7"), "on_day:7"),
        (in_parts(least="3"), "min_days:14-20:3"),
        (in_parts(kind="event", event="battle"), "min_events:battle:14-20:1"),
        (in_parts(kind="churn", gap="9"), "survival:9"),
        ({**in_parts(first="7"), "retention": "D1"}, "on_day:1"),  # whoever writes the line means it
    ],
)
def test_retention__by_line_or_by_parts__is_kept_as_a_specification(data: dict[str, str], kept: str) -> None:
    asked = form(**data)

    assert asked.is_valid(), asked.errors
    assert asked.cleaned_data["retention"] == kept


def test_retention__week_left_alone__stays_a_week() -> None:
    asked = form(**{"retention": "week:2", **in_parts(was="week:2", first="8", last="14")})

    assert asked.is_valid()
    assert asked.cleaned_data["retention"] == "week:2"


def test_retention__without_its_event__says_so_and_keeps_the_parts() -> None:
    asked = form(**in_parts(kind="event", event="", first="3"))

    assert asked.errors["retention"] == ["Choose the event that counts."]
    assert 'name="retention_first" value="3"' in str(asked["retention"])


def test_retention__of_an_unknown_event__offers_the_nearest() -> None:
    asked = form(retention="min_events:batle:14-20:3")

    (error,) = asked.errors["retention"].data
    assert isinstance(error, Mendable)
    assert error.messages == ["There is no event “batle”. Did you mean battle?"]
    assert error.mends[0].value == "min_events:battle:14-20:3"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("count:battle[mode=pvp]:0-6", "count:battle[mode=pvp]:0-6"),
        ("sum:battle:score:0-6 / active_days:0-6", "sum:battle:score:0-6 / active_days:0-6"),
        ("funnel:signup:battle[mode=pvp]:0-6", "funnel:signup:battle[mode=pvp]:0-6"),
        (BATTLES.format("battle"), BATTLES.format("battle")),
        ("D7", "on_day:7"),
        ("", ""),
    ],
)
def test_metric__by_its_line__is_kept(text: str, kept: str) -> None:
    asked = form(outcome=text)

    assert asked.is_valid(), asked.errors
    assert asked.cleaned_data["outcome"] == kept


def test_metric__by_parts__is_put_together() -> None:
    parts = {
        "kind": "sum",
        "event": "battle",
        "property": "score",
        "first": "0",
        "last": "6",
        "capping": "1",
        "was": "",
    }
    asked = form(outcome="", **{f"outcome_{name}": value for name, value in {**parts, "capped": "on"}.items()})

    assert asked.is_valid(), asked.errors
    assert asked.cleaned_data["outcome"] == "capped:99.9%:sum:battle:score:0-6"


def test_metric__unknown_property_of_a_count__says_what_there_is() -> None:
    assert form(outcome="count:battle[map=x]:0-6").errors["outcome"] == [
        "battle has no property “map”. It has mode, score."
    ]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("funnel:signup:batle:shop:0-6", "funnel:signup:battle:shop:0-6"),
        (BATTLES.format("batle"), BATTLES.format("battle")),
        ("active_days:0-6 / sum:batle:score:0-6", "active_days:0-6 / sum:battle:score:0-6"),
        ("capped:100:count:batle[mode=pvp]:0-6", "capped:100:count:battle[mode=pvp]:0-6"),
    ],
)
def test_metric__unknown_event_of_a_funnel_or_a_select__offers_the_nearest(text: str, mended: str) -> None:
    (error,) = form(outcome=text).errors["outcome"].data

    assert isinstance(error, Mendable)
    assert error.messages == ["There is no event “batle”. Did you mean battle?"]
    assert error.mends[0].value == mended


def test_mended__without_script__changes_the_field_of_the_button() -> None:
    data = QueryDict("days=1+7+20&retention=D7&mend=days%3D1+7")

    assert mended(data).dict() == {"days": "1 7", "retention": "D7"}
