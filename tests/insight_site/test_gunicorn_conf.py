"""What gunicorn does with its file: at the start, and again at each SIGHUP."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "gunicorn.conf.py"


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_files__that_a_worker_makes__are_closed_to_other_accounts(tmp_path: Path) -> None:
    runpy.run_path(str(FILE))
    (tmp_path / "upload.csv").touch()

    assert (tmp_path / "upload.csv").stat().st_mode & 0o777 == 0o600


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


def test_metrics_folder__that_is_somebody_elses_too__keeps_every_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setenv("METRICS_CLEARED_BY", "1")
    (tmp_path / "folder").mkdir()
    kept = ["folder", "folder/counter_1.db", "notes.txt", "other-service.db", "counter_1.db.bak"]
    gone = ["counter_1.db", "gauge_liveall_22.db", "histogram_3.db", "summary_4.db"]
    for name in (*kept[1:], *gone):
        (tmp_path / name).touch()

    runpy.run_path(str(FILE))

    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")) == sorted(kept)
