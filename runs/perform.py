"""Execute a run: claim it, write progress and partial results to its row, and record its result or why it failed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from reporting.document import dump, load
from runs.kinds import COUNT, PARTS, kind_of
from runs.models import Run
from runs.payloads import Document
from runs.progress import Cancelled, Early, Progress, silent, unseen
from runs.queue import status as queue_status
from runs.queue.jobs import CANCELLED, put, tell
from runs.refusals import Refused
from runs.run_times import Spent
from runs.spending import give_back, price_of, spent_by, take

# Partial results of a running computation, stored in its row until it ends.
#
# They are no final results: every end deletes them, and only the run's own page reads them.


class EarlyParts:
    """The partial results of one run; its computation gets `tell` as its `runs.progress.Early`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.parts: dict[str, Any] = {}
        self.told = self.written = 0
        self.wanted = bool(kind_of(run).early)

    def tell(self, name: str, record: object) -> None:
        """Add or replace a partial result. Other threads leave it to `write`: they must not use our connection."""
        if not self.wanted:
            return
        document = dump(record)
        with self.lock:
            self.parts[name] = document
            self.told += 1
        if threading.get_ident() == self.owner:
            self.write()

    def write(self) -> None:
        """Store partial results added since the last write, but only while the run is running."""
        with self.lock:
            if self.told == self.written:
                return
            self.written, document = self.told, {COUNT: self.told, PARTS: dict(self.parts)}
        open_row = type(self.run)._default_manager.filter(pk=self.run.pk, status=Run.Status.RUNNING)
        open_row.update(early=document)


def number_told(run: Run) -> int:
    """How many partial results have been written: a page that has this number needs no update."""
    return int((run.early or {}).get(COUNT, 0)) if run.is_open else 0


# Read the resources used by the last runs of a kind from their stored results.

LAST = 5


def last_spent(kind: type[Run]) -> list[Spent]:
    """Resources used by the last finished runs, newest first; failed and cancelled runs are left out.

    Args:
        kind: whose results keep what they took as `spent`.
    """
    done = kind.objects.filter(status=Run.Status.DONE)
    # Two queries: with one, sorting would make the database read every payload.
    latest = list(done.order_by("-finished_at").values_list("pk", flat=True)[:LAST])
    taken = dict(done.filter(pk__in=latest).values_list("pk", "payload__spent"))
    spent = []
    for pk in latest:
        try:
            spent.append(load(Spent, taken[pk]))
        except (ValidationError, KeyError):  # written by another version, or deleted meanwhile
            continue
    return spent


log = structlog.get_logger()
REFUSED = "refused"  # counted separately from failures: the request was invalid, the program is fine
PICTURES = "insight_site.tasks.draw_pictures"
WRITE_BACK = "insight_site.tasks.write_finished"
SECONDS_BETWEEN_NOTES = 0.5  # pages poll every second or two; each progress update is a write
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "openTSNE", "lightgbm", "shap", "duckdb", "ibis-framework")


class _GivenUpError(Exception):
    """The run was closed as lost while it was still computing: its follow-up actions must not run either."""


@dataclass(frozen=True)
class Computation[Row: Run, Made]:
    """How the runs of one kind are computed and stored; called with a run's id, it does so.

    It stands beside the code that computes, and not in the app's `RunKind`, so that a web process starts without that
    code, and that types hold between what is made, stored and concluded.

    Attributes:
        rows: the model class.
        compute: returns what the run makes, usually the record of its payload. It calls the progress it is given
            between its steps, and may tell partial results.
        store: the payload of what was made, usually `store` of the kind's `runs.payloads.Schema`.
        conclude: as in `perform`, with the run.
    """

    rows: type[Row]
    compute: Callable[[Row, Progress, Early], Made]
    store: Callable[[Made], Document]
    conclude: Callable[[Row, Made], None] | None = None

    def __call__(self, pk: int, *, listen: Progress = silent, watched: bool = False) -> bool:
        """Compute a waiting run; True when it is done. Does nothing for one that is deleted or already taken.

        Args:
            pk: of the run.
            listen: a further progress listener, for example a bar on the terminal.
            watched: publish partial results for its page; the result is the same.
        """
        run = cast("Row | None", self.rows._default_manager.filter(pk=pk).first())
        if run is None:
            return False
        early = EarlyParts(run) if watched else None
        tell = unseen if early is None else early.tell
        conclude = None if self.conclude is None else partial(self.conclude, run)
        return perform(
            run,
            lambda progress: self.compute(run, progress, tell),
            self.store,
            conclude=conclude,
            listen=listen,
            early=early,
        )


def enqueue[Row: Run](run: Row) -> Row:
    """Put a run into the job queue; a new one is validated and saved first.

    Raises:
        Refused: over a budget; nothing is stored or queued then.
    """
    price = price_of(run)
    with transaction.atomic():
        if run.pk is None:
            run.full_clean(exclude=["inputs"])  # ours, and empty for some kinds
            run.save()
        if kind_of(run).price:
            take(run, price)
        put(kind_of(run).task, run.pk)
    return run


def perform[Made](
    run: Run,
    compute: Callable[[Progress], Made],
    store: Callable[[Made], Document],
    *,
    conclude: Callable[[Made], None] | None = None,
    listen: Progress = silent,
    early: EarlyParts | None = None,
) -> bool:
    """Compute a run and store its result.

    Args:
        run: a saved row; only a queued one is taken, so that a repeated task does no harm.
        compute: returns what is made; it calls the progress it is given between its steps.
        store: the payload of what was made, a JSON object.
        conclude: follow-up actions on what was made, in one transaction with the status "done": if the process dies in
            between, neither is stored, and readers never see one without the other. It may still refuse.
        listen: a further progress listener, for example a bar on the terminal.
        early: where the computation puts partial results; the row loses them when the run ends.

    Returns:
        True when the run is done; False when it failed, was cancelled, or another process has it. The row says why.
    """
    now = timezone.now()
    taken = _rows(run).filter(status=Run.Status.QUEUED)
    if not taken.update(status=Run.Status.RUNNING, started_at=now, heard_at=now):
        run.refresh_from_db()
        return False
    try:
        with spent_by(run):
            made = compute(_notes(run, listen, early))
        payload = store(made)
        with transaction.atomic():
            if conclude is not None:
                conclude(made)
            closed = _close(
                run, Run.Status.DONE, payload=payload, share=1.0, versions={name: version(name) for name in LIBRARIES}
            )
            if not closed:
                raise _GivenUpError
    except Cancelled:
        _close(run, Run.Status.CANCELLED, reason=CANCELLED)
    except KeyboardInterrupt:  # in a terminal: otherwise the row would say "running" for ever
        _close(run, Run.Status.CANCELLED, reason=CANCELLED)
        raise
    except Refused as refusal:
        _close(run, Run.Status.FAILED, outcome=REFUSED, reason=refusal.english, refusal=refusal.record())
    except _GivenUpError:
        log.warning("run.given_up", run=run._meta.label, pk=run.pk)
    except Exception as trouble:  # a failure is stored as well; the page keeps the last good run
        log.exception("run.failed", run=run._meta.label, pk=run.pk)
        failed = Refused(
            "An error of the program ({name}). The log has its details under run {pk}.",
            name=type(trouble).__name__,
            pk=run.pk,
        )
        _close(run, Run.Status.FAILED, reason=failed.english, refusal=failed.record())
    else:
        put(PICTURES, run._meta.label, run.pk)
        if settings.RESULTS_URL:
            put(WRITE_BACK, run._meta.label, run.pk)
    run.refresh_from_db()
    return run.status == Run.Status.DONE


def request_cancel(run: Run) -> None:
    """Cancel an open run: a queued one at once, a running one at its next step.

    Raises:
        Refused: when the run has ended already.
    """
    waiting = _rows(run).filter(status=Run.Status.QUEUED)
    if waiting.update(status=Run.Status.CANCELLED, reason=CANCELLED, finished_at=timezone.now()):
        queue_status.count(queue_status.RUNS, run._meta.label, Run.Status.CANCELLED)
        give_back(run)
        return
    if not _rows(run).filter(status=Run.Status.RUNNING).update(cancel_requested=True):
        raise Refused("This run has ended already, so there is nothing to cancel.")


def _rows(run: Run) -> Any:
    return type(run)._default_manager.filter(pk=run.pk)


def _close(run: Run, status: str, *, outcome: str = "", **values: Any) -> bool:
    """End the run; False when another process already has: a run closed as lost must not be marked done."""
    open_row = _rows(run).filter(status=Run.Status.RUNNING)
    closed = bool(open_row.update(status=status, finished_at=timezone.now(), early=None, **values))
    if closed:
        queue_status.count(queue_status.RUNS, run._meta.label, outcome or status)
    if closed and status == Run.Status.FAILED:
        tell("run_failed", run._meta.label, run.pk, "failed")
    return closed


def _notes(run: Run, listen: Progress, early: EarlyParts | None) -> Progress:
    last = 0.0

    def note(stage: str, share: float) -> None:
        nonlocal last
        listen(stage, share)
        now = time.monotonic()
        if now - last < SECONDS_BETWEEN_NOTES:
            return
        last = now
        if early is not None:
            early.write()
        _rows(run).update(stage=stage, share=share, heard_at=timezone.now())
        if _rows(run).filter(cancel_requested=True).exists():
            raise Cancelled

    return note
