"""Child processes for functions that hold the GIL: UMAP and t-SNE would block every other thread.

Each child is a Python interpreter connected by two pipes, not `multiprocessing`: its fork would copy a process that has
threads, and its other start methods run the caller's main module again. Children start fresh, so they hold no database
connection; they read until their pipe closes, so none outlives its parent by more than the current call.
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
type Answer = tuple[Any, Any, tuple[float, float]]  # result or error; peak megabytes and CPU seconds so far

_idle: list["_Child"] = []
_alive: set["_Child"] = set()
GENTLE = 10  # niceness of a low-priority process
MOST = 3  # each holds half a gigabyte once it has fitted a UMAP
_seats = threading.BoundedSemaphore(MOST)
_lock = threading.Lock()
_spent: dict[int, tuple[float, float]] = {}  # peak megabytes and CPU seconds, by process


class ChildEndedError(RuntimeError):
    """The child process ended before it returned a result: killed, or out of memory."""


def elsewhere[R](function: Callable[..., R], *args: Any, **options: Any) -> R:
    """Call the function in a child process if there is more than one worker, else here.

    Args:
        function: a module-level function, so that the child process can import it.
        args, options: its arguments; they and the result are copied, so they should be small.

    Raises:
        Exception: what the function raised, or `ChildEndedError`.
    """
    if parallel.workers() == 1:
        return function(*args, **options)
    with _seats:
        child = _take()
        try:
            result, trouble, (peak, seconds) = child.ask((function, args, options))
        except BaseException:  # Ctrl-C too: otherwise the next caller would read this call's result
            child.end()
            raise
        with _lock:
            _spent[child.process.pid] = peak, seconds + _spent.get(child.process.pid, (0.0, 0.0))[1]
            if child in _alive:
                _idle.append(child)
    if trouble is not None:
        raise trouble
    answer: R = result
    return answer


def close() -> None:
    """End the child processes; the next call starts new ones."""
    with _lock:
        ended, _idle[:] = list(_alive), []
    for child in ended:
        child.end()


def take_spent() -> tuple[float, float]:
    """Peak memory of all child processes together (MB) and their CPU seconds; resets both."""
    with _lock:
        totals = sum(peak for peak, _ in _spent.values()), sum(seconds for _, seconds in _spent.values())
        _spent.clear()
    return totals


class _Child:
    """One child process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # our own interpreter
            [sys.executable, "-m", "runs.process_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C in a terminal reaches the parent only, which ends its children
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
            if self not in _alive:  # the computing thread and the one that stops all may both get here
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
    """Reset the pool after a fork: the child must not use its parent's pipes."""
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
    """Let one of several starting processes compile what Numba caches on disk; the others wait for the lock.

    Without a folder that may be written each compiles for itself, and so does a gentle process: on a busy machine the
    others would wait for the one that comes last.

    Args:
        what: names the lock; a lock ends with its process, however it ends.
    """
    # `os.nice(0)` would set the priority, which a systemd unit may forbid; this only reads it.
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
