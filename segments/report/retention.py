"""Who stays: size, retention and leaving of each group. Pure."""

from reporting.charts import Drawn
from reporting.numbers import decimal, number, p_text, p_value, percent, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.report.axes import retained_bars
from segments.report.groups import cluster_words
from segments.search.clustering import NULL_LEVEL
from segments.search.leaving import Residual, Share, rate
from segments.search.result import Report
from stats.results import NotComputable, Reason, computable


def part(report: Report) -> Part:
    """Who stays?"""
    known = any(computable(cluster.profile.retained) for cluster in report.clusters)
    heading = gettext("Who stays?")
    return Part("retention", heading, finding(report), table(report), draw=(lambda: chart(report)) if known else None)


def finding(report: Report) -> str:
    """From the group that stays least to the one that stays most."""
    known = [(c.profile.retained.estimate, cluster_words(c)) for c in report.clusters if computable(c.profile.retained)]
    if not known:
        return gettext("Retention by group isn't known")
    (low, last), (high, first) = min(known), max(known)
    if not computable(report.association) or report.association.p_value > NULL_LEVEL:
        return gettext("Retention does not differ detectably between the groups")
    return gettext("Retention runs from %(low)s in %(last)s to %(high)s in %(first)s") % {
        "low": percent(low),
        "last": last,
        "high": percent(high),
        "first": first,
    }


def table(report: Report) -> Table:
    """Size, retention and leaving of each group."""
    rows = []
    for cluster in report.clusters:
        profile = cluster.profile
        rows.append(
            (
                cluster_words(cluster),
                f"{profile.size:,}",
                percent(profile.share),
                share(profile.retained),
                share(profile.left),
                _residual(profile.residual),
                number(profile.tenure_median, 0),
            )
        )
    rest = without_group(report)
    if rest is not None:
        size = rest.n if computable(rest) else report.units.too_little_data
        rows.append((gettext("no group (hardly active)"), f"{size:,}", "", share(rest), "", "", ""))
    everybody = share(report.retention_rate)
    rows.append((gettext("everybody looked at"), f"{report.units.eligible:,}", "", everybody, "", "", ""))
    columns = (
        gettext("group"),
        gettext("users"),
        gettext("share"),
        gettext("retained (95% CI)"),
        gettext("left (95% CI)"),
        gettext("more or fewer leavers than by chance"),
        gettext("median days since the first activity"),
    )
    return Table(gettext("Retention of each group"), columns, tuple(rows), _association(report))


def _residual(value: Residual | NotComputable) -> str:
    if not computable(value):
        return reason_words(value)
    side = gettext("more") if value.value > 0 else gettext("fewer")
    return f"{side} (z {decimal(value.value, 1)}, p {p_value(value.adjusted_p_value)})"


def _association(report: Report) -> str:
    found = report.association
    if not computable(found):
        return reason_words(found)
    return gettext(
        "Intervals: Wilson. Leaving by group: chi-square %(statistic)s, degrees of freedom: %(df)s, %(p)s, Cramér's "
        "V %(v)s. The p of each group is adjusted for the number of groups (Benjamini-Hochberg). Everybody looked at "
        "includes users without a group, who were hardly active."
    ) % {
        "statistic": decimal(found.statistic, 1),
        "df": found.df,
        "p": p_text(found.p_value),
        "v": decimal(found.cramers_v),
    }


def without_group(report: Report) -> Share | NotComputable | None:
    """Who of the users without a group stayed: everybody less the groups; None where everybody has one."""
    left = report.units.too_little_data
    if not left:
        return None
    groups = [cluster.profile.retained for cluster in report.clusters]
    known = [found for found in groups if computable(found)]
    everybody = report.retention_rate
    if not computable(everybody) or len(known) < len(groups):
        return NotComputable(Reason.NO_DATA)
    stayed, n = everybody.count - sum(found.count for found in known), everybody.n - sum(found.n for found in known)
    return rate(stayed, n) if 0 <= stayed <= n and n else NotComputable(Reason.NO_DATA)


def chart(report: Report) -> Drawn:
    """Retention of each group, and of the users without one, so that the bars make up everybody."""
    rows = [(cluster_words(cluster), cluster.profile.retained, cluster.profile.size) for cluster in report.clusters]
    rest = without_group(report)
    if rest is not None:
        rows.append((gettext("no group (hardly active)"), rest, report.units.too_little_data))
    return retained_bars(rows, report.retention_rate)
