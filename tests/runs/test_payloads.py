"""Stored payloads: their number, the steps from older ones, and what can't be read."""

from dataclasses import dataclass
from typing import Any

import pytest

from runs.payloads import Schema, Unreadable
from stats.results import NotComputable, Reason


@dataclass(frozen=True)
class Answer:
    number: int | NotComputable
    unit: str


def to_number(document: dict[str, Any]) -> dict[str, Any]:
    """The second schema: a number, which was a text."""
    return {**document, "number": int(document["number"])}


def name_unit(document: dict[str, Any]) -> dict[str, Any]:
    """The third: with its unit."""
    return {**document, "unit": "users"}


SCHEMA = Schema(Answer, (to_number, name_unit))


def test_store__a_record__carries_the_number_and_is_read_back() -> None:
    stored = SCHEMA.store(Answer(42, "users"))

    assert stored == {"number": 42, "unit": "users", "schema": 3}
    assert SCHEMA.read(stored) == Answer(42, "users")


@pytest.mark.parametrize(
    "old", [{"number": "42"}, {"number": "42", "schema": 1}, {"number": 42, "schema": 2}], ids=["none", "1", "2"]
)
def test_read__an_older_number__takes_only_the_steps_that_are_missing(old: dict[str, Any]) -> None:
    before = dict(old)

    assert SCHEMA.read(old) == Answer(42, "users")
    assert old == before


@pytest.mark.parametrize(
    ("document", "newer"),
    [
        ({"number": 42, "unit": "users", "schema": 4}, True),
        ({"number": 42, "schema": 3}, False),
        ({"number": "many", "schema": 1}, False),
        ({}, False),
        ({"schema": "new"}, False),
        ({"schema": None}, False),
        ({"schema": 0, "number": "1"}, False),
        ({"schema": -1, "number": "1"}, False),
        (["a list"], False),
        ("a text", False),
        (None, False),
        ({"number": {"reason": "a reason of tomorrow", "details": {}}, "unit": "users", "schema": 3}, False),
    ],
)
def test_read__what_can_not_be_read__is_a_value_with_its_sentence(document: Any, newer: bool) -> None:
    found = SCHEMA.read(document)

    assert found == Unreadable(newer)
    assert ("newer version" in found.sentence()) is newer
    assert SCHEMA.outward(document) == {"unreadable": found.sentence()}


def test_outward__a_missing_number__is_in_words_and_without_the_schema() -> None:
    stored = SCHEMA.store(Answer(NotComputable(Reason.NO_DATA), "users"))

    assert SCHEMA.outward(stored) == {
        "number": {"not_computable": "There are no values for this yet. If it is a base rate, enter one."},
        "unit": "users",
    }
