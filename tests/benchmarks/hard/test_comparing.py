"""The witness of `make hard` sees each kind of broken promise: a reckoning that can't fail would prove nothing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.hard.under_fire import Outcome, text_of
from benchmarks.hard.witness import PROMISES, Ledger, compare

ROWS = [("1:server:a", "u1", "Opened"), ("1:server:b", "u2", "Paid"), ("x:1", "u1", "Experiment Viewed")]


def reckoned(tmp_path: Path, rows: list[tuple[str, str, str]], **changed: Any) -> dict[str, int]:
    """Broken promises of a store with these rows; the ledger knows a, b and the arm of u1."""
    file = tmp_path / "rows.parquet"
    columns = dict(zip(("message_id", "user_id", "event"), zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table({**columns, "properties": ["{}"] * len(rows)}), file)
    ledger = Ledger({"a": ("u1", "Opened"), "b": ("u2", "Paid")}, {"a", "b", "c"}, {"poison"}, {"u1": {"arm0"}})
    ledger.variants |= changed.pop("variants", {})
    testimony = {
        "files": [str(file)],
        "set aside": ["poison"],
        "arms": {"u1": ["arm0"]},
        "hashed": {"u1": "arm0"},
        "half analyses": [],
        "versions": [[1, 5, 5, True], [2, None, 3, False]],
        **changed,
    }
    return {name: n for name, n in compare(ledger, testimony).items() if name in PROMISES and n}


def test_compare__a_store_that_kept_all__finds_nothing(tmp_path: Path) -> None:
    assert reckoned(tmp_path, ROWS) == {}
    assert (
        reckoned(tmp_path, [*ROWS, ("1:server:c", "u3", "Paid")]) == {}
    )  # sent, never answered, and there all the same


@pytest.mark.parametrize(
    ("rows", "changed", "broken"),
    [
        (ROWS[1:], {}, {"events lost": 1}),
        ([*ROWS, ROWS[0]], {}, {"events doubled": 1}),
        ([*ROWS, *[("1:server:c", "u3", "Paid")] * 2], {}, {"events doubled": 1}),
        ([*ROWS[1:], ("1:server:a", "u9", "Opened")], {}, {"events changed": 1}),
        (ROWS[:2], {}, {"exposures lost": 1}),
        ([*ROWS, ("x:2", "u1", "Experiment Viewed")], {}, {"units exposed twice": 1}),
        (
            ROWS,
            {"variants": {"u1": {"arm0", "arm1"}}},
            {"units with two answers": 1, "units answered otherwise than stored": 1},
        ),
        (ROWS, {"arms": {"u1": ["arm0", "arm0"]}}, {"units stored twice": 1}),
        (ROWS, {"hashed": {"u1": "arm1"}}, {"units stored otherwise than drawn": 1}),
        (ROWS, {"set aside": []}, {"poison not set aside": 1}),
        (ROWS, {"half analyses": [7]}, {"half analyses": 1}),
        (ROWS, {"versions": [[1, 5, 4, True]]}, {"published by half": 1}),
    ],
)
def test_compare__each_broken_promise__is_counted(
    tmp_path: Path, rows: list[tuple[str, str, str]], changed: dict[str, Any], broken: dict[str, int]
) -> None:
    assert reckoned(tmp_path, rows, **changed) == broken


def test_outcome__without_a_figure__is_no_kept_promise() -> None:
    outcome = Outcome(1, "short", {name: 0 for name in PROMISES if name != "runs stuck"})

    assert outcome.broken == {"runs stuck": "not looked at"}


def test_page__shows_every_promise_and_what_was_missed() -> None:
    figures = dict.fromkeys(PROMISES, 0) | {"events acknowledged": 5, "units answered": 6, "events in the store": 7}
    outcome = Outcome(1, "short", figures | {"alerts expected": 1, "alerts missed": 1, "kills": 3}, {"web process": 3})
    alert = ["InsightStoreDamaged"]
    outcome.faults = [
        {"fault": "torn Delta log", "expected": alert, "seen": [], "stayed": [], "seconds": 9.0},
        {"fault": "torn Delta log", "expected": alert, "seen": alert, "stayed": [], "seconds": 8.0},
        {"fault": "read-only store", "expected": [], "not possible here": True},
    ]
    outcome.load = {"before": {"requests/s": 80.0, "p99 ms": 70.4, "not answered well": 0.0}}

    page = text_of(outcome, "abc", "a machine")

    assert all(f"| {name} | " in page for name in PROMISES)
    assert "| torn Delta log | 2 | 9, 8 | InsightStoreDamaged | InsightStoreDamaged MISSED |" in page
    assert "| read-only store | 0 | not possible on this machine |" in page
    assert "| before | 80 | 70 | 0.0 % |" in page
