"""Thread pool for independent parts of one computation; the number of workers is set here only.

Results don't depend on the number of workers: the randomness of a part comes from a seed of that part (its name or
number) or is drawn beforehand in the order of the parts, never from the worker that computes it. Results are returned
in the order of the parts.

Workers are threads: NumPy, SciPy's sparse products, scikit-learn and LightGBM release the GIL while they compute, and
nothing is copied. Code that holds the GIL (UMAP, t-SNE) goes through `runs.processes`.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from runs.progress import Cancelled, Progress, silent

SECONDS_BETWEEN_NOTES = 0.5
MOST_BY_ITSELF = 8

stoppers: list[Callable[[], None]] = []  # called when a computation stops early, since the rest isn't needed
_chosen: int | None = None
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def use_workers(number: int | None) -> None:
    """Set how many parts may be computed at once; None goes back to one for each core of this process, at most 8."""
    global _chosen, _pool
    if number is not None and number < 1:
        raise ValueError(f"at least one worker, not {number}")
    with _lock:
        if _pool is not None:
            _pool.shutdown(wait=False)
        _chosen, _pool = number, None


def workers() -> int:
    """How many parts may be computed at once."""
    return _chosen or min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, MOST_BY_ITSELF)


def each[P, R](
    parts: Iterable[P], job: Callable[[P, Progress], R], *, of: int | None = None, progress: Progress = silent
) -> list[R]:
    """Run the job for every part; results are in the order of the parts.

    Args:
        parts: taken one at a time, in their order, by the next free worker. A generator may therefore draw from one
            stream of random numbers: each part gets what it would get alone, and only those being computed are held.
        job: computes a part and reports to the progress it is given. It may call `each` itself.
        of: how many parts there are, for a generator.
        progress: called with the mean share of the parts, always in the calling thread; if it raises, all parts stop.

    Raises:
        Exception: what the first failing part raised; no further part is begun then.
    """
    number = of if of is not None else len(parts) if isinstance(parts, Sequence) else 1
    return _Work(parts, job, number, progress).run()


def calls(*jobs: Callable[[Progress], Any], progress: Progress = silent) -> list[Any]:
    """Run different jobs in parallel; results are in their order. The longest should come first."""
    return each(jobs, lambda job, inner: job(inner), progress=progress)


class _Work[P, R]:
    """One call of `each`. The calling thread works too, so that a nested call finishes even when no worker is free."""

    def __init__(self, parts: Iterable[P], job: Callable[[P, Progress], R], number: int, progress: Progress) -> None:
        self.parts: Iterator[tuple[int, P]] = iter(enumerate(parts))
        self.job, self.number, self.progress = job, number, progress
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.results: dict[int, R] = {}
        self.shares: dict[int, float] = {}
        self.stage = ""
        self.trouble: BaseException | None = None

    def run(self) -> list[R]:
        # The caller takes the first part, the longest: nested calls inside it find the other workers free once these
        # have finished. The other way round it would wait for a helper whose nested calls find no free worker.
        begun = self.begin()
        helpers = [_threads().submit(self.work) for _ in range(min(workers(), self.number) - 1)]
        self.work(begun)
        running = {helper for helper in helpers if not helper.cancel()}
        while running:
            running = self.wait(running)
        if self.trouble is not None:
            raise self.trouble
        if self.stage:
            self.note()
        return [self.results[place] for place in range(len(self.results))]

    def begin(self) -> tuple[int, P] | None:
        """The first part, or None when there is none or the caller has to stop."""
        try:
            return self.claim()
        except BaseException as trouble:
            self.fail(trouble)
            return None

    def work(self, begun: tuple[int, P] | None = None) -> None:
        """Compute parts, beginning with one already claimed, until none is left or one has failed."""
        try:
            claimed = begun or self.claim()
            while claimed is not None:
                place, part = claimed
                self.results[place] = self.job(part, self.listener(place))
                self.shares[place] = 1.0
                claimed = self.claim()
        except BaseException as trouble:
            self.fail(trouble)

    def claim(self) -> tuple[int, P] | None:
        with self.lock:
            return next(self.parts, None) if self.trouble is None else None

    def fail(self, trouble: BaseException) -> None:
        with self.lock:
            self.trouble = self.trouble or trouble
        for stop in stoppers:
            stop()

    def listener(self, place: int) -> Progress:
        """Progress listener for one part: other threads only store the value, since a listener may use a database."""

        def tell(stage: str, share: float) -> None:
            self.shares[place], self.stage = share, stage
            if self.trouble is not None:
                raise Cancelled
            if threading.get_ident() == self.owner:
                self.note()

        return tell

    def note(self) -> None:
        self.progress(self.stage, sum(list(self.shares.values())) / max(self.number, 1))

    def wait(self, running: "set[Future[None]]") -> "set[Future[None]]":
        """Wait a moment for the other threads and report progress. Returns those still running."""
        try:
            left = wait(running, timeout=SECONDS_BETWEEN_NOTES).not_done
            if left and self.stage and self.trouble is None:
                self.note()
        except BaseException as trouble:
            if self.trouble is not None:
                raise
            self.fail(trouble)
            return running
        return left


def _threads() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 - the threads of this process
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(workers() - 1, 1), thread_name_prefix="part")
        return _pool


def _forget_threads() -> None:
    """Reset the pool after a fork: the child has none of its parent's threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_threads)
