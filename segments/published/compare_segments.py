"""What separates two segments: behaviour per active day on the days of the first one's version.

Users who are in both, which two rules allow, are left out.
"""

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User

from events.warehouse.arm_marks import refuse_arm_marks
from events.warehouse.price import price_of as store_price
from events.warehouse.session import questions
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress, part
from runs.refusals import Refused
from segments.models import ComparisonRun, Segment, SegmentVersion
from segments.published.drift import COMPARISON, ComparisonResult
from segments.published.publish import counted_of
from segments.published.segment_marks import of_segments
from segments.search.composition import find_drivers
from segments.search.gather import read_units
from segments.search.readings import units

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
    return enqueue(ComparisonRun(first=first, second=second, seed=seed, created_by=by))


def price_of_run(run: ComparisonRun) -> Price:
    """What a stored comparison would read."""
    inputs, behaviours = counted_of(run.first.version)
    return store_price(lambda store: units(inputs, store, behaviours), day_mode=inputs.day_mode)


def _compute(run: ComparisonRun, progress: Progress, _early: Early) -> ComparisonResult:
    progress("counts", 0.0)
    inputs, behaviours = counted_of(run.first.version)
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as store:
        refuse_arm_marks(
            {"": [c for segment in (run.first, run.second) for c in of_segments(segment.version, [segment])]},
            store=store,
        )
        table = read_units(store, inputs, behaviours)
    groups = []
    for segment in (run.first, run.second):
        members = set(segment.members.values_list("unit", flat=True))
        groups.append(np.array([unit in members for unit in table.unit_ids], dtype=np.bool_))
    both = groups[0] & groups[1]
    drivers = find_drivers(
        table,
        table.behaviours,
        first=groups[0] & ~both,
        second=groups[1] & ~both,
        labels=(str(run.first), str(run.second)),
        seed=run.seed,
        progress=part(progress, 0.2, 1.0),
    )
    return ComparisonResult(drivers, str(inputs.window))


compute_comparison = Computation(ComparisonRun, _compute, COMPARISON.store)


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
