"""Services that start and compute a segmentation, for the page, the command and the API."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from events.asking import questions
from reporting.document import dump, load
from reporting.words import reason_words
from runs.perform import enqueue, perform
from runs.progress import Early, Progress, part, silent, unseen
from runs.refusals import Refused
from runs.run_times import Pace
from runs.shown_early import EarlyParts
from runs.spent import measured
from segments.models import SegmentationRun
from segments.search.composition import compose
from segments.search.gather import check_behaviours, read_play, refuse_marks
from segments.search.payload_versions import FITTED, SEGMENTATION
from segments.search.question import Inputs, check_inputs
from segments.search.segmentation import Options
from stats.results import NotComputable

# How the run time of a segmentation scales; docs/scale.md has the figures.

COUNTING, GROUPS = "counting", "groups"
# By users as in its table; by the sample between its 1,370 and 46,079 users there. By behaviours it is a guess.
PACE = Pace(
    slopes={COUNTING: {"users": 0.62, "behaviours": 0.5}, GROUPS: {"sample": 0.44, "behaviours": 0.2}},
    usual={COUNTING: 4.0, GROUPS: 80.0},
    at={"users": 100_000, "sample": 46_000, "behaviours": 15},
)


def search_size(users: int, placed: int, behaviours: int) -> dict[str, int]:
    """Sizes that the run time of the steps scales with.

    Args:
        users: number of users whose days of play and of retention are complete.
        placed: number of those with enough active days.
        behaviours: number of counted behaviours.
    """
    return {"users": users, "sample": min(placed, Options().model_rows), "behaviours": behaviours}


def start_segmentation(*, inputs: Inputs, title: str = "", seed: int = 1, by: User | None = None) -> SegmentationRun:
    """Queue a segmentation.

    Raises:
        Refused: invalid inputs; nothing is stored then.
    """
    with transaction.atomic():
        run = _create(inputs, title, seed, by)
        enqueue(run)
    return run


def segment_now(*, inputs: Inputs, title: str = "", seed: int = 1, listen: Progress = silent) -> SegmentationRun:
    """Compute a segmentation in this process, for the command line. The returned row has the result or the error.

    Raises:
        Refused: inputs that are invalid or don't fit the log; nothing is stored then.
    """
    check_inputs(inputs)
    # Before creating the row: invalid input must leave nothing behind.
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as asked:
        asked.need_event(inputs.signup_event, "--signup-event")
        check_behaviours(asked, inputs)
        refuse_marks(asked, inputs)
    run = _create(inputs, title, seed, None)
    compute_segmentation(run.pk, listen=listen)
    run.refresh_from_db()
    return run


def compute_segmentation(pk: int, *, listen: Progress = silent, watched: bool = False) -> bool:
    """Compute a queued segmentation; False when it failed, was cancelled, or was deleted.

    Args:
        pk: of the run.
        listen: an additional progress callback.
        watched: publish partial results for its page; the result is the same.
    """
    run = SegmentationRun.objects.filter(pk=pk).first()
    if run is None:
        return False
    early = EarlyParts(run) if watched else None
    tell = early.tell if early is not None else unseen
    return perform(run, lambda progress: _compute(run, progress, tell), listen=listen, early=early)


def _create(inputs: Inputs, title: str, seed: int, by: User | None) -> SegmentationRun:
    check_inputs(inputs)
    run = SegmentationRun(title=title, inputs=dump(inputs), seed=seed, created_by=by)
    run.full_clean()
    run.save()
    return run


def _compute(run: SegmentationRun, progress: Progress, early: Early) -> dict[str, Any]:
    inputs = load(Inputs, run.inputs)
    progress("counts", 0.0)
    with measured() as spent:
        with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as asked:
            play = read_play(asked, inputs, seed=run.seed, early=early)
            as_of = asked.basis.data_end
        spent.ended(COUNTING)
        composed = compose(play, inputs, seed=run.seed, progress=part(progress, 0.1, 1.0), early=early)
        if isinstance(composed, NotComputable):
            raise Refused(reason_words(composed))
        spent.ended(GROUPS)
        units = composed.report.units
        size = search_size(units.eligible, units.clustered, len(play.whole.behaviours))
        report = replace(composed.report, spent=spent(size))
    model = FITTED.store(composed.segmentation.model)
    SegmentationRun.objects.filter(pk=run.pk).update(as_of=as_of, model=model)
    return SEGMENTATION.store(report)
