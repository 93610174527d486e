"""Rows and text say the same: every rule of the language goes through the form, as a browser would post it."""

import json
from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.rules import parse_rule, to_document
from segments.rules.editor_check import check
from segments.rules.editor_rows import NotShown, TypedCondition, TypedGroup, move, read_rows, rows_of, walk
from segments.rules.editor_state import State, read_state, state_of_text
from segments.rules.editor_view import Known, KnownEvent, KnownTrait, shown
from tests.segments.rules.builder.make import conditions, documents, posted

KNOWN = Known(
    traits={"platform": KnownTrait(("ios", "web")), "level": KnownTrait((1, "1", True, 2.5))},
    events={"friend_add": KnownEvent({"mode": ("pvp", "pve")}), "battle": KnownEvent()},
)


def page_of(state: State, known: Known = KNOWN) -> str:
    context = {"state": state, "rows": shown(state.rows, known, state.mistakes(known), state.focus)}
    return render_to_string("segments/rule/builder.html", context)


def canonical(document: Any) -> Any:
    return to_document(parse_rule(document))


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(4))
def test_rows__any_rule__same_rule_again(document: dict[str, Any]) -> None:
    rule = parse_rule(document)

    assert check(rows_of(rule)).rule == rule


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(3))
def test_form__any_rule_rendered_and_posted__same_rule_again(document: dict[str, Any]) -> None:
    state = state_of_text(json.dumps(document))

    rows = read_rows(posted(page_of(state)))

    rule = check(rows).rule
    assert rule is not None
    assert _unordered(to_document(rule)) == _unordered(canonical(document))


@pytest.mark.parametrize(
    "value", ["ios", "web", "android", 1, "1", True, False, 2.5, "true", "2.5", '"', "<b>", "other"]
)
@pytest.mark.parametrize("trait", ["platform", "level", "unknown"])
def test_form__known_and_other_values__kind_is_kept(trait: str, value: Any) -> None:
    document = {"all": [{"trait": trait, "is": value}, {"trait": trait, "in": [value]}]}

    rows = read_rows(posted(page_of(state_of_text(json.dumps(document)))))

    assert [json.dumps(part) for part in to_document(check(rows).rule)["all"]] == [  # type: ignore[arg-type]
        json.dumps(part) for part in document["all"]
    ]


@pytest.mark.slow
@given(documents(3))
def test_text__from_rows__reads_back(document: dict[str, Any]) -> None:
    rows = state_of_text(json.dumps(document)).rows
    fields = posted(page_of(State(rows=rows)))

    text = read_state({**fields, "do": ["as text"]})
    again = read_state({"as": ["text"], "text": [text.text], "do": ["as rows"]})

    assert (text.mode, again.mode) == ("text", "rows")
    assert again.rule == text.rule


test_text__from_rows__reads_back = settings(max_examples=25, deadline=None)(test_text__from_rows__reads_back)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(3), st.data())
def test_move__up_then_down__as_before_and_nothing_lost(document: dict[str, Any], data: st.DataObject) -> None:
    rows = rows_of(parse_rule(document))
    path = data.draw(st.sampled_from([path for path, _ in walk(rows) if path] or [()]))
    step = data.draw(st.sampled_from([-1, 1]))

    moved, there = move(rows, path, step)
    back, at = move(moved, there, -step)

    assert sorted(map(repr, _conditions(moved))) == sorted(map(repr, _conditions(rows)))
    if moved != rows:
        assert (back, at) == (rows, path)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"trait": "a", "is": ""}, "Condition 2: it compares with an empty text"),
        ({"trait": "a\nb", "is": 1}, "Condition 2: 'a\\nb' holds a line break"),
        ({"trait": "a", "in": ["x", "\u0000"]}, "Condition 2: '\\x00' holds a line break"),
        ({"behaviour": "b[p=]", "days": 3, "at_least": 1}, "Condition 2: it compares with an empty text"),
    ],
)
def test_rows__what_no_field_holds__stays_text_and_says_which_part(condition: dict[str, Any], words: str) -> None:
    document = {"all": [{"any": [{"trait": "a", "is": 1}]}, condition]}

    state = state_of_text(json.dumps(document))

    assert state.mode == "text"
    assert str(state.wrong).startswith(words)
    assert state.rule == parse_rule(document)  # it can be published all the same
    with pytest.raises(NotShown):
        rows_of(parse_rule(document))


@given(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=3), max_size=8),
       st.lists(st.text(alphabet="rgc-0129 ", max_size=9), max_size=6))  # fmt: skip
def test_read_rows__whatever_is_posted__some_rows(fields: dict[str, list[str]], nodes: list[str]) -> None:
    state = read_state({**fields, "node": nodes})

    assert isinstance(state.rows, TypedGroup)
    assert state.rule is None or state.rule == parse_rule(to_document(state.rule))


@given(conditions)
def test_hostile_or_not__page_escapes_every_name(condition: dict[str, Any]) -> None:
    page = page_of(state_of_text(json.dumps({"all": [condition]})))

    assert "<script" not in page


test_hostile_or_not__page_escapes_every_name = settings(max_examples=20, deadline=None)(
    test_hostile_or_not__page_escapes_every_name
)


def _conditions(rows: TypedGroup) -> list[TypedCondition]:
    return [row for _, row in walk(rows) if isinstance(row, TypedCondition)]


def _unordered(document: Any) -> Any:
    """Lists of values in an order of their own: the form shows known ones first."""
    if isinstance(document, list):
        return [_unordered(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        key: sorted(map(json.dumps, value)) if key == "in" else _unordered(value) for key, value in document.items()
    }
