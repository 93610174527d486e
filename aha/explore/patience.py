"""Questions at work in this web process: a bounded number, each ended when nobody waits for its answer any more.

`ask` waits a moment for the answer. Who doesn't get it asks again; every asking, in whatever process, is a sign of life
on the disk. Two processes that are asked the same don't work twice: one waits for the other's answer.
"""

import fcntl
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connections

from aha.explore.answering import Payload, answer
from aha.explore.question import Question
from events.prepared import numbered_log
from events.prepared.opened import Stop
from runs.progress import Cancelled
from runs.refusals import Refused

log = structlog.get_logger()
PATIENCE = 0.9  # seconds that a page waits before it comes without the answer
LEFT_AFTER = 12.0  # seconds without a sign of life after which nobody waits any more
WATCH_EVERY = 1.0
MOST_WAITING = 12  # questions of one process that wait or work; more come in later
KEPT_RESULTS = 60.0  # seconds that a refusal waits to be fetched


@dataclass(frozen=True)
class Reply:
    """What became of a question until now.

    Attributes:
        payload: the answer; None while there is none.
        refused: why there will be none.
        failed: True when it broke; the log says why.
        stage: what is being done.
        share: how far that is, 0 to 1.
        seconds: since when.
    """

    payload: Payload | None = None
    refused: Refused | None = None
    failed: bool = False
    stage: str = ""
    share: float = 0.0
    seconds: int = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody has to ask again."""
        return self.payload is None and self.refused is None and not self.failed


@dataclass
class _Work:
    question: Question
    sign: Path
    future: "Future[Payload]" = field(default_factory=Future)
    stop: Stop = field(default_factory=Stop)
    since: float = field(default_factory=time.monotonic)
    stage: str = "waiting"
    share: float = 0.0

    def listen(self, stage: str, share: float) -> None:
        self.stage, self.share = stage, share

    @property
    def is_left(self) -> bool:
        """Whether nobody has asked for it lately."""
        try:
            return time.time() - self.sign.stat().st_mtime > LEFT_AFTER
        except FileNotFoundError:
            return True


_at_work: dict[str, _Work] = {}
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def ask(question: Question, *, patience: float = PATIENCE) -> Reply:
    """The answer when it comes soon; else how far it is. Ask again until it is there."""
    key = hashlib.sha256(f"{numbered_log.folder()} {question.key()}".encode()).hexdigest()[:24]
    sign = numbered_log.folder() / "asked" / key
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()
    work = _begin(key, question, sign)
    if work is None:
        time.sleep(min(patience, PATIENCE))
        return Reply(stage="waiting")
    try:
        payload = work.future.result(timeout=patience)
    except TimeoutError:
        return Reply(stage=work.stage, share=work.share, seconds=int(time.monotonic() - work.since))
    except Refused as refusal:
        outcome = Reply(refused=refusal)
    except Cancelled:
        outcome = Reply(stage="waiting")
    except Exception:
        outcome = Reply(failed=True)
    else:
        outcome = Reply(payload=payload)
    with _lock:
        _at_work.pop(key, None)
    return outcome


def _begin(key: str, question: Question, sign: Path) -> _Work | None:
    """The work on a question, begun if need be; None when this process has enough to do."""
    global _pool  # noqa: PLW0603 - one a process, made in it and not before a fork
    with _lock:
        _forget_finished()
        work = _at_work.get(key)
        if work is not None:
            return work
        if len(_at_work) >= MOST_WAITING:
            return None
        if _pool is None:
            _pool = ThreadPoolExecutor(settings.EXPLORE_QUESTIONS, thread_name_prefix="explore")
        if not _at_work:
            threading.Thread(target=_watch, name="explore-watch", daemon=True).start()
        work = _at_work[key] = _Work(question, sign)
        work.future = _pool.submit(_answer, work)
        return work


def _answer(work: _Work) -> Payload:
    try:
        with _first(work):
            return answer(work.question, stop=work.stop, progress=work.listen)
    except (Refused, Cancelled):
        raise
    except Exception:
        log.exception("explore.failed", view=work.question.view)
        raise
    finally:
        connections.close_all()
        work.since = time.monotonic()


@contextmanager
def _first(work: _Work) -> Iterator[None]:
    """Only one process at a time works on a question; who comes second finds the answer kept."""
    with work.sign.with_suffix(".lock").open("w") as file:
        while True:
            work.stop.check()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        yield


def _watch() -> None:
    """End what nobody waits for, as long as there is work; forget what nobody fetched."""
    while True:
        time.sleep(WATCH_EVERY)
        with _lock:
            for work in _at_work.values():
                if not work.future.done() and work.is_left:
                    work.stop.now()
                    work.future.cancel()
            _forget_finished()
            if not _at_work:
                return


def _forget_finished() -> None:
    """Drop what is done and was not fetched for a while: answers are kept on the disk anyway."""
    now = time.monotonic()
    for key, work in list(_at_work.items()):
        if work.future.cancelled() or (work.future.done() and (work.stop.asked or now - work.since > KEPT_RESULTS)):
            del _at_work[key]
