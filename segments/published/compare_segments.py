"""What separates two segments of one version: behaviour per active day, as between activity tiers."""

from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from events.asking import questions
from reporting.document import load
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.refusals import Refused
from segments.models import ComparisonRun, Segment
from segments.published.fitted_model import fitted_of
from segments.published.payload_versions import COMPARISON
from segments.published.run_results import ComparisonResult
from segments.search.composition import find_drivers
from segments.search.gather import read_units
from segments.search.question import Inputs

TASK = "segments.tasks.run_comparison"


def start_comparison(*, first: Segment, second: Segment, seed: int = 1, by: User | None = None) -> ComparisonRun:
    """Queue a comparison of two segments.

    Args:
        first: the one that differences are measured from.
        second: of the same version.
        seed: of samples and models.
        by: who asks.

    Raises:
        Refused: one segment with itself, or segments of two versions, whose windows and units may differ.
    """
    if first.pk == second.pk:
        raise Refused("Choose two different segments.")
    if first.version_id != second.version_id:
        raise Refused("Only segments of one version can be compared.")
    with transaction.atomic():
        run = ComparisonRun.objects.create(first=first, second=second, seed=seed, created_by=by)
        enqueue(run, TASK)
    return run


def compute_comparison(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a queued comparison; False when it failed or isn't there any more."""
    run = ComparisonRun.objects.select_related("first__version", "second").filter(pk=pk).first()
    return run is not None and perform(run, lambda progress: _compute(run, progress), listen=listen)


def _compute(run: ComparisonRun, progress: Progress) -> dict[str, Any]:
    progress("counts", 0.0)
    version = run.first.version
    inputs = load(Inputs, {"retention": None, **version.inputs})
    fitted = fitted_of(version)
    behaviours = None if fitted is None else fitted.preparation.behaviours
    with questions(day_mode=inputs.day_mode) as asked:
        table = read_units(asked, inputs, behaviours)
    groups = []
    for segment in (run.first, run.second):
        members = set(segment.members.values_list("unit", flat=True))
        groups.append(np.array([unit in members for unit in table.unit_ids], dtype=np.bool_))
    found = find_drivers(
        table,
        table.behaviours,
        first=groups[0],
        second=groups[1],
        labels=(str(run.first), str(run.second)),
        seed=run.seed,
        progress=part(progress, 0.2, 1.0),
    )
    return COMPARISON.store(ComparisonResult(found, str(inputs.window)))
