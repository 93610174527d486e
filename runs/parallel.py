"""Independent parts of one computation on all cores: the one place that knows how many workers there are.

The rule that makes a result the same with any number of workers: what is random in a part comes from a seed of the part
itself (its name or its number), or is drawn before, in the order of the parts; never from the worker that computes it.
Results come in the order of the parts too.

Workers are threads: NumPy, SciPy's sparse products, scikit-learn and LightGBM let go of the interpreter while they
compute, and nothing is copied. What holds it (UMAP, t-SNE) goes through `runs.processes`.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from runs.progress import Cancelled, Progress, silent

SECONDS_BETWEEN_NOTES = 0.5
MOST_BY_ITSELF = 8

stoppers: list[Callable[[], None]] = []  # called where a computation stops before its end: nobody waits for the rest
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
    """The job of every part, in the order of the parts.

    Args:
        parts: taken one at a time, in their order, by whoever is free. A generator may therefore draw from one
            stream of random numbers: each part gets what it would get alone, and only those being computed are held.
        job: computes a part; it tells the progress it is given how far the part is. It may call `each` itself.
        of: how many parts there are, for a generator.
        progress: told the mean share of the parts, always in the thread that called; where it raises, all stop.

    Raises:
        Exception: what the first failing part raised; no further part is begun then.
    """
    number = of if of is not None else len(parts) if isinstance(parts, Sequence) else 1
    return _Work(parts, job, number, progress).run()


def calls(*jobs: Callable[[Progress], Any], progress: Progress = silent) -> list[Any]:
    """Different jobs side by side: what each gives, in their order. The longest should come first."""
    return each(jobs, lambda job, inner: job(inner), progress=progress)


class _Work[P, R]:
    """One call of `each`. Who calls works too, so that a call inside a part needs no free thread to come to its end."""

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
        # The caller takes the first part, the longest: calls inside it find the others free as soon as these are done.
        # The other way round it would wait for a helper who finds nobody.
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
        """The first part, or None where there is none or the caller can't give it."""
        try:
            return self.claim()
        except BaseException as trouble:
            self.fail(trouble)
            return None

    def work(self, begun: tuple[int, P] | None = None) -> None:
        """Compute parts, from one that is claimed already, until none is left or one has failed."""
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
        """The progress of one part: other threads leave a note, since a listener may write to its own database."""

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
        """Give the others some time; tell how far they are. Those who still run, afterwards."""
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
    """A forked process has none of its parent's threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_threads)
