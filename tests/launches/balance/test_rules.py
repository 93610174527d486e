"""The rules of a file: what is read, and the row and field that a refusal names."""

from typing import Any

import pytest

from events.simulation.event_worlds import RULES
from launches.balance.rules import read, write
from runs.refusals import Refused
from tests.launches.balance.make import rules


def changed(path: str, value: Any) -> dict[str, Any]:
    """The rules with one field changed; None takes it out."""
    document: dict[str, Any] = {**RULES, "rules": [dict(row) for row in RULES["rules"]]}
    document["steps"] = [dict(row) for row in RULES["steps"]]
    name, _, rest = path.partition(".")
    row, _, field = rest.partition(".")
    target = document[name][int(row)] if rest else document
    target[field or name] = value
    return document


def test_rules__written_and_read__are_the_same() -> None:
    asked = rules(segment="style", response={"low": -0.1, "middle": 0.1, "high": 0.4})
    assert read(write(asked)) == asked
    assert asked.behaviours == ("battle", "craft")
    assert (asked.last - asked.first).days == 13


@pytest.mark.parametrize(
    ("path", "value", "at", "says"),
    [
        ("title", "", "title", "missing"),
        ("title", "a" * 101, "title", "100"),
        ("first", "4 June", "first", "no date"),
        ("days", 0, "days", "from 1"),
        ("days", 57, "days", "to 56"),
        ("days", 1.5, "days", "whole"),
        ("rules", [], "rules", "at least one"),
        ("rules", [{}] * 13, "rules", "at most 12"),
        ("rules.1.behaviour", "craft#kind", "rules", "row 2, behaviour"),
        ("rules.0.points", 0, "rules", "row 1, points"),
        ("rules.0.points", float("nan"), "rules", "row 1, points"),
        ("rules.0.cap_times", 0, "rules", "row 1, cap_times"),
        ("rules.1.cap_points", 14, "rules", "row 2, cap_points"),
        ("rules.0.weekdays", [], "rules", "row 1, weekdays"),
        ("rules.0.weekdays", ["someday"], "rules", "none of mon"),
        ("rules.0.dates", ["2025-06-18"], "rules", "isn't a day of the event"),
        ("rules.0.colour", "red", "rules", "no such field"),
        ("steps.1.points", 100, "steps", "row 2, points"),
        ("steps.2.stock", -1, "steps", "row 3, stock"),
        ("steps.0.name", None, "steps", "row 1, name"),
        ("response", {"low": 0.2, "middle": 0.1}, "response", "rise"),
        ("response", {"low": -1.1}, "response", "from -1"),
        ("seed", -1, "seed", "from 0"),
        ("prize", 1, "prize", "no such field"),
    ],
)
def test_rules__with_a_wrong_field__name_it(path: str, value: Any, at: str, says: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(changed(path, value))
    assert refusal.value.at == at
    assert says in refusal.value.sentence


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("days", 56),
        ("rules.1.cap_points", 15),
        ("rules.0.dates", ["2025-06-17"]),
        ("steps.1.points", 100.5),
        ("steps.2.stock", 0),
        ("response", {"low": -1.0, "middle": -1.0, "high": 9.0}),
    ],
)
def test_rules__at_the_limit__are_read(path: str, value: Any) -> None:
    assert read(changed(path, value)).title == "Summer event"


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_rules__of_something_else__are_refused(document: Any) -> None:
    with pytest.raises(Refused, match="no JSON object"):
        read(document)
