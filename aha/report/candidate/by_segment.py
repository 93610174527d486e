"""A candidate inside each segment. Pure."""

from aha.report.axes import ROW, share_mark
from aha.study.result import Candidate
from reporting.charts import BLUE, YELLOW, Drawn, alt, categories, data, share_axis
from reporting.numbers import count, difference, share
from reporting.table import Part, Table
from reporting.words import gettext
from stats.results import computable


def part(candidate: Candidate, prefix: str) -> Part | None:
    """Does it hold in every segment? None for a study without segments."""
    if not candidate.by_segment:
        return None
    heading = gettext("Does it hold in every segment?")
    return Part(f"{prefix}segments", heading, finding(candidate), table(candidate), draw=lambda: chart(candidate))


def finding(candidate: Candidate) -> str:
    """In how many segments doers stay more."""
    more = [row for row in candidate.by_segment if computable(row.cell.difference) and row.cell.difference.low > 0]
    text = gettext("In {k} of {n} segments doers clearly stay more.")
    return text.format(k=len(more), n=len(candidate.by_segment))


def table(candidate: Candidate) -> Table:
    """The same cell inside each segment."""
    rows = tuple(
        (
            row.segment,
            count(row.cell.a + row.cell.b + row.cell.c + row.cell.o),
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


def chart(candidate: Candidate) -> Drawn:
    """Retention of both sides inside each segment."""
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
