"""Reach and retention of a candidate by signup week. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH, share_mark, week_axis
from aha.study.cell_metrics import Interval
from aha.study.drawn_results import WeekCell
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate
from reporting.charts import BLUE, GREY, YELLOW, Drawn, alt, data, share_axis
from reporting.numbers import count, percent, share
from reporting.table import Part, Table
from reporting.words import gettext


@dataclass(frozen=True)
class WeekRow:
    """One signup week of a candidate: share that reached it, and retention of both sides, with intervals."""

    week: str
    units: int
    reach: Interval
    doers: Interval | None
    others: Interval | None


def part(candidate: Candidate, prefix: str) -> Part:
    """Does it hold week by week?"""
    return Part(
        f"{prefix}weeks",
        gettext("Does it hold week by week?"),
        finding(candidate),
        table(candidate),
        draw=(lambda: chart(candidate)) if candidate.by_week else None,
    )


def finding(candidate: Candidate) -> str:
    """Between which shares reach moves."""
    shares = [row.reach.estimate for row in week_rows(candidate.by_week)]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users reach it.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def table(candidate: Candidate) -> Table:
    """Reach and retention of both sides by signup week."""
    rows = tuple(
        (
            row.week,
            count(row.units),
            share(row.reach),
            *("" if side is None else share(side) for side in (row.doers, row.others)),
        )
        for row in week_rows(candidate.by_week)
    )
    columns = (
        gettext("week of signup (Monday)"),
        gettext("users"),
        gettext("reach"),
        gettext("retained if did it"),
        gettext("retained if not"),
    )
    return Table(gettext("By signup week"), columns, rows)


def chart(candidate: Candidate) -> Drawn:
    """Reach and retention of both sides by signup week."""
    found = week_rows(candidate.by_week)
    names = [gettext("doers who stay"), gettext("others who stay"), gettext("reach")]
    rows = [
        {"week": row.week, "what": what, **share_mark(value)}
        for row in found
        for what, value in zip(names, (row.doers, row.others, row.reach), strict=True)
        if value is not None
    ]
    legend = alt.Legend(orient="right", title=None)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[BLUE, YELLOW, GREY]), legend=legend)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up"]), legend=legend)
    base = alt.Chart(data(rows)).encode(x=week_axis(), color=colour)
    y = alt.Y("share:Q", title=gettext("share of users, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_line(strokeWidth=1.5).encode(y=y),
        base.mark_rule().encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y="share:Q", shape=shape),
    ]
    return alt.layer(*layers).properties(width=WIDTH - 60, height=220), 3 * len(rows)


def week_rows(weeks: Sequence[WeekCell]) -> tuple[WeekRow, ...]:
    """Shares of a candidate by signup week."""
    rows = []
    for week in weeks:
        others = week.units - week.reached
        stayed = week.retained - week.reached_retained
        rows.append(
            WeekRow(
                week.week,
                week.units,
                wilson_interval(week.reached, week.units),
                wilson_interval(week.reached_retained, week.reached) if week.reached else None,
                wilson_interval(stayed, others) if others else None,
            )
        )
    return tuple(rows)
