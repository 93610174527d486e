"""The day of the result: planned end of enrolment + outcome window + allowed lateness. Pure.

Every page, text and API uses it. The planned end is only the end of enrolment.

Source: docs/methods/power.md, "Duration".
"""

from collections.abc import Sequence
from datetime import date, timedelta

from events.metrics import days_needed, parse_metric
from runs.refusals import Refused

# Days that events may arrive late: 0, since an analysis reads the log up to its newest event (`windows.data_end`).
ALLOWED_LATENESS = 0
FARTHEST_DAYS = 36_500  # dates more than a hundred years away aren't shown


def follow_up_days(outcomes: Sequence[str]) -> int:
    """Days after exposure until every primary outcome of a user is known: the longest window.

    Raises:
        Refused: an outcome can't be parsed.
        ValueError: no outcome.
    """
    return max(days_needed(parse_metric(text)) for text in outcomes) + ALLOWED_LATENESS


def result_on(enrolment_ends: date, outcomes: Sequence[str]) -> date | None:
    """The day from which every outcome is known; None without outcomes, or where one can't be parsed.

    Args:
        enrolment_ends: the last day of enrolment.
        outcomes: primary outcomes, as their text.
    """
    try:
        return enrolment_ends + timedelta(days=follow_up_days(outcomes)) if outcomes else None
    except (Refused, OverflowError):
        return None
