"""What gunicorn does with its file: at the start, and again at each SIGHUP."""

import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "gunicorn.conf.py"


def test_metrics__of_the_last_life__are_cleared_at_the_start_and_kept_at_a_hang_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    monkeypatch.setenv("METRICS_CLEARED_BY", "1")  # an earlier master, whose environment this one has
    (folder / "counter_1.db").touch()

    runpy.run_path(str(FILE))
    at_the_start = list(folder.iterdir())
    (folder / "counter_2.db").touch()
    runpy.run_path(str(FILE))

    assert at_the_start == []
    assert [file.name for file in folder.iterdir()] == ["counter_2.db"]
