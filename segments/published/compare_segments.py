"""What separates two segments: behaviour per active day on the days of the first one's version.

Users who are in both, which two rules allow, are left out.
"""

from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from events.arm_marks import refuse_arm_marks
from events.asking import questions
from reporting.document import load
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.refusals import Refused
from segments.models import ComparisonRun, Segment, SegmentVersion
from segments.published.drift import COMPARISON, ComparisonResult
from segments.published.fitted_model import fitted_of
from segments.published.segment_marks import of_segments
from segments.search.composition import find_drivers
from segments.search.gather import read_units
from segments.search.question import Inputs

MOST = 20


def start_comparison(*, first: Segment, second: Segment, seed: int = 1, by: User | None = None) -> ComparisonRun:
    """Queue a comparison of two segments.

    Args:
        first: the baseline of the differences.
        second: another one; if it is of another version, the first one's days are used for its users too.
        seed: of samples and models.
        by: the user who starts it.

    Raises:
        Refused: one segment with itself.
    """
    if first.pk == second.pk:
        raise Refused("Choose two different segments.")
    with transaction.atomic():
        run = ComparisonRun.objects.create(first=first, second=second, seed=seed, created_by=by)
        enqueue(run)
    return run


def compute_comparison(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a queued comparison; False when it failed or was deleted."""
    run = ComparisonRun.objects.select_related("first__version", "second").filter(pk=pk).first()
    return run is not None and perform(run, lambda progress: _compute(run, progress), listen=listen)


def _compute(run: ComparisonRun, progress: Progress) -> dict[str, Any]:
    progress("counts", 0.0)
    version = run.first.version
    inputs = load(Inputs, {"retention": None, **version.inputs})
    fitted = fitted_of(version)
    behaviours = None if fitted is None else fitted.preparation.behaviours
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as asked:
        refuse_arm_marks(
            {"": [c for one in (run.first, run.second) for c in of_segments(one.version, [one])]}, store=asked
        )
        table = read_units(asked, inputs, behaviours)
    groups = []
    for segment in (run.first, run.second):
        members = set(segment.members.values_list("unit", flat=True))
        groups.append(np.array([unit in members for unit in table.unit_ids], dtype=np.bool_))
    both = groups[0] & groups[1]
    found = find_drivers(
        table,
        table.behaviours,
        first=groups[0] & ~both,
        second=groups[1] & ~both,
        labels=(str(run.first), str(run.second)),
        seed=run.seed,
        progress=part(progress, 0.2, 1.0),
    )
    return COMPARISON.store(ComparisonResult(found, str(inputs.window)))


def comparisons_of(first: Segment, second: Segment) -> list[ComparisonRun]:
    """The finished and running comparisons of two segments, in either order, the newest first."""
    pair = (first.pk, second.pk)
    rows = ComparisonRun.objects.light("first", "second").filter(first__in=pair, second__in=pair)
    return list(rows.order_by("-pk")[:MOST])


def past_comparisons(version: SegmentVersion | None = None) -> list[ComparisonRun]:
    """The latest comparisons, of all segments or of one version's."""
    rows = ComparisonRun.objects.light("first__version__model", "second__version__model", "created_by")
    if version is not None:
        rows = rows.filter(first__version=version)
    return list(rows.order_by("-pk")[:MOST])
