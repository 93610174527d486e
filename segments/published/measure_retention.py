"""How many users of each segment stay, measured anew at each refresh, for lists and comparisons."""

from collections.abc import Mapping
from typing import Any

from events.asking import questions
from events.counting import queries
from events.metrics import Survival, outcome_window, parse_retention
from runs.refusals import Refused
from segments.models import SegmentVersion

USUAL = "window:21-27"  # where a version names none: what the forms of this site begin with


def measure_retention(version: SegmentVersion, segment_of: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """How many units of each segment stayed, among those whose days are over.

    Args:
        version: whose inputs name the retention and the event that starts a unit's clock.
        segment_of: the segment's pk of each unit that has one.

    Returns:
        By the segment's pk, as `Segment.stayed` keeps it: ``count`` of ``n``, and the ``retention``. Empty where the
        log can't be asked.
    """
    text = version.inputs.get("retention") or USUAL
    definition = parse_retention(text)
    try:
        with questions(day_mode=version.inputs.get("day_mode", "rolling")) as asked:
            users = queries.cohort(asked.log, version.inputs.get("signup_event", "signup"), asked.basis)
            if not isinstance(definition, Survival):
                users = users.filter(queries.mature(users, outcome_window(definition)))
            frame = asked.units(queries.retention(asked.log, users, asked.basis, definition))
    except Refused:
        return {}
    found: dict[int, dict[str, Any]] = {pk: {"count": 0, "n": 0, "retention": text} for pk in set(segment_of.values())}
    for unit, retained in zip(frame.user_id.tolist(), frame.retained.tolist(), strict=True):
        pk = segment_of.get(str(unit))
        if pk is not None and retained == retained and retained is not None:
            found[pk]["n"] += 1
            found[pk]["count"] += bool(retained)
    return found
