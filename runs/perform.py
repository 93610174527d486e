"""Execute a run: claim it, write progress to its row, and record its result or the reason for its failure."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from runs.kinds import kind_of
from runs.models import Run
from runs.progress import Cancelled, Progress, silent
from runs.queue import status as queue_status
from runs.queue.enqueue import put, tell
from runs.queue.leases import CANCELLED
from runs.refusals import Refused
from runs.shown_early import EarlyParts

log = structlog.get_logger()
REFUSED = "refused"  # counted separately from failures: the request was invalid, the program is fine
PICTURES = "insight_site.tasks.draw_pictures"
SECONDS_BETWEEN_NOTES = 0.5  # pages poll every second or two; each progress update is a write
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "openTSNE", "lightgbm", "shap", "duckdb", "ibis-framework")


class _GivenUpError(Exception):
    """The run was closed as lost while it was still computing: its follow-up actions must not run either."""


type Compute = Callable[[Progress], dict[str, Any]]


def enqueue(run: Run) -> None:
    """Put a saved run into the job queue."""
    put(kind_of(run).task, run.pk)


def perform(
    run: Run,
    compute: Compute,
    *,
    listen: Progress = silent,
    early: EarlyParts | None = None,
    then: Callable[[dict[str, Any]], None] | None = None,
) -> bool:
    """Compute a run and store its result.

    Args:
        run: a saved row; only a queued one is taken, so that a repeated task does no harm.
        compute: returns the payload, a JSON object; it calls the progress it is given between its steps.
        listen: a further progress listener, for example a bar on the terminal.
        early: where the computation puts partial results; the row loses them when the run ends.
        then: follow-up actions on the payload, in one transaction with the status "done": if the process dies in
            between, neither is stored, and readers never see one without the other. It may still refuse.

    Returns:
        True when the run is done; False when it failed, was cancelled, or another process has it. The row says why.
    """
    now = timezone.now()
    taken = _rows(run).filter(status=Run.Status.QUEUED)
    if not taken.update(status=Run.Status.RUNNING, started_at=now, heard_at=now):
        run.refresh_from_db()
        return False
    try:
        payload = compute(_notes(run, listen, early))
        with transaction.atomic():
            if then is not None:
                then(payload)
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
