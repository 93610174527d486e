"""Activity tiers, which need no groups. Pure."""

from reporting.charts import Drawn
from reporting.numbers import percent, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.report.axes import retained_bars
from segments.search.result import Report
from stats.results import computable


def part(report: Report) -> Part:
    """Activity tiers."""
    heading, found = gettext("Activity tiers"), report.tiers
    if not computable(found.cuts):
        return Part("tiers", heading, reason_words(found.cuts), None)
    known = any(computable(tier.retained) for tier in found.tiers)
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
