"""Retention of each signup week. Pure."""

from aha.report.axes import WIDTH, share_mark, week_axis
from aha.study.result import Report
from reporting.charts import BLUE, LIGHT, Drawn, alt, data, share_axis
from reporting.numbers import count, percent, share
from reporting.table import Part, Table
from reporting.words import gettext


def part(report: Report) -> Part:
    """Does retention change from week to week?"""
    return Part(
        "weeks",
        gettext("Does retention change from week to week?"),
        finding(report),
        table(report),
        draw=(lambda: chart(report)) if report.weeks else None,
    )


def finding(report: Report) -> str:
    """How far retention moves between signup weeks."""
    shares = [row.share.estimate for row in report.weeks]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users stay.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def table(report: Report) -> Table:
    """Retention by signup week."""
    rows = tuple((row.week, count(row.units), count(row.retained), share(row.share)) for row in report.weeks)
    columns = (gettext("week of signup (Monday)"), gettext("users"), gettext("retained"), gettext("share"))
    return Table(gettext("Retention by signup week"), columns, rows)


def chart(report: Report) -> Drawn:
    """Retention by signup week."""
    rows = [{"week": row.week, **share_mark(row.share)} for row in report.weeks]
    base = alt.Chart(data(rows)).encode(x=week_axis())
    y = alt.Y("share:Q", title=gettext("retained, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_line(color=LIGHT).encode(y=y),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(y="share:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=200), 3 * len(rows)
