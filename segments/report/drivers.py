"""What the more active do differently on an active day. Pure."""

from reporting.charts import BLUE, Drawn, alt, categories, data, forest, lines
from reporting.numbers import decimal, number, p_value
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.report.axes import WIDTH
from segments.report.features import feature_name
from segments.report.tiers import tier_name
from segments.search.result import Drivers, Report
from segments.search.tiers import Delta
from stats.results import computable

MOST_BEHAVIOURS = 25


def part(report: Report) -> Part | None:
    """What do the more active do differently? None without tiers."""
    if not computable(report.tiers.cuts):
        return None
    heading, found = gettext("What do the more active do differently?"), report.tiers.drivers
    if not computable(found):
        return Part("drivers", heading, reason_words(found), None)
    return Part("drivers", heading, finding(found), table(found), draw=lambda: chart(found))


def finding(drivers: Drivers) -> str:
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


def table(found: Drivers) -> Table:
    """Behaviours of two tiers per active day."""
    rows = []
    for row in found.contrasts:
        delta = row.delta
        last = (number(delta, 2), p_value(delta.adjusted_p_value) if computable(delta) else "")
        rates = (number(row.first, 2), number(row.second, 2), number(row.difference, 2))
        rows.append((feature_name(row.name), *rates, *last))
    columns = (
        gettext("behaviour"),
        tier_name(found.first),
        tier_name(found.second),
        gettext("difference (95% CI)"),
        gettext("Cliff's delta (95% CI)"),
        gettext("adjusted p"),
    )
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the more active does it more often."
    ) % {"first": f"{found.first_units:,}", "second": f"{found.second_units:,}", "days": found.exposure_days}
    return Table(gettext("What the more active do more often on an active day"), columns, tuple(rows), note)


def chart(found: Drivers) -> Drawn:
    """How far the two are apart, behaviour by behaviour."""
    names = [gettext("beyond chance (adjusted p at most 0.05)"), gettext("may be chance")]
    rows = [
        {
            "label": feature_name(row.name),
            "estimate": row.delta.estimate,
            "low": row.delta.low,
            "high": row.delta.high,
            "clear": names[0] if row.delta.adjusted_p_value <= 0.05 else names[1],
        }
        for row in found.contrasts
        if isinstance(row.delta, Delta)
    ][:MOST_BEHAVIOURS]
    base = alt.Chart(data(rows)).encode(y=categories([str(row["label"]) for row in rows]))
    title = gettext("Cliff's delta on an active day, with its interval; right of 0: %(second)s does it more often") % {
        "second": tier_name(found.second)
    }
    legend = alt.Legend(title=None, orient="bottom", labelLimit=400)
    colour = alt.Color("clear:N", legend=legend, scale=alt.Scale(domain=names, range=[BLUE, "#9CA3AF"]))
    shape = alt.Shape("clear:N", legend=legend, scale=alt.Scale(domain=names, range=["circle", "diamond"]))
    layers = forest(base, lines(title, 70), colour=colour, shape=shape)
    chart = alt.layer(*layers).properties(width=WIDTH, height=24 * max(len(rows), 1))
    return chart, 2 * len(rows) + 1
