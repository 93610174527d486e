"""What a computation took: memory of this one alone, processor time of other processes too."""

import os
import time
from collections.abc import Iterator

import pytest

from runs import processes
from runs.parallel import use_workers
from runs.processes import elsewhere
from runs.spent import measured


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
