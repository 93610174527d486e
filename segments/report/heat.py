"""How each group plays: every feature in every group. Pure."""

from reporting.charts import BLUE, ON_MARK, ORANGE, Drawn, alt, categories, data, lines
from reporting.numbers import decimal
from reporting.table import Part, Table
from reporting.words import gettext
from segments.report.features import feature_name
from segments.search.result import Report

MOST_FEATURES = 40


def part(report: Report) -> Part:
    """How each group plays"""
    heading = gettext("How each group plays")
    return Part("heat", heading, finding(report), table(report), draw=lambda: chart(report))


def finding(report: Report) -> str:
    """The most unusual cell."""
    cells = [
        (value, name, cluster.key)
        for cluster in report.clusters
        for name, value in zip(report.features, cluster.heat, strict=True)
    ]
    value, name, key = max(cells, key=lambda cell: abs(cell[0]))
    text = (
        gettext("What stands out most: %(group)s does more %(what)s, %(size)s standard deviations above the average")
        if value >= 0
        else gettext(
            "What stands out most: %(group)s does less %(what)s, %(size)s standard deviations below the average"
        )
    )
    return text % {"group": key, "what": feature_name(name), "size": decimal(abs(value))}


def table(report: Report) -> Table:
    """Mean scaled value of each feature in each group."""
    rows = tuple(
        (feature_name(name), *(decimal(cluster.heat[place]) for cluster in report.clusters))
        for place, name in enumerate(report.features)
    )
    columns = (gettext("feature"), *(cluster.key for cluster in report.clusters))
    note = gettext(
        "In standard deviations from the average user; 0 is the average. Play is compared as a mix, not in total."
    )
    return Table(gettext("Mean of each feature in each group"), columns, rows, note)


def chart(report: Report) -> Drawn:
    """The most unusual features, as shades."""
    strongest = [max(abs(cluster.heat[place]) for cluster in report.clusters) for place in range(len(report.features))]
    chosen = sorted(sorted(range(len(strongest)), key=lambda place: -strongest[place])[:MOST_FEATURES])
    most = max(strongest[place] for place in chosen) or 1.0
    rows = [
        {
            "label": feature_name(report.features[place]),
            "group": cluster.key,
            "value": cluster.heat[place],
            "text": decimal(cluster.heat[place], 1),
            "strong": abs(cluster.heat[place]) > 0.6 * most,
        }
        for place in chosen
        for cluster in report.clusters
    ]
    keys = [cluster.key for cluster in report.clusters]
    base = alt.Chart(data(rows)).encode(
        x=alt.X("group:N", sort=keys, title=None, axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False)),
        y=categories([feature_name(report.features[place]) for place in chosen]),
    )
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(domain=[-most, 0, most], range=[ORANGE, "#FFFFFF", BLUE], interpolate="rgb"),
        legend=alt.Legend(title=lines(gettext("standard deviations from the average user"), 24), gradientLength=120),
    )
    cells = base.mark_rect(stroke="#FFFFFF", strokeWidth=2).encode(color=colour)
    text = base.mark_text(fontSize=12).encode(
        text="text:N", color=alt.condition("datum.strong", alt.value("#FFFFFF"), alt.value(ON_MARK))
    )
    chart = alt.layer(cells, text).properties(width=max(72 * len(keys), 220), height=26 * len(chosen))
    return chart, 2 * len(rows)
