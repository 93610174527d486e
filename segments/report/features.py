"""Features as people read them, and the behaviours that are none. Pure."""

from collections.abc import Sequence

from events.metrics import display_name
from reporting.table import Table
from reporting.words import gettext
from segments.search.features import Drop, Dropped
from segments.search.result import Report


def feature_name(name: str) -> str:
    """A column of the distance as people read it; behaviours keep their own name."""
    known = {
        "active_days": gettext("active days"),
        "sessions_per_day": gettext("sessions per active day"),
        "tenure": gettext("days since the first activity"),
        "recency": gettext("days since the last activity"),
    }
    return known.get(name) or display_name(name)


def feature_names(names: Sequence[str]) -> str:
    """Columns that can't be told apart, as one text."""
    return ", ".join(feature_name(name) for name in names)


def dropped(report: Report) -> Table | None:
    """Behaviours that were left out."""
    if not report.dropped:
        return None
    rows = tuple((feature_name(row.name), drop_words(row)) for row in report.dropped)
    return Table(gettext("Behaviours left out"), (gettext("behaviour"), gettext("why")), rows)


def drop_words(row: Dropped) -> str:
    """Why a behaviour is no feature."""
    return {
        Drop.CONSTANT: gettext("everybody did it equally often, so it tells nobody apart"),
        Drop.NEAR_DUPLICATE: gettext("says the same as %(other)s (rank correlation 0.95 or more)")
        % {"other": feature_name(row.of or "")},
        Drop.OUTCOME: gettext("is part of the retention that the groups are compared by"),
    }[row.reason]
