"""Calls of several threads go as one piece of work, in order, each with its own result."""

import threading
from collections.abc import Sequence

import pytest

from experiments.serve.store_assignment import Together

WAIT = 20.0  # far more than any machine needs


class Slow:
    """Work that waits until it is let go, and remembers its pieces."""

    def __init__(self) -> None:
        self.pieces: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.pieces.append(list(asked))
        self.begun.release()
        assert self.go.acquire(timeout=WAIT)
        if -1 in asked:
            raise ValueError("a bad one")
        return [number * 10 for number in asked]


def start(calls: Together[int, int], number: int, found: dict[int, object]) -> threading.Thread:
    def run() -> None:
        try:
            found[number] = calls(number)
        except ValueError as trouble:
            found[number] = str(trouble)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def queued(calls: Together[int, int], count: int) -> None:
    for _ in range(2_000):
        if len(calls._waiting) == count:
            return
        threading.Event().wait(0.01)
    raise AssertionError("they did not come to wait")


def test_calls__that_come_meanwhile__go_together_and_get_their_own() -> None:
    work = Slow()
    calls: Together[int, int] = Together(work)
    found: dict[int, object] = {}

    threads = [start(calls, 1, found)]
    assert work.begun.acquire(timeout=WAIT)
    for number in (2, 3, 4):
        threads.append(start(calls, number, found))
        queued(calls, number - 1)
    work.go.release()
    assert work.begun.acquire(timeout=WAIT)
    threads.append(start(calls, 5, found))
    queued(calls, 1)
    work.go.release(2)
    for thread in threads:
        thread.join(WAIT)

    assert work.pieces == [[1], [2, 3, 4], [5]]
    assert found == {1: 10, 2: 20, 3: 30, 4: 40, 5: 50}
    work.go.release()
    assert calls(6) == 60  # nothing is left at work


def test_trouble__of_a_piece__is_that_of_all_its_calls_and_of_no_others() -> None:
    work = Slow()
    calls: Together[int, int] = Together(work)
    found: dict[int, object] = {}

    threads = [start(calls, 1, found)]
    assert work.begun.acquire(timeout=WAIT)
    for place, number in enumerate((-1, 3), start=1):
        threads.append(start(calls, number, found))
        queued(calls, place)
    work.go.release(2)
    for thread in threads:
        thread.join(WAIT)

    assert found == {1: 10, -1: "a bad one", 3: "a bad one"}
    work.go.release()
    assert calls(4) == 40


def test_one_call__alone__waits_for_nobody() -> None:
    calls: Together[int, int] = Together(lambda asked: [number + 1 for number in asked])

    assert [calls(number) for number in range(3)] == [1, 2, 3]


def test_work__that_gives_too_few_results__is_an_error() -> None:
    calls: Together[int, int] = Together(lambda asked: [])

    with pytest.raises(ValueError, match="shorter"):
        calls(1)
