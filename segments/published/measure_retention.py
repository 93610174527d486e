"""How many users of each segment stay, measured anew at each refresh, for lists and comparisons."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from events.arm_marks import of_metric, of_start, refuse_arm_marks
from events.asking import questions
from events.counting import queries
from events.metrics import Survival, outcome_window, parse_retention
from runs.refusals import Refused
from segments.models import SegmentVersion
from segments.published.segment_marks import of_segments

USUAL = "window:21-27"  # where a version names none: what the forms of this site begin with


def measure_retention(version: SegmentVersion, segment_of: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """How many units of each segment stayed, among those whose days are over.

    Args:
        version: whose inputs name the retention and the event that starts a unit's clock.
        segment_of: the segment's pk of each unit that has one.

    Returns:
        By the segment's pk, as `Segment.stayed` keeps it: ``count`` of ``n``, and the ``retention``. Empty where the
        log can't be asked, and where it would tell the arms of a locked experiment apart.
    """
    text = version.inputs.get("retention") or USUAL
    definition = parse_retention(text)
    found: dict[int, dict[str, Any]] = {pk: {"count": 0, "n": 0, "retention": text} for pk in set(segment_of.values())}
    try:
        mode = version.inputs.get("day_mode", "rolling")
        with questions(day_mode=mode, memory=settings.SEGMENTS_MEMORY) as asked:
            start = version.inputs.get("signup_event", "signup")
            asks = (*of_start(start), *of_metric(definition, start), *of_segments(version, version.segments.all()))
            refuse_arm_marks({"": asks}, store=asked)
            users = queries.cohort(asked.log, start, asked.basis)
            if not isinstance(definition, Survival):
                users = users.filter(queries.mature(users, outcome_window(definition)))
            question = queries.retention(asked.log, users, asked.basis, definition).select("user_id", "retained")
            for rows in asked.warehouse.batches(asked.warehouse.named(question)):
                _count(found, segment_of, rows)
    except Refused:
        return {}
    return found


def _count(found: dict[int, dict[str, Any]], segment_of: Mapping[str, int], rows: Any) -> None:
    """Add the units of some rows."""
    import numpy as np

    units, retained = rows["user_id"].to_pylist(), rows["retained"].to_numpy(zero_copy_only=False)
    pks = np.fromiter((segment_of.get(unit, -1) for unit in units), dtype=np.int64, count=len(units))
    for pk, row in found.items():
        mine = retained[(pks == pk) & ~np.isnan(retained)]
        row["n"] += len(mine)
        row["count"] += int((mine > 0).sum())
