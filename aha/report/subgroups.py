"""A candidate by segment and by signup week. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import ROW, WIDTH, few_note, is_small, share_mark, week_readings
from aha.study.numbers import Interval
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate, WeekCell
from reporting.charts import BLUE, GREY, YELLOW, Drawn, alt, categories, data, share_axis, week_axis
from reporting.numbers import count, day_text, difference, percent, share
from reporting.table import Part, Table
from reporting.words import gettext
from stats.results import computable

# A candidate inside each segment. Pure.


def by_segment_part(candidate: Candidate, prefix: str) -> Part | None:
    """Section of the claim by segment; None for a study without segments."""
    if not candidate.by_segment:
        return None
    heading = gettext("Does it hold in every segment?")
    return Part(
        f"{prefix}segments",
        heading,
        by_segment_finding(candidate),
        by_segment_table(candidate),
        draw=lambda: by_segment_chart(candidate),
    )


def by_segment_finding(candidate: Candidate) -> str:
    """In how many segments users who did it are retained more than the others."""
    more = [row for row in candidate.by_segment if computable(row.cell.difference) and row.cell.difference.low > 0]
    text = gettext("In {k} of {n} segments doers clearly stay more.")
    return text.format(k=len(more), n=len(candidate.by_segment))


def by_segment_table(candidate: Candidate) -> Table:
    """The same cell inside each segment."""
    rows = tuple(
        (
            row.segment,
            count(row.cell.n),
            share(row.cell.reach),
            share(row.cell.ppv),
            share(row.cell.retained_without),
            difference(row.cell.difference),
        )
        for row in candidate.by_segment
    )
    columns = (
        gettext("segment"),
        gettext("users"),
        gettext("reach"),
        gettext("retained if did it"),
        gettext("retained if not"),
        gettext("difference, points"),
    )
    return Table(gettext("By segment"), columns, rows)


def by_segment_chart(candidate: Candidate) -> Drawn:
    """Retention inside each segment of users who did it and of the others."""
    names = [gettext("doers who stay"), gettext("others who stay")]
    rows = [
        {"label": row.segment, "what": what, **share_mark(value)}
        for row in candidate.by_segment
        for what, value in zip(names, (row.cell.ppv, row.cell.retained_without), strict=True)
        if computable(value)
    ]
    legend = alt.Legend(orient="right", title=None)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[BLUE, YELLOW]), legend=legend)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=legend)
    base = alt.Chart(data(rows)).encode(y=categories([row.segment for row in candidate.by_segment]), color=colour)
    x = alt.X("low:Q", title=gettext("stayed, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(x="share:Q", shape=shape),
    ]
    return alt.layer(*layers).properties(width=420, height=ROW * len(candidate.by_segment)), 2 * len(rows)


# Reach and retention of a candidate by signup week. Pure.


@dataclass(frozen=True)
class WeekRow:
    """One signup week of a candidate: share that reached it, and retention of both sides, with intervals."""

    week: str
    units: int
    reached: int
    reach: Interval
    doers: Interval | None
    others: Interval | None


def by_week_part(candidate: Candidate, prefix: str) -> Part:
    """Section of the claim by signup week."""
    return Part(
        f"{prefix}weeks",
        gettext("Does it hold week by week?"),
        by_week_finding(candidate),
        by_week_table(candidate),
        note=few_note([row.units for row in candidate.by_week]),
        draw=(lambda: by_week_chart(candidate)) if candidate.by_week else None,
    )


def by_week_finding(candidate: Candidate) -> str:
    """Smallest and largest weekly reach; weeks of few users only where there are no others."""
    weeks = week_rows(candidate.by_week)
    shares = [row.reach.estimate for row in [row for row in weeks if not is_small(row.units)] or weeks]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("Share of users who did it, by signup week: {low} to {high}.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def by_week_table(candidate: Candidate) -> Table:
    """Reach by signup week, and retention of users who did it and of the others."""
    rows = tuple(
        (
            day_text(row.week),
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


def by_week_chart(candidate: Candidate) -> Drawn:
    """Reach by signup week, and retention of users who did it and of the others."""
    weeks = week_rows(candidate.by_week)
    names = [gettext("doers who stay"), gettext("others who stay"), gettext("reach")]
    rows = [
        {"week": row.week, "name": name, "units": units, "few": is_small(units), **share_mark(value)}
        for row in weeks
        for name, units, value in zip(
            names, (row.reached, row.units - row.reached, row.units), (row.doers, row.others, row.reach), strict=True
        )
        if value is not None
    ]
    legend = alt.Legend(orient="right", title=None)
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=[BLUE, YELLOW, GREY]), legend=legend)
    shape = alt.Shape("name:N", scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up"]), legend=legend)
    width = WIDTH - 60
    x = week_axis((row.week for row in weeks), gettext("week of signup (Monday)"), width=width)
    base = alt.Chart(data(rows)).encode(x=x, color=colour, description="name:N")
    enough, few = base.transform_filter("!datum.few"), base.transform_filter("datum.few")
    y = alt.Y("share:Q", title=gettext("share of users, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        enough.mark_line(strokeWidth=1.5).encode(y=y),
        enough.mark_rule().encode(y="low:Q", y2="high:Q"),
        enough.mark_point(filled=True, size=60, opacity=1).encode(y="share:Q", shape=shape),
        few.mark_point(filled=False, size=40, opacity=0.7).encode(y="share:Q", shape=shape),
        week_readings(x, rows),
    ]
    return alt.layer(*layers).properties(width=width, height=220), 4 * len(rows)


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
                week.reached,
                wilson_interval(week.reached, week.units),
                wilson_interval(week.reached_retained, week.reached) if week.reached else None,
                wilson_interval(stayed, others) if others else None,
            )
        )
    return tuple(rows)
