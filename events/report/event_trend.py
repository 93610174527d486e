"""How often an event occurs, day by day or week by week: chart and table. Pure."""

from collections.abc import Sequence
from datetime import date

from reporting.charts import BLUE, Drawing, alt, data, titled
from reporting.numbers import count
from reporting.table import Row, Table
from reporting.words import gettext

WIDTH = 700
SHOWN = 120  # days or weeks; what lies before is in the table
LISTED = 400


def drawing(label: str, rows: Sequence[tuple[date, int]], *, weekly: bool) -> Drawing | None:
    """Occurrences as bars; None without any."""
    shown = rows[-SHOWN:]
    if not shown:
        return None
    marks = [{"day": day.isoformat(), "events": events} for day, events in shown]
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", labelExpr="slice(datum.label, 5)", ticks=False)
    x_title = gettext("week (Monday, UTC)") if weekly else gettext("day (UTC)")
    chart = (
        alt.Chart(data(marks))
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("day:O", title=x_title, axis=axis),
            y=alt.Y("events:Q", title=gettext("occurrences"), axis=alt.Axis(tickCount=4, format="~s")),
        )
        .properties(width=WIDTH, height=200)
    )
    return titled("event-trend", heading(label, weekly=weekly), (chart, len(marks)))


def heading(label: str, *, weekly: bool) -> str:
    """What the chart shows."""
    text = gettext("{event}: occurrences a week") if weekly else gettext("{event}: occurrences a day")
    return text.format(event=label)


def table(label: str, rows: Sequence[tuple[date, int, int | None]], *, weekly: bool) -> Table:
    """The same rows, the newest first; users of a day, where they are known."""
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
