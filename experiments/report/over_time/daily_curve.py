"""D-n retention of every arm: share active by day. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial

from experiments.analyse.result import Readout
from experiments.report.chart_pieces import WIDTH
from experiments.report.over_time.curves import HEIGHT, colour_of, dash_of, eligible, titled_above
from reporting.charts import Drawn, alt, data, share_axis
from reporting.numbers import GLUE, count, level_text, limits, percent
from reporting.table import Part, Table
from reporting.words import gettext
from stats.survival.day_curve import DayShare


def part_of(readout: Readout) -> Part | None:
    """The part; None without a day after day 0 that all arms have."""
    # On day 0 nearly everybody is active; including it would flatten the rest of the curve.
    shown = {arm.variant: [row for row in arm.days if row.day > 0] for arm in readout.arms_over_time}
    found = finding(shown)
    if not readout.over_time or not found:
        return None
    heading = gettext("Who is active on which day?")
    return Part("daily-curve", heading, found, table(readout), draw=partial(draw, shown))


def finding(curves: Mapping[str, Sequence[DayShare]]) -> str:
    """The shares active on the last day that all arms have; empty without such a day."""
    by_day = [{row.day: row for row in rows} for rows in curves.values()]
    common = set.intersection(*(set(rows) for rows in by_day)) if by_day else set()
    if not common:
        return ""
    last = max(common)
    shares = ", ".join(
        f"{name}{GLUE}{percent(rows[last].share.estimate)}" for name, rows in zip(curves, by_day, strict=True)
    )
    return gettext("Active on day {day}: {shares}.").format(day=last, shares=shares)


def table(readout: Readout) -> Table:
    """Share active by day and variant, with the units for which the day is complete."""
    rows = tuple(
        (arm.variant, str(row.day), limits(row.share.estimate, row.share.low, row.share.high), count(row.eligible))
        for arm in readout.arms_over_time
        for row in arm.days
    )
    columns = (gettext("variant"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of units active by day"), columns, rows)


def draw(shown: Mapping[str, Sequence[DayShare]]) -> Drawn:
    """Chart of D-n retention by variant with pointwise intervals, from day 1 on."""
    rows = [
        {"name": name, "day": row.day, "share": row.share.estimate, "low": row.share.low, "high": row.share.high}
        for name, days in shown.items()
        for row in days
    ]
    names = list(shown)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("day:Q", title=gettext("days since day 0 of the unit"), axis=alt.Axis(tickMinStep=1))
    )
    y = alt.Y("share:Q", title=gettext("active on that day"), axis=share_axis(), scale=alt.Scale(zero=True))
    chart = alt.layer(
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour_of(names)),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour_of(names), strokeDash=dash_of(names)),
    ).properties(width=WIDTH, height=HEIGHT)
    note = gettext("Bands: pointwise {level} intervals. Later days rest on fewer units; the table has each day's n.")
    level = next(row.share.level for days in shown.values() for row in days)
    subtitle = [eligible(shown), note.format(level=level_text(level))]
    return titled_above(finding(shown), subtitle, chart), 2 * len(rows)
