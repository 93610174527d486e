"""Whether each group is found again in resamples. Pure."""

from reporting.charts import BLUE, INK, YELLOW, Drawn, alt, categories, data, rule
from reporting.numbers import decimal
from reporting.table import Part, Table
from reporting.words import gettext
from segments.report.axes import ROW_HEIGHT, WIDTH
from segments.report.groups import cluster_words, shape_of, standing_words
from segments.search.clustering import PATTERN_JACCARD, STABLE_JACCARD, Standing
from segments.search.result import Report


def part(report: Report) -> Part:
    """Is each group found again?"""
    heading = gettext("Is each group found again?")
    return Part("stability", heading, finding(report), table(report), draw=lambda: chart(report))


def finding(report: Report) -> str:
    """How many groups hold."""
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("Resampling finds all %(k)s groups again") % {"k": report.k}
    return gettext("Resampling finds %(stable)s of %(k)s groups again") % {"stable": stable, "k": report.k}


def table(report: Report) -> Table:
    """How well each group is found again."""
    rows = tuple(
        (
            cluster_words(cluster),
            f"{cluster.profile.size:,}",
            decimal(cluster.stability),
            standing_words(cluster.standing, shape_of(report)),
        )
        for cluster in report.clusters
    )
    columns = (gettext("group"), gettext("users"), gettext("mean best Jaccard"), gettext("what it allows"))
    note = gettext(
        "1: every resample finds the same users together. From %(stable)s on stable, from %(pattern)s on a pattern, "
        "below that the group dissolves."
    ) % {"stable": decimal(STABLE_JACCARD), "pattern": decimal(PATTERN_JACCARD)}
    return Table(gettext("Stability of each group"), columns, rows, note)


def chart(report: Report) -> Drawn:
    """How well each group is found again."""
    rows = [
        {
            "label": cluster_words(cluster),
            "value": cluster.stability,
            "standing": str(cluster.standing),
            "text": f"{decimal(cluster.stability)}  {standing_words(cluster.standing, shape_of(report))}",
        }
        for cluster in report.clusters
    ]
    base = alt.Chart(data(rows)).encode(y=categories([str(row["label"]) for row in rows]))
    colours = {Standing.STABLE.value: BLUE, Standing.PATTERN.value: YELLOW, Standing.DISSOLVES.value: "#9CA3AF"}
    bars = base.mark_bar(height=16).encode(
        x=alt.X("value:Q", title=gettext("mean best Jaccard over resamples"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("standing:N", legend=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
    )
    text = base.mark_text(align="left", fontSize=12, color=INK).encode(x=alt.value(WIDTH - 90), text="text:N")
    limits = [rule(PATTERN_JACCARD), rule(STABLE_JACCARD)]
    chart = alt.layer(bars, *limits, text).properties(width=WIDTH - 100, height=ROW_HEIGHT * len(rows))
    return chart, 2 * len(rows) + 2
