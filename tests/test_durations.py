"""What is shown of the kept costs of tests."""

from pathlib import Path

import pytest

from tests import durations


def test_dearest__of_two_runs__begins_with_who_waited_or_worked_longest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(durations, "FOLDER", tmp_path)
    (tmp_path / "test-rest.jsonl").write_text('["a.py::a", "call", 3.0, 1.0]\n["a.py::b", "setup", 1.0, 4.0]\n')
    (tmp_path / "browser.jsonl").write_text('["c.py::c", "call", 3.5, 0.0]\n')

    shown = [line.split(maxsplit=2) for line in durations.dearest(2)]

    assert shown[1:] == [
        ["1.0", "4.0", "test-rest: setup a.py::b"],
        ["3.5", "0.0", "browser: call c.py::c"],
        ["4", "0", "browser: all"],
        ["4", "5", "test-rest: all"],
    ]


def test_processor_seconds__of_work__grow() -> None:
    before = durations.processor_seconds()
    sum(range(3_000_000))

    assert durations.processor_seconds() > before
