"""Whether the groups are more separate than those of populations without any. Pure."""

from reporting.charts import ORANGE, Drawn, alt, data
from reporting.numbers import decimal, p_text, p_value, percent
from reporting.table import Part, Table
from reporting.words import gettext
from segments.report.axes import WIDTH
from segments.search.clustering import NULL_LEVEL
from segments.search.result import Report


def part(report: Report) -> Part:
    """Are there groups at all?"""
    heading = gettext("Are there groups at all?")
    return Part("null", heading, finding(report), table(report), draw=lambda: chart(report))


def finding(report: Report) -> str:
    """The silhouette against the null."""
    text = (
        gettext("More separate than groups made in %(draws)s populations without any (%(p)s)")
        if report.null.p_value <= NULL_LEVEL
        else gettext("No more separate than groups made in %(draws)s populations without any (%(p)s)")
    )
    return text % {"draws": len(report.null.values), "p": p_text(report.null.p_value)}


def table(report: Report) -> Table:
    """The observed silhouette and those of populations without groups."""
    draws = sorted(report.null.values)
    rows = (
        (gettext("silhouette of these users"), decimal(report.null.observed, 3)),
        (gettext("populations without groups"), f"{len(draws):,}"),
        (gettext("their silhouettes: smallest"), decimal(draws[0], 3)),
        (gettext("their silhouettes: middle"), decimal(draws[len(draws) // 2], 3)),
        (gettext("their silhouettes: largest"), decimal(draws[-1], 3)),
        (gettext("share of them below"), percent(report.null.percentile)),
        (gettext("p"), p_value(report.null.p_value)),
    )
    note = gettext(
        "Each population has the same margins and rank correlations as these users, but no groups, and goes through "
        "the same steps."
    )
    return Table(gettext("Against populations without groups"), (gettext("quantity"), gettext("value")), rows, note)


def chart(report: Report) -> Drawn:
    """The silhouettes of populations without groups, and that of these users."""
    draws, observed = report.null.values, report.null.observed
    title = gettext("silhouette (larger: more separate)")
    bars = (
        alt.Chart(data([{"value": value} for value in draws]))
        .transform_bin("from", "value", bin=alt.Bin(maxbins=16))
        .transform_aggregate(n="count()", groupby=["from", "from_end"])
        .mark_bar(color="#9CA3AF")
        .encode(
            x=alt.X("from:Q", title=title, scale=alt.Scale(zero=False)),
            x2="from_end:Q",
            y=alt.Y("n:Q", title=gettext("populations without groups"), axis=alt.Axis(tickMinStep=1, format="d")),
            y2=alt.datum(0),
        )
    )
    text = gettext("these users: %(value)s") % {"value": decimal(observed, 3)}
    right = observed > max(draws)
    mark = alt.Chart(data([{"at": observed, "text": text}])).encode(x="at:Q")
    label = mark.mark_text(
        align="right" if right else "left", dx=-8 if right else 8, fontSize=13, fontWeight="bold", color=ORANGE
    ).encode(y=alt.value(8), text="text:N")
    layers = alt.layer(bars, mark.mark_rule(color=ORANGE, strokeWidth=3), label)
    return layers.properties(width=WIDTH + 60, height=200), len(draws)
