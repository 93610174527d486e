"""What a study is asked: every option that makes no sense is refused by name."""

from dataclasses import replace
from typing import Any

import pytest

from aha.study.choice import Rule
from aha.study.question import Inputs, check_inputs
from reporting.document import dump, load
from runs.refusals import Refused

GOOD = Inputs("signup", (1, 3, 7), "window:14-20")


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"signup_event": ""}, "--signup-event"),
        ({"days": ()}, "--days"),
        ({"days": (0, 3)}, "--days"),
        ({"days": (3, 1)}, "--days"),
        ({"days": (1, 1)}, "--days"),
        ({"days": (91,)}, "--days"),
        ({"days": (15, 20)}, "--retention and --days: Retention is measured from day 14"),
        ({"gap": 14}, "--retention and --days"),
        ({"retention": "weekly"}, "--retention"),
        ({"retention": "survival:7"}, "--retention and --days: survival"),
        ({"retention": "unbounded:14"}, "--retention and --days: unbounded"),
        ({"max_times": 0}, "--max-times"),
        ({"max_times": 1_001}, "--max-times"),
        ({"choose": "best"}, "--choose"),
        ({"gap": -1}, "--gap"),
        ({"day_mode": "lunar"}, "--day-mode"),
        ({"behaviours": ("a[b",)}, "--behaviours"),
        ({"behaviours": tuple(f"e{n}" for n in range(61))}, "--behaviours: at most 60"),
        ({"inert": ("",)}, "--inert"),
        ({"first_date": "01.02.2026"}, "--from"),
        ({"last_date": "2026-02-30"}, "--to"),
        ({"first_date": "2026-02-02", "last_date": "2026-02-01"}, "--to"),
    ],
)
def test_check__an_option_that_makes_no_sense__is_refused_by_name(change: dict[str, Any], option: str) -> None:
    with pytest.raises(Refused) as caught:
        check_inputs(replace(GOOD, **change))

    assert str(caught.value).startswith(option)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"days": (14,)},
        {"days": (14, 15)},
        {"gap": 7},
        {"gap": 13},
        {"max_times": 1},
        {"max_times": 1_000},
        {"behaviours": tuple(f"e{n}" for n in range(60))},
        {"first_date": "2026-02-01", "last_date": "2026-02-01"},
        {"signup_event": "*"},
    ],
)
def test_check__on_the_right_side_of_each_limit__passes(change: dict[str, Any]) -> None:
    inputs = replace(GOOD, **change)

    assert check_inputs(inputs) is inputs


def test_listed__inert_and_repeated__each_once() -> None:
    inputs = replace(GOOD, behaviours=("b", "a", "b"), inert=("a", "c[x=1]"))

    assert [str(behaviour) for behaviour in inputs.listed] == ["b", "a", "c[x=1]"]
    assert replace(inputs, behaviours=()).listed == ()


def test_inputs__stored__read_back() -> None:
    inputs = replace(GOOD, behaviours=("a#b",), max_times=9, first_date="2026-01-01", choose="pareto")

    assert load(Inputs, dump(inputs)) == inputs
    assert Rule(inputs.choose) is Rule.PARETO
