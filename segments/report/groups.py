"""Groups in words: keys, distinctive behaviours, recommended use by stability, and a card for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reporting.charts import (
    BAR,
    DEEP,
    INK,
    ON_MARK,
    ORANGE,
    Drawn,
    alt,
    categories,
    data,
    lines,
    rule,
    shade_range,
    wrapped_labels,
)
from reporting.numbers import decimal, number, p_text, p_value, percent, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from segments.names import feature_name, play_words
from segments.search.clustering import NULL_LEVEL, PATTERN_JACCARD, STABLE_JACCARD, Standing
from segments.search.features import Drop, Dropped
from segments.search.gaps import Shape
from segments.search.leaving import Residual, Share, rate
from segments.search.profiles import FeatureContrast
from segments.search.result import Cluster, Report
from stats.results import NotComputable, Reason, computable

# Display names of features, and behaviours that were left out. Pure.


def feature_names(names: Sequence[str]) -> str:
    """Display names of near-duplicate features, as one text."""
    return ", ".join(feature_name(name) for name in names)


def dropped(report: Report) -> Table | None:
    """Behaviours that were left out."""
    if not report.dropped:
        return None
    rows = tuple((feature_name(row.name), drop_words(row)) for row in report.dropped)
    return Table(gettext("Behaviours left out"), (gettext("behaviour"), gettext("why")), rows)


def drop_words(row: Dropped) -> str:
    """Why a behaviour was left out of the features."""
    return {
        Drop.CONSTANT: gettext("everybody did it equally often, so it separates nobody"),
        Drop.NEAR_DUPLICATE: gettext("says the same as %(other)s (rank correlation 0.95 or more)")
        % {"other": feature_name(row.of or "")},
        Drop.OUTCOME: gettext("is part of the retention that the groups are compared by"),
    }[row.reason]


# How each group plays: every feature in every group. Pure.

MOST_FEATURES = 40


def heat_part(report: Report) -> Part:
    """Section of the features of each group."""
    heading = gettext("How each group plays")
    return Part("heat", heading, heat_finding(report), heat_table(report), draw=lambda: heat_chart(report))


def heat_finding(report: Report) -> str:
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


def heat_table(report: Report) -> Table:
    """Mean scaled value of each feature in each group."""
    rows = tuple(
        (feature_name(name), *(decimal(cluster.heat[place]) for cluster in report.clusters))
        for place, name in enumerate(report.features)
    )
    columns = (gettext("feature"), *map(cluster_words, report.clusters))
    note = gettext(
        "In standard deviations from the average user; 0 is the average. Play is compared as a mix, not in total."
    )
    return Table(gettext("Mean of each feature in each group"), columns, rows, note)


def heat_chart(report: Report) -> Drawn:
    """The most unusual features, as shades."""
    strongest = [max(abs(cluster.heat[place]) for cluster in report.clusters) for place in range(len(report.features))]
    chosen = sorted(sorted(range(len(strongest)), key=lambda place: -strongest[place])[:MOST_FEATURES])
    sizes = [abs(cluster.heat[place]) for place in chosen for cluster in report.clusters]
    most = shade_range(sizes)[1] or 1.0  # beyond it a cell has the last colour
    rows = [
        {
            "label": feature_name(report.features[place]),
            "group": cluster_words(cluster),
            "value": cluster.heat[place],
            "text": decimal(cluster.heat[place], 1),
            "strong": abs(cluster.heat[place]) > 0.6 * most,
        }
        for place in chosen
        for cluster in report.clusters
    ]
    names = [cluster_words(cluster) for cluster in report.clusters]
    above = 14 * (max(len(lines(name, 13)) for name in names) - 1)  # Vega lets the lines of a label run downwards
    axis = {"orient": "top", "labelAngle": 0, "ticks": False, "domain": False, "labelPadding": above + 4}
    axis |= wrapped_labels(names, 13)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("group:N", sort=names, title=None, axis=alt.Axis(**axis)),
        y=categories([feature_name(report.features[place]) for place in chosen]),
    )
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(domain=[-most, 0, most], clamp=True, range=[ORANGE, "#FFFFFF", DEEP], interpolate="rgb"),
        legend=alt.Legend(title=lines(gettext("standard deviations from the average user"), 24), gradientLength=120),
    )
    cells = base.mark_rect(stroke="#FFFFFF", strokeWidth=2).encode(color=colour)
    text = base.mark_text(fontSize=12).encode(
        text="text:N", color=alt.condition("datum.strong", alt.value("#FFFFFF"), alt.value(ON_MARK))
    )
    chart = alt.layer(cells, text).properties(width=max(COLUMN * len(names), 220), height=26 * len(chosen))
    return chart, 2 * len(rows)


STANDING_OUT = 6


@dataclass(frozen=True)
class GroupCard:
    """One group as a card: its key, words, size and table of what stands out; the first one is shown open."""

    key: str
    play: str
    standing: str
    light: str
    size: str
    retained: str
    table: Table | None
    open: bool


def cards(report: Report) -> tuple[GroupCard, ...]:
    """A card per group."""
    shape = shape_of(report)
    return tuple(
        GroupCard(
            key=cluster.key,
            play=play_words(cluster.profile.name),
            standing=standing_words(cluster.standing, shape),
            light=standing_of(cluster.stability, shape)[0],
            size=gettext("%(n)s users, %(share)s of all")
            % {"n": f"{cluster.profile.size:,}", "share": percent(cluster.profile.share)},
            retained=share(cluster.profile.retained),
            table=standing_out(cluster),
            open=cluster is report.clusters[0],
        )
        for cluster in report.clusters
    )


def standing_out(cluster: Cluster) -> Table | None:
    """Distinctive features of a group, the largest standardised difference first."""
    features = cluster.profile.features
    if isinstance(features, NotComputable):
        return None
    ordered = sorted(features, key=lambda row: -abs(row.smd) if computable(row.smd) else 0.0)[:STANDING_OUT]
    rows = tuple(_feature(row) for row in ordered)
    columns = (
        gettext("feature"),
        gettext("standardised difference"),
        gettext("share doing it"),
        gettext("share of the others"),
        gettext("median per active day"),
        gettext("median of the others"),
        gettext("adjusted p"),
    )
    untested = [row.adjusted_p_value for row in ordered if not computable(row.adjusted_p_value)]
    # A reason that applies to all rows is shown once, below them.
    note = reason_words(untested[0]) if len(untested) == len(ordered) > 0 else ""
    return Table(gettext("What stands out in %(group)s") % {"group": cluster.key}, columns, rows, note)


def _feature(row: FeatureContrast) -> tuple[str, ...]:
    tested = row.adjusted_p_value
    return (
        feature_name(row.name),
        number(row.smd, 2),
        percent(row.doing),
        percent(row.rest_doing),
        decimal(row.median),
        decimal(row.rest_median),
        p_value(tested) if computable(tested) else gettext("not tested"),
    )


def cluster_words(cluster: Cluster) -> str:
    """The key of a group and what it does most differently."""
    first = cluster.profile.name[:1]
    return f"{cluster.key} · {play_words(first)}" if first else cluster.key


def shape_of(report: Report) -> str:
    """Code of the run's shape; "" for runs of version 0.3, which didn't test for gaps."""
    return (report.shape or "") if report.found else Shape.NONE


def standing_words(standing: Standing, shape: str = "") -> str:
    """Recommended use of a group by its stability.

    Args:
        standing: of this group.
        shape: of all groups together (`segments.search.gaps.Shape`); "" where unknown. Styles of a continuum, and
            clusters that are no groups, are never called stable, however often resamples reproduce them.
    """
    if shape == Shape.NONE:
        return gettext("for viewing only")
    if shape == Shape.STYLES and standing is Standing.STABLE:
        return gettext("found again")
    return {
        Standing.STABLE: gettext("stable"),
        Standing.PATTERN: gettext("a pattern: name it with care"),
        Standing.DISSOLVES: gettext("dissolves: no name, no targeting"),
    }[standing]


def standing_of(stability: float | None, shape: str = "") -> tuple[str, str]:
    """Colour name and words for a stored stability; a rule has none and counts as stable."""
    if stability is None:
        return "good", gettext("a rule: holds by definition")
    colour, standing = "bad", Standing.DISSOLVES
    if stability >= STABLE_JACCARD:
        colour, standing = ("" if shape == Shape.STYLES else "good"), Standing.STABLE
    elif stability >= PATTERN_JACCARD:
        colour, standing = "warn", Standing.PATTERN
    return "" if shape == Shape.NONE else colour, standing_words(standing, shape)


# Size, retention and leaving of each group. Pure.


def retention_part(report: Report) -> Part:
    """Section of the retention of each group."""
    known = any(computable(cluster.profile.retained) for cluster in report.clusters)
    heading = gettext("Who stays?")
    return Part(
        "retention",
        heading,
        retention_finding(report),
        retention_table(report),
        draw=(lambda: retention_chart(report)) if known else None,
    )


def retention_finding(report: Report) -> str:
    """Range of retention between groups."""
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


def retention_table(report: Report) -> Table:
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
    rows.append((gettext("everybody considered"), f"{report.units.eligible:,}", "", everybody, "", "", ""))
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
    association = report.association
    if not computable(association):
        return reason_words(association)
    return gettext(
        "Intervals: Wilson. Leaving by group: chi-square %(statistic)s, degrees of freedom: %(df)s, %(p)s, Cramér's "
        "V %(v)s. The p of each group is adjusted for the number of groups (Benjamini-Hochberg). Everybody "
        "considered includes users without a group, who were hardly active."
    ) % {
        "statistic": decimal(association.statistic, 1),
        "df": association.df,
        "p": p_text(association.p_value),
        "v": decimal(association.cramers_v),
    }


def without_group(report: Report) -> Share | NotComputable | None:
    """Share retained of users without a group: all users minus the groups; None where every user has a group."""
    left = report.units.too_little_data
    if not left:
        return None
    groups = [cluster.profile.retained for cluster in report.clusters]
    known = [group for group in groups if computable(group)]
    everybody = report.retention_rate
    if not computable(everybody) or len(known) < len(groups):
        return NotComputable(Reason.NO_DATA)
    stayed, n = everybody.count - sum(group.count for group in known), everybody.n - sum(group.n for group in known)
    return rate(stayed, n) if 0 <= stayed <= n and n else NotComputable(Reason.NO_DATA)


def retention_chart(report: Report) -> Drawn:
    """Retention of each group and of users without one, so that the bars cover all users."""
    rows = [(cluster_words(cluster), cluster.profile.retained, cluster.profile.size) for cluster in report.clusters]
    rest = without_group(report)
    if rest is not None:
        rows.append((gettext("no group (hardly active)"), rest, report.units.too_little_data))
    return retained_bars(rows, report.retention_rate)


# Shared parts of segmentation charts: widths, and bars of the share retained. Pure.

WIDTH = 520
COLUMN = 92  # of the heat map: two short words fit
ROW_HEIGHT = 32  # two lines of a label fit


def retained_bars(
    rows: list[tuple[str, Share | NotComputable, int]], everybody: Share | NotComputable, *, width: int = WIDTH
) -> Drawn:
    """Bars of the share retained with Wilson intervals, and the share of all users as a line; of that plot's width."""
    bars = [
        {
            "label": f"{label} (n {n:,})",
            "value": value.estimate * 100,
            "low": value.low * 100,
            "high": value.high * 100,
            "text": percent(value.estimate),
        }
        for label, value, n in rows
        if computable(value)
    ]
    base = alt.Chart(data(bars)).encode(y=categories([str(row["label"]) for row in bars], wrap=28))
    title = gettext("users retained, % (bar: share; line: 95% CI)")
    layers: list[Any] = [
        base.mark_bar(height=16, color=BAR).encode(x=alt.X("value:Q", title=title, scale=alt.Scale(zero=True))),
        base.mark_rule(color=INK, strokeWidth=2).encode(x="low:Q", x2="high:Q"),
        base.mark_text(align="left", dx=8, fontSize=12, color=INK).encode(x="high:Q", text="text:N"),
    ]
    if computable(everybody):
        layers.append(rule(everybody.estimate * 100, colour=ORANGE))
        text = gettext("everybody considered: %(share)s") % {"share": percent(everybody.estimate)}
        mark = alt.Chart(data([{"at": everybody.estimate * 100, "text": text}]))
        layers.append(
            mark.mark_text(align="center", baseline="bottom", fontSize=12, color=ORANGE).encode(
                x="at:Q", y=alt.value(-4), text="text:N"
            )
        )
    chart = alt.layer(*layers).properties(width=width, height=ROW_HEIGHT * max(len(bars), 1))
    return chart, 3 * len(bars) + 2
