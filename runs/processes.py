"""Functions that hold the interpreter, computed in other processes: UMAP and t-SNE would let no thread beside them run.

The processes are our own interpreters behind two pipes, not `multiprocessing`: its fork would copy a process that has
threads, and its other ways run the caller's main module again. They start fresh, so they hold no connection to the
database; they read until their pipe ends, so none outlives its parent by more than the call it is computing.
"""

import atexit
import fcntl
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runs import parallel

type Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
type Answer = tuple[Any, Any, tuple[float, float]]  # what came of it, or its error; megabytes and seconds so far

_idle: list["_Child"] = []
_alive: set["_Child"] = set()
GENTLE = 10  # the niceness of a process that leaves the processor to others
MOST = 3  # each holds half a gigabyte once it has fitted a UMAP
_seats = threading.BoundedSemaphore(MOST)
_lock = threading.Lock()
_spent: dict[int, tuple[float, float]] = {}  # megabytes at most, and seconds of processor, by process


class ChildEndedError(RuntimeError):
    """The process that computed a part ended before its answer: killed, or out of memory."""


def elsewhere[R](function: Callable[..., R], *args: Any, **options: Any) -> R:
    """What the function gives, computed in another process where there is more than one worker.

    Args:
        function: of a module, so that the other process finds it by its name.
        args, options: what it takes; they and the result are copied, so they should be small.

    Raises:
        Exception: what the function raised, or `ChildEndedError`.
    """
    if parallel.workers() == 1:
        return function(*args, **options)
    with _seats:
        child = _take()
        try:
            found, trouble, (peak, seconds) = child.ask((function, args, options))
        except BaseException:  # Ctrl-C among them: its answer would come to the next who asks
            child.end()
            raise
        with _lock:
            _spent[child.process.pid] = peak, seconds + _spent.get(child.process.pid, (0.0, 0.0))[1]
            if child in _alive:
                _idle.append(child)
    if trouble is not None:
        raise trouble
    answer: R = found
    return answer


def close() -> None:
    """End the processes; the next call starts others."""
    with _lock:
        ended, _idle[:] = list(_alive), []
    for child in ended:
        child.end()


def take_spent() -> tuple[float, float]:
    """Megabytes that the processes held at most, all together, and their seconds of processor; forgotten afterwards."""
    with _lock:
        found = sum(peak for peak, _ in _spent.values()), sum(seconds for _, seconds in _spent.values())
        _spent.clear()
    return found


class _Child:
    """One other process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # our own interpreter
            [sys.executable, "-m", "runs.process_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C on a terminal reaches the parent alone, which ends its children
        )

    def ask(self, call: Call) -> Answer:
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: S101, PT018 - pipes
        try:
            pickle.dump(call, self.process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
            answer: Answer = pickle.load(self.process.stdout)  # noqa: S301 - our own process wrote it
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as trouble:  # ended, or ended by `close`
            raise ChildEndedError("a process that computed a part ended before its answer") from trouble
        return answer

    def end(self) -> None:
        with _lock:
            if self not in _alive:  # the one who computed and the one who stops all may both come here
                return
            _alive.discard(self)
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError, ValueError):
                assert pipe is not None  # noqa: S101 - both are pipes
                pipe.close()


def _take() -> _Child:
    with _lock:
        if _idle:
            return _idle.pop()
    return _start()


def _start() -> _Child:
    child = _Child()
    with _lock:
        _alive.add(child)
    return child


def _forget_children() -> None:
    """A forked process doesn't speak with its parent's."""
    global _lock, _seats
    _lock, _seats = threading.Lock(), threading.BoundedSemaphore(MOST)
    _idle.clear()
    _alive.clear()
    _spent.clear()


os.register_at_fork(after_in_child=_forget_children)
atexit.register(close)
parallel.stoppers.append(close)


@contextmanager
def one_compiles(what: str) -> Iterator[None]:
    """Of the processes that start together one compiles what Numba keeps on disk, inside the block; the others wait.

    Without a folder that may be written each compiles for itself, and so does a gentle process: on a busy machine the
    others would wait for the one that comes last.

    Args:
        what: names the lock; a lock ends with its process, however it ends.
    """
    # Asked, not set: `os.nice(0)` sets the priority, which a unit of systemd may forbid.
    if os.getpriority(os.PRIO_PROCESS, 0) >= GENTLE:
        yield
        return
    try:
        folder = Path(os.environ["NUMBA_CACHE_DIR"])
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{what}.lock").open("w")
    except (KeyError, OSError):
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
