"""Which values are an id, and which only look like one."""

import json

import pytest

from events.people.tombstones import ERASED, Scrub


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ('{"invited":"u7"}', '{"invited":"[erased]"}'),
        ('{"a": ["u7", {"b": "u7"}]}', '{"a": ["[erased]", {"b": "[erased]"}]}'),
        ('{"u7": 1}', '{"[erased]": 1}'),
        ('{"a": "u7 came"}', '{"a": "u7 came"}'),
        ('{"a": "u77", "b": 7}', '{"a": "u77", "b": 7}'),
        ('{"a": "said \\"u7\\" loudly"}', '{"a": "said \\"u7\\" loudly"}'),
        ('{"a": "u7", "cut', '{"a": "[erased]", "cut'),
        ('{"a": "뫼", "b": "\\ubafc"}', '{"a": "[erased]", "b": "[erased]"}'),
    ],
)
def test_json_text__a_value_that_is_the_id__is_erased_and_no_other(text: str, scrubbed: str) -> None:
    assert Scrub(["u7", "뫼"]).json_text(text) == scrubbed


@pytest.mark.parametrize("name", ['o"neil', "a\\b", ",", ":", '","'])
def test_json_text__ids_of_the_characters_of_json__are_found_by_parsing(name: str) -> None:
    text = json.dumps({"a": "x", "b": name, "c": ["y", "z"]})

    assert json.loads(Scrub([name]).json_text(text)) == {"a": "x", "b": ERASED, "c": ["y", "z"]}


def test_json_text__without_an_id__is_the_same_object() -> None:
    text = '{"a": "x"}'
    assert Scrub(["u7", ","]).json_text(text) is text


def test_plain__an_id_inside_a_word__stays() -> None:
    assert Scrub(["u7", "a@b.c"]).plain("u7 → b; u77, xu7; to a@b.c.") == "[erased] → b; u77, xu7; to [erased]."


def test_value__of_json__is_erased_at_every_depth() -> None:
    assert Scrub(["u7"]).value({"u7": [1, "u7", {"x": "u7"}], "n": 7}) == {"u7": [1, ERASED, {"x": ERASED}], "n": 7}
