"""Which behaviours tell the tiers apart. Pure."""

from reporting.charts import BLUE, Drawn, alt, categories, data
from reporting.numbers import between, decimal, number
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.report.drivers import MOST_BEHAVIOURS
from segments.report.features import feature_names
from segments.search.result import Drivers, Report
from stats.results import computable


def part(report: Report) -> Part | None:
    """Which behaviours tell the tiers apart? None without tiers or drivers."""
    found = report.tiers.drivers
    if not computable(report.tiers.cuts) or not computable(found):
        return None
    heading, known = gettext("Which behaviours tell the tiers apart?"), computable(found.ranking)
    return Part("ranking", heading, finding(found), table(found), draw=(lambda: chart(found)) if known else None)


def finding(drivers: Drivers) -> str:
    """What a model of the tiers leans on."""
    if not computable(drivers.ranking):
        return reason_words(drivers.ranking)
    first = drivers.ranking[0]
    text = gettext("A model that tells the tiers apart leans most on %(what)s (rank interval %(low)s to %(high)s)")
    return text % {"what": feature_names(first.members), "low": first.rank_low, "high": first.rank_high}


def table(found: Drivers) -> Table | None:
    """Behaviours by grouped SHAP."""
    if not computable(found.ranking):
        return None
    rows = tuple(
        (
            str(row.rank),
            between(str(row.rank_low), str(row.rank_high)),
            feature_names(row.members),
            decimal(row.importance, 3),
        )
        for row in found.ranking
    )
    columns = (
        gettext("rank"),
        gettext("rank (95% CI)"),
        gettext("behaviours that can't be told apart"),
        gettext("mean |SHAP|, log-odds"),
    )
    note = gettext(
        "The model tells the tiers apart with an area under the curve of %(auc)s on users it never saw (0.5 is "
        "chance). Ranks whose intervals overlap are tied. It predicts; it does not say what makes people active."
    ) % {"auc": number(found.auc, 2)}
    return Table(gettext("Which behaviours predict the tier"), columns, rows, note)


def chart(found: Drivers) -> Drawn:
    """Importance of the behaviours, with the ranges of their ranks."""
    groups = found.ranking[:MOST_BEHAVIOURS] if computable(found.ranking) else ()
    rows = [
        {
            "label": feature_names(group.members),
            "importance": group.importance,
            "rank": group.rank,
            "low": group.rank_low,
            "high": group.rank_high,
        }
        for group in groups
    ]
    labels = [str(row["label"]) for row in rows]
    height = 24 * max(len(rows), 1)
    bars = (
        alt.Chart(data(rows))
        .mark_bar(height=14, color="#7FB8D8")
        .encode(
            y=categories(labels),
            x=alt.X("importance:Q", title=gettext("mean |SHAP|, log-odds"), axis=alt.Axis(tickCount=4)),
        )
        .properties(width=260, height=height)
    )
    base = alt.Chart(data(rows)).encode(y=categories(labels, shown=False))
    axis = alt.Axis(tickMinStep=1, format="d")
    interval = base.mark_rule(color=BLUE, strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=gettext("rank with its 95% CI"), axis=axis, scale=alt.Scale(zero=False)), x2="high:Q"
    )
    point = base.mark_point(filled=True, size=80, opacity=1, color=BLUE).encode(x="rank:Q")
    ranks = alt.layer(interval, point).properties(width=260, height=height)
    return alt.hconcat(bars, ranks, spacing=24), 3 * len(rows)
