"""Records to JSON and back."""

import json
from dataclasses import dataclass
from enum import StrEnum

import pytest
from pydantic import ValidationError

from reporting.document import dump, load, outward
from stats.results import NotComputable, Reason


class Shape(StrEnum):
    ROUND = "round"


@dataclass(frozen=True)
class Inner:
    estimate: float
    low: float | None


@dataclass(frozen=True)
class Outer:
    name: str
    shape: Shape
    rows: tuple[Inner, ...]
    missing: Inner | NotComputable
    number: float | NotComputable
    pairs: dict[str, tuple[int, float]]


RECORD = Outer(
    "결과",
    Shape.ROUND,
    (Inner(0.0, None), Inner(-1.5, 2.0)),
    NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2}),
    0.0,
    {"a": (1, 0.5)},
)


def test_dump_and_load__through_json__give_the_same_record() -> None:
    text = json.dumps(dump(RECORD), allow_nan=False)

    assert load(Outer, json.loads(text)) == RECORD


def test_outward__missing_number__is_a_reason_in_words() -> None:
    found = outward(dump(RECORD))

    assert found["missing"] == {"not_computable": "Too few users: this needs at least two in each group."}
    assert found["rows"][0] == {"estimate": 0.0, "low": None}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_dump__nan_or_infinity__is_refused_with_its_place(bad: float) -> None:
    record = Outer("x", Shape.ROUND, (Inner(bad, None),), NotComputable(Reason.NO_DATA), 1.0, {})

    with pytest.raises(ValueError, match=r"Outer\.rows\[0\]\.estimate"):
        dump(record)


def test_load__another_shape__is_refused() -> None:
    with pytest.raises(ValidationError):
        load(Outer, {"name": "x"})
