"""How often an event occurs, day by day or week by week: chart and table. Pure."""

from collections.abc import Sequence
from datetime import date

from reporting.charts import BLUE
from reporting.numbers import count
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import gettext

SHOWN = 120  # days or weeks in the chart; earlier ones are only in the table
LISTED = 400


def sheet(label: str, rows: Sequence[tuple[date, int]], *, weekly: bool) -> Sheet | None:
    """Occurrences as bars with tooltips; None without any."""
    shown = rows[-SHOWN:]
    if not shown:
        return None
    top = max(events for _day, events in shown) * 1.06 or 1.0
    made = Sheet("event-trend", heading(label, weekly=weekly), (-0.6, len(shown) - 0.4), (0.0, top), height=240.0)
    made.x_axis(
        gettext("week (Monday, UTC)") if weekly else gettext("day (UTC)"),
        [(place, f"{day:%m-%d}") for place, (day, _events) in enumerate(shown)],
    )
    made.count_axis(gettext("occurrences"))
    for place, (day, events) in enumerate(shown):
        made.bar((place - 0.4, place + 0.4), (0.0, events), BLUE, f"{day}: {count(events)}")
    return made


def heading(label: str, *, weekly: bool) -> str:
    """The chart's heading."""
    text = gettext("{event}: occurrences a week") if weekly else gettext("{event}: occurrences a day")
    return text.format(event=label)


def table(label: str, rows: Sequence[tuple[date, int, int | None]], *, weekly: bool) -> Table:
    """The same rows as a table, newest first; users for days only."""
    head = (gettext("week (Monday, UTC)") if weekly else gettext("day (UTC)"), gettext("occurrences"))
    columns = head if weekly else (*head, gettext("users"))
    cells: tuple[Row, ...] = tuple(
        (str(day), count(events)) if users is None else (str(day), count(events), count(users))
        for day, events, users in reversed(rows[-LISTED:])
    )
    note = ""
    if len(rows) > LISTED:
        note = gettext("The newest {shown} of {all} rows.").format(shown=LISTED, all=count(len(rows)))
    return Table(heading(label, weekly=weekly), columns, cells, note)
