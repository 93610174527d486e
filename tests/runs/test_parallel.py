"""Parts on all cores: the order of results, one stream of random numbers, nesting, progress, and how all of it ends."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from runs.parallel import calls, each, use_workers, workers
from runs.progress import Cancelled, Progress, silent


@pytest.fixture(params=[1, 2, 4])
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    before = workers()
    use_workers(request.param)
    yield request.param
    use_workers(before)


def uneven(part: int, progress: Progress) -> int:
    time.sleep(0.02 * (part % 3 == 0))  # later parts end before earlier ones
    progress("part", 0.5)
    return part * part


def test_each__any_number_of_workers__results_in_the_order_of_the_parts(number: int) -> None:
    assert each(range(20), uneven) == [part * part for part in range(20)]
    assert calls(lambda _: "a", lambda _: 2) == ["a", 2]
    assert each([], uneven) == []


def test_each__parts_drawn_from_one_stream__are_what_one_worker_draws(number: int) -> None:
    rng, alone = np.random.default_rng(3), np.random.default_rng(3)

    found = each((rng.random(5) for _ in range(30)), lambda drawn, _: float(drawn.sum()), of=30)

    assert found == [float(alone.random(5).sum()) for _ in range(30)]


def test_each__inside_of_parts_deeper_than_there_are_workers__comes_to_its_end(number: int) -> None:
    def nested(depth: int, progress: Progress) -> int:
        return 1 if depth == 0 else sum(each([depth - 1] * 3, nested, progress=progress))

    assert each([3, 3, 3], nested) == [27, 27, 27]


def test_each__several_workers__uses_as_many_and_no_more(number: int) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def job(part: int, progress: Progress) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.03)
        with lock:
            inside -= 1

    each(range(3 * number), job)

    assert most == number


def test_each__progress__in_the_thread_that_called_and_never_beyond_one(number: int) -> None:
    told: list[tuple[int, float]] = []

    each(range(6), uneven, progress=lambda stage, share: told.append((threading.get_ident(), share)))

    assert {thread for thread, _ in told} == {threading.get_ident()}
    assert all(0 <= share <= 1 for _, share in told)


def test_each__a_part_that_fails__raises_its_error_and_begins_no_further_part(number: int) -> None:
    begun: list[int] = []

    def job(part: int, progress: Progress) -> None:
        begun.append(part)
        if part == 1:
            raise LookupError("the second")
        time.sleep(0.01)

    with pytest.raises(LookupError, match="the second"):
        each(range(100), job)
    assert len(begun) < 20


def test_each__a_person_cancels__every_part_stops_at_its_next_note(number: int) -> None:
    ended, noted = threading.Event(), []

    def long(part: int, progress: Progress) -> None:
        for step in range(2_000):
            time.sleep(0.005)
            noted.append(part)
            progress("long", step / 2_000)

    def listen(stage: str, share: float) -> None:
        if share > 0:
            ended.set()
            raise Cancelled

    with pytest.raises(Cancelled):
        each(range(8), long, progress=listen)
    assert ended.is_set()
    assert len(noted) < 1_000  # of 16,000; in notes, since seconds are also other programs'


def test_each__nobody_listens__needs_no_progress(number: int) -> None:
    assert each((1, 2), uneven, progress=silent) == [1, 4]


@pytest.mark.slow
@pytest.mark.parametrize("number", [2], indirect=True)
def test_calls__the_longest_first__who_called_computes_it_and_the_others_help_inside(number: int) -> None:
    short_over = threading.Event()
    helpers: set[int] = set()

    def inside(_: int, __: Progress) -> int:
        helpers.add(threading.get_ident())
        time.sleep(0.02)
        return threading.get_ident()

    def long(_: Progress) -> int:
        short_over.wait(5)
        each(range(20), inside)
        return threading.get_ident()

    for _ in range(20):  # who is first to claim would be a matter of luck
        helpers.clear()
        short_over.clear()
        caller, _short = calls(long, lambda _: short_over.set())
        assert caller == threading.get_ident()
        assert len(helpers) == 2


def test_use_workers__less_than_one__is_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        use_workers(0)
