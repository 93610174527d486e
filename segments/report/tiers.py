"""Activity tiers, which need no groups. Pure."""

from reporting.charts import BAR, BLUE, GREY, Drawn, alt, categories, data, forest, lines
from reporting.numbers import between, decimal, number, p_value, percent, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.names import feature_name
from segments.report.groups import WIDTH, feature_names, retained_bars
from segments.search.result import Drivers, Report
from segments.search.tiers import Delta
from stats.results import computable


def part(report: Report) -> Part:
    """Activity tiers."""
    heading, tiers = gettext("Activity tiers"), report.tiers
    if not computable(tiers.cuts):
        return Part("tiers", heading, reason_words(tiers.cuts), None)
    known = any(computable(tier.retained) for tier in tiers.tiers)
    return Part("tiers", heading, finding(report), table(report), draw=(lambda: chart(report)) if known else None)


def finding(report: Report) -> str:
    """How retention grows with activity."""
    known = [tier.retained.estimate for tier in report.tiers.tiers if computable(tier.retained)]
    if len(known) < 2:
        return gettext("Three activity tiers by active days")
    return gettext("Retention is %(low)s among the least active and %(high)s among the most active") % {
        "low": percent(known[0]),
        "high": percent(known[-1]),
    }


def table(report: Report) -> Table:
    """The three activity tiers."""
    rows = tuple((tier_name(tier.name), f"{tier.units:,}", share(tier.retained)) for tier in report.tiers.tiers)
    cuts, note = report.tiers.cuts, ""
    if computable(cuts):
        note = gettext("Low: up to %(low)s active days; middle: up to %(mid)s; high: more.") % {
            "low": cuts.low,
            "mid": cuts.mid,
        }
    columns = (gettext("tier"), gettext("users"), gettext("retained (95% CI)"))
    return Table(gettext("Activity tiers"), columns, rows, note)


def chart(report: Report) -> Drawn:
    """Retention of each tier."""
    rows = [(tier_name(tier.name), tier.retained, tier.units) for tier in report.tiers.tiers]
    return retained_bars(rows, report.retention_rate)


def tier_name(name: str) -> str:
    """An activity tier."""
    return {"low": gettext("low activity"), "mid": gettext("middle activity"), "high": gettext("high activity")}.get(
        name, name
    )


# What the more active do differently on an active day. Pure.

MOST_BEHAVIOURS = 25


def drivers_part(report: Report) -> Part | None:
    """Section of what the more active do differently; None without tiers."""
    if not computable(report.tiers.cuts):
        return None
    heading, drivers = gettext("What do the more active do differently?"), report.tiers.drivers
    if not computable(drivers):
        return Part("drivers", heading, reason_words(drivers), None)
    return Part(
        "drivers", heading, drivers_finding(drivers), drivers_table(drivers), draw=lambda: drivers_chart(drivers)
    )


def drivers_finding(drivers: Drivers) -> str:
    """What the more active group does more often on an active day, beyond chance."""
    clear = [row for row in drivers.contrasts if isinstance(row.delta, Delta) and row.delta.adjusted_p_value <= 0.05]
    names = {"first": tier_name(drivers.first), "second": tier_name(drivers.second)}
    if not clear:
        return gettext("On an active day, %(second)s does nothing detectably more or less often than %(first)s") % names
    row = clear[0]
    size = row.delta.estimate if isinstance(row.delta, Delta) else 0.0
    text = (
        gettext("On an active day, %(second)s does more %(what)s than %(first)s (Cliff's delta %(delta)s)")
        if size > 0
        else gettext("On an active day, %(second)s does less %(what)s than %(first)s (Cliff's delta %(delta)s)")
    )
    return text % {**names, "what": feature_name(row.name), "delta": decimal(size)}


def drivers_table(drivers: Drivers) -> Table:
    """Behaviours of two tiers per active day."""
    rows = []
    for row in drivers.contrasts:
        delta = row.delta
        last = (number(delta, 2), p_value(delta.adjusted_p_value) if computable(delta) else "")
        rates = (number(row.first, 2), number(row.second, 2), number(row.difference, 2))
        rows.append((feature_name(row.name), *rates, *last))
    columns = (
        gettext("behaviour"),
        tier_name(drivers.first),
        tier_name(drivers.second),
        gettext("difference (95% CI)"),
        gettext("Cliff's delta (95% CI)"),
        gettext("adjusted p"),
    )
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the more active does it more often."
    ) % {"first": f"{drivers.first_units:,}", "second": f"{drivers.second_units:,}", "days": drivers.exposure_days}
    return Table(gettext("What the more active do more often on an active day"), columns, tuple(rows), note)


def drivers_chart(drivers: Drivers) -> Drawn:
    """Difference of the two tiers, behaviour by behaviour."""
    names = [gettext("beyond chance (adjusted p at most 0.05)"), gettext("may be chance")]
    rows = [
        {
            "label": feature_name(row.name),
            "estimate": row.delta.estimate,
            "low": row.delta.low,
            "high": row.delta.high,
            "clear": names[0] if row.delta.adjusted_p_value <= 0.05 else names[1],
        }
        for row in drivers.contrasts
        if isinstance(row.delta, Delta)
    ][:MOST_BEHAVIOURS]
    base = alt.Chart(data(rows)).encode(y=categories([str(row["label"]) for row in rows]))
    title = gettext("Cliff's delta on an active day, with its interval; right of 0: %(second)s does it more often") % {
        "second": tier_name(drivers.second)
    }
    legend = alt.Legend(title=None, orient="bottom", labelLimit=400)
    colour = alt.Color("clear:N", legend=legend, scale=alt.Scale(domain=names, range=[BLUE, GREY]))
    shape = alt.Shape("clear:N", legend=legend, scale=alt.Scale(domain=names, range=["circle", "diamond"]))
    layers = forest(base, lines(title, 70), colour=colour, shape=shape)
    chart = alt.layer(*layers).properties(width=WIDTH, height=24 * max(len(rows), 1))
    return chart, 2 * len(rows) + 1


# Which behaviours separate the tiers. Pure.


def ranking_part(report: Report) -> Part | None:
    """Section of the behaviours that separate the tiers; None without tiers or drivers."""
    drivers = report.tiers.drivers
    if not computable(report.tiers.cuts) or not computable(drivers):
        return None
    heading, known = gettext("Which behaviours separate the tiers?"), computable(drivers.ranking)
    return Part(
        "ranking",
        heading,
        ranking_finding(drivers),
        ranking_table(drivers),
        draw=(lambda: ranking_chart(drivers)) if known else None,
    )


def ranking_finding(drivers: Drivers) -> str:
    """The behaviours that a model of the tiers uses most."""
    if not computable(drivers.ranking):
        return reason_words(drivers.ranking)
    first = drivers.ranking[0]
    text = gettext("A model that separates the tiers leans most on %(what)s (rank interval %(low)s to %(high)s)")
    return text % {"what": feature_names(first.members), "low": first.rank_low, "high": first.rank_high}


def ranking_table(drivers: Drivers) -> Table | None:
    """Behaviours by grouped SHAP."""
    if not computable(drivers.ranking):
        return None
    rows = tuple(
        (
            str(row.rank),
            between(str(row.rank_low), str(row.rank_high)),
            feature_names(row.members),
            decimal(row.importance, 3),
        )
        for row in drivers.ranking
    )
    columns = (
        gettext("rank"),
        gettext("rank (95% CI)"),
        gettext("behaviours that can't be separated"),
        gettext("mean |SHAP|, log-odds"),
    )
    note = gettext(
        "The model separates the tiers with an area under the curve of %(auc)s on users it never saw (0.5 is "
        "chance). Ranks whose intervals overlap are tied. It predicts; it does not say what makes people active."
    ) % {"auc": number(drivers.auc, 2)}
    return Table(gettext("Which behaviours predict the tier"), columns, rows, note)


def ranking_chart(drivers: Drivers) -> Drawn:
    """Importance of the behaviours, with the ranges of their ranks."""
    groups = drivers.ranking[:MOST_BEHAVIOURS] if computable(drivers.ranking) else ()
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
        .mark_bar(height=14, color=BAR)
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
