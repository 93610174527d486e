"""Refusals: worded for whoever asked, with the option or without it, and no text that can't be worded."""

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from reporting.words import say
from runs.refusals import Refused, split_reason
from tools.messages import PACKAGES, ROOT

MAKERS = {"Refused", "say"}
OWN_ARGUMENTS = {"at"}  # of `Refused`, beside the fields


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Place, text and call of every message and refusal whose text stands in the code."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                    text = node.args[0] if node.args else None
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield _place(path, node), text.value, node


def _place(path: Path, node: ast.Call) -> str:
    return f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"


def test_refusal__raised_in_one_language__is_worded_in_the_readers() -> None:
    with translation.override("en"):
        refusal = Refused("There is no experiment '{key}'.", key="pets")

    with translation.override("ko"):
        korean = refusal.sentence

    assert korean == "실험 'pets'가 없습니다."
    assert refusal.sentence == "There is no experiment 'pets'."


@pytest.mark.parametrize(
    ("at", "printed"),
    [
        ("", "no users, none."),
        ("gap", "--gap: no users, none."),
        ("--gap", "--gap: no users, none."),
        ("from to", "--from and --to: no users, none."),
    ],
)
def test_refusal__option__stands_before_the_sentence_in_print_alone(at: str, printed: str) -> None:
    refusal = Refused("no users, {what}.", what="none", at=at)

    assert str(refusal) == printed
    assert refusal.sentence == "No users, none."
    assert split_reason(printed) == (at.removeprefix("--"), "no users, none.")


def test_sentence__that_begins_with_a_field__keeps_its_first_letter() -> None:
    assert Refused("{key} has no published version.", key="casual").sentence == "casual has no published version."


def test_refusal__braces_in_a_value__are_shown_as_they_are() -> None:
    assert str(Refused("There is no experiment '{key}'.", key="{0} {key}")) == "There is no experiment '{0} {key}'."
    assert str(Refused("a sentence that is worded already: {0}")) == "a sentence that is worded already: {0}"


def test_refusal__message_in_a_message__both_are_worded() -> None:
    refusal = Refused("At {place}: {what}", place=say("the rule"), what=say("needs a name."))

    with translation.override("ko"):
        assert str(refusal) == "규칙: 이름이 필요합니다."
    assert str(refusal) == "At the rule: needs a name."


def test_refusal__kept_in_a_row__is_the_same_again() -> None:
    inner = Refused("There is no experiment '{key}'.", key="pets")
    refusal = Refused("At {place}: {what}", place=say("the rule"), what=inner, at="from to")

    again = Refused.from_record(json.loads(json.dumps(refusal.record())))

    assert (str(again), again.at) == (str(refusal), "from to")
    with translation.override("ko"):
        assert refusal.english == "--from and --to: At the rule: There is no experiment 'pets'."
        assert str(again) == str(refusal)


@pytest.mark.slow
def test_texts__of_refusals_and_messages__name_the_fields_that_they_get() -> None:
    found = list(_calls())
    wrong = []
    for place, text, call in found:
        named: set[str | None] = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        given = {keyword.arg for keyword in call.keywords} - OWN_ARGUMENTS
        if named != given:
            wrong.append((place, text, named ^ given))

    assert wrong == []
    assert len(found) > 150
