"""The weekly share of new users who reach a moment: its sentence, chart and table. Pure."""

from aha.moments.reached import WeeklyReach
from aha.report.axes import WIDTH, share_mark, week_axis
from reporting.charts import BLUE, GREY, YELLOW, Drawing, alt, data, share_axis, titled
from reporting.numbers import count, percent, share
from reporting.table import Row, Table
from reporting.words import gettext
from stats.results import computable


def finding(found: WeeklyReach) -> str:
    """The last complete week against the one before."""
    done = [row for row in found.weeks if row.complete and computable(row.share)]
    shares = [row.share.estimate for row in done if computable(row.share)]
    if not shares:
        return gettext("No week is complete yet.")
    if len(shares) == 1:
        text = gettext("In the last complete week {now} of the new users reached it.")
        return text.format(now=percent(shares[-1]))
    text = gettext("In the last complete week {now} of the new users reached it, in the week before {before}.")
    return text.format(now=percent(shares[-1]), before=percent(shares[-2]))


def table(found: WeeklyReach) -> Table:
    """The weeks, newest first."""
    rows: tuple[Row, ...] = tuple(
        (
            str(row.week),
            count(row.signups),
            count(row.eligible),
            count(row.reached),
            share(row.share),
            gettext("yes") if row.complete else gettext("not yet"),
        )
        for row in reversed(found.weeks)
    )
    columns = (
        gettext("week of signup (Monday)"),
        gettext("signed up"),
        gettext("days complete"),
        gettext("reached it"),
        gettext("share (95 % CI)"),
        gettext("week complete"),
    )
    note = gettext(
        "Only users whose days are complete can have reached it. Weeks that are not complete may still change."
    )
    return Table(gettext("Reach by signup week"), columns, rows, note)


def drawing(found: WeeklyReach) -> Drawing | None:
    """The weekly share of new users who reach a moment; None while no week has eligible users."""
    rows = [
        {"week": str(row.week), **share_mark(row.share), "complete": row.complete}
        for row in found.weeks
        if computable(row.share)
    ]
    if not rows:
        return None
    base = alt.Chart(data(rows)).encode(x=week_axis())
    y = alt.Y(
        "share:Q", title=gettext("share of new users who reach it"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    done, open_ = gettext("complete week"), gettext("week not complete yet")
    dots = base.transform_calculate(state=f"datum.complete ? '{done}' : '{open_}'").mark_point(
        filled=True, size=90, opacity=1
    )
    states = [done, open_] if not all(row["complete"] for row in rows) else [done]
    legend = alt.Legend(orient="bottom") if len(states) > 1 else None
    chart = alt.layer(
        base.mark_rule(color=GREY).encode(y="low:Q", y2="high:Q"),
        base.mark_line(color=BLUE).encode(y=y),
        dots.encode(
            y="share:Q",
            color=alt.Color("state:N", title=None, legend=legend, scale=alt.Scale(domain=states, range=[BLUE, YELLOW])),
            shape=alt.Shape(
                "state:N", title=None, legend=legend, scale=alt.Scale(domain=states, range=["circle", "triangle-up"])
            ),
        ),
    ).properties(width=WIDTH, height=220)
    return titled("reach", finding(found), (chart, 3 * len(rows)))
