"""The day of the result: planned end of enrolment, outcome window and allowed lateness together. Pure.

Every page, text and door counts by it. The planned end is the end of enrolment, and nothing else.

Source: docs/methods/power.md, "Duration".
"""

from collections.abc import Sequence
from datetime import date, timedelta

from events.metrics import days_needed, parse_metric
from runs.refusals import Refused

# Days that events may arrive late. An analysis reads the log up to its newest event (`events.windows.data_end`): none.
ALLOWED_LATENESS = 0
FARTHEST_DAYS = 36_500  # a date beyond a hundred years says nothing


def follow_up_days(outcomes: Sequence[str]) -> int:
    """Days after its exposure until every primary outcome of a user is known; the longest window counts.

    Raises:
        Refused: an outcome that can't be read.
        ValueError: no outcome.
    """
    return max(days_needed(parse_metric(text)) for text in outcomes) + ALLOWED_LATENESS


def result_on(enrolment_ends: date, outcomes: Sequence[str]) -> date | None:
    """The day from which every outcome is known; None without outcomes, or where one can't be read.

    Args:
        enrolment_ends: the last day on which users come in.
        outcomes: primary outcomes, as their text.
    """
    try:
        return enrolment_ends + timedelta(days=follow_up_days(outcomes)) if outcomes else None
    except (Refused, OverflowError):
        return None
