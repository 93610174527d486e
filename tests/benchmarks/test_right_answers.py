"""What a load was told against what is kept: each kind of fault is seen."""

import json
from collections import Counter

import pytest

from benchmarks.knee import assignments_wrong, events_wrong

NONE = {
    "wrong variants": 0,
    "lost assignments": 0,
    "doubled assignments": 0,
    "lost exposures": 0,
    "doubled exposures": 0,
}


def _row(unit: str, variant: str = "arm0", status: int = 200) -> list[object]:
    return [0.0, 0.01, status, 0, unit, json.dumps({"variant": variant})]


@pytest.mark.parametrize(
    ("answer", "rows", "exposures", "fault"),
    [
        ("arm0", [["u", "arm0"]], {"u": 1}, {}),
        ("arm1", [["u", "arm1"]], {"u": 1}, {"wrong variants": 1}),  # not what the draw gives
        ("arm0", [["u", "arm1"]], {"u": 1}, {"wrong variants": 1}),  # not what is kept
        ("arm0", [], {"u": 1}, {"wrong variants": 1, "lost assignments": 1}),
        ("arm0", [["u", "arm0"], ["u", "arm0"]], {"u": 1}, {"doubled assignments": 1}),
        ("arm0", [["u", "arm0"]], {}, {"lost exposures": 1}),
        ("arm0", [["u", "arm0"]], {"u": 2}, {"doubled exposures": 1}),
    ],
)
def test_assignments_wrong__one_fault__is_counted(
    answer: str, rows: list[list[str]], exposures: dict[str, int], fault: dict[str, int]
) -> None:
    found = assignments_wrong([_row("u", answer)], {"u": "arm0"}, rows, Counter(exposures))

    assert found == NONE | fault


def test_assignments_wrong__a_call_without_answer__may_be_kept_or_not() -> None:
    asked = [_row("u", status=503), _row("v", status=0)]

    assert assignments_wrong(asked, {"u": "arm0", "v": "arm0"}, [["u", "arm0"]], Counter({"u": 1})) == NONE


def test_events_wrong__accepted_and_gone_or_twice__is_counted() -> None:
    sent = [_row("u"), _row("v"), _row("w", status=503)]
    kept = Counter({"u-0": 1, "v-0": 2, "v-1": 1, "w-0": 2})

    assert events_wrong(sent, kept, 2) == {"lost events": 1, "doubled events": 2}
