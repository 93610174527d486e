"""What a computation took: memory of this one alone, processor time of other processes too."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs import processes
from runs.parallel import use_workers
from runs.processes import elsewhere
from runs.run_times import measured


@pytest.fixture(autouse=True)
def _one_worker_afterwards() -> Iterator[None]:
    yield
    use_workers(1)


def busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_measured__memory__is_that_of_the_block_and_not_of_an_earlier_one() -> None:
    with measured() as large:
        held = bytearray(os.urandom(1)) * 200_000_000
        before = large()
        del held
    with measured() as small:
        pass

    assert before.peak_mb > small().peak_mb + 150


@pytest.mark.slow
def test_measured__another_process__counts_its_processor_time_and_memory_and_ends() -> None:
    use_workers(2)
    with measured() as spent:
        elsewhere(busy, 0.3)
        found = spent()

    assert found.processor_seconds >= 0.3
    assert found.seconds >= 0.3
    assert found.workers == 2
    assert spent().processor_seconds >= found.processor_seconds
    assert processes._alive == set()


def test_measured__steps__follow_each_other_and_stay_within_the_whole() -> None:
    with measured() as spent:
        time.sleep(0.03)
        spent.ended("first")
        time.sleep(0.01)
        spent.ended("second")
        found = spent({"users": 7})

    assert 0.03 <= found.steps["first"] <= found.seconds + 0.01
    assert found.steps["second"] >= 0.01
    assert sum(found.steps.values()) <= found.seconds + 0.01
    assert found.size == {"users": 7}


@pytest.mark.parametrize("name", ["umap_1/layouts.one-3.py313.nbi", None])
def test_measured__an_index_of_compiled_code_that_came_meanwhile__is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    old = tmp_path / "umap_1" / "old.nbi"
    old.parent.mkdir()
    old.touch()
    os.utime(old, (1, 1))
    with measured() as spent:
        (tmp_path / "umap.lock").touch()  # each process that fits takes it
        if name is not None:
            (tmp_path / name).touch()

    assert spent().compiled is (name is not None)


@pytest.mark.parametrize("folder", [None, "nowhere"])
def test_measured__no_folder_of_compiled_code__has_compiled_nothing_to_keep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str | None
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    if folder is not None:
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / folder))
    with measured() as spent:
        pass

    assert not spent().compiled
