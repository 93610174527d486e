"""The evidence for groups: tests, number of groups, method, stability, gaps, maps. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from reporting.charts import BLUE, GREY, INK, ORANGE, PALE, SERIES, YELLOW, Drawn, Mark, alt, categories, data, rule
from reporting.numbers import decimal, p_text, p_value, percent
from reporting.table import Part, Table
from reporting.words import gettext
from segments.report.groups import ROW_HEIGHT, WIDTH, cluster_words, shape_of, standing_words
from segments.search.clustering import (
    NULL_LEVEL,
    PATTERN_JACCARD,
    SMALLEST_SHARE,
    STABLE_ARI,
    STABLE_JACCARD,
    KReason,
    KScore,
    Standing,
)
from segments.search.gaps import Shape
from segments.search.reduction import Method
from segments.search.result import Points, Report

# The gap test: groups, or styles of a continuum. Pure.


def gaps_part(report: Report) -> Part | None:
    """Section of the gap test; None for a run without stable groups, or of version 0.3."""
    if not report.gaps:
        return None
    heading = gettext("Separate groups, or styles of play?")
    return Part("gaps", heading, gaps_finding(report), gaps_table(report))


def gap_why(report: Report) -> str:
    """Summary of the gap test over all pairs of neighbours; "" for a run without it."""
    if report.shape is Shape.GROUPS:
        return gettext(
            "Between all neighbours a gap was found, with fewer users in it than on either side: they are groups."
        )
    if report.shape is Shape.STYLES:
        return gettext(
            "But between some neighbours no gap was found, so nothing shows that users fall apart there. They are "
            "playing styles, not separate groups: the borders are our choice."
        )
    return ""


def gaps_finding(report: Report) -> str:
    """Between how many pairs of neighbours there is a gap."""
    gaps = sum(gap.found for gap in report.gaps)
    return gettext("A gap was found between %(found)s of %(pairs)s pairs of neighbours") % {
        "found": gaps,
        "pairs": len(report.gaps),
    }


def gaps_table(report: Report) -> Table:
    """The gap test of each pair of neighbours."""
    rows = tuple(
        (
            f"g{row.first + 1} – g{row.second + 1}",
            f"{row.units:,}",
            decimal(row.dip, 4),
            p_value(row.adjusted_p),
            gettext("yes") if row.found else gettext("not found"),
        )
        for row in report.gaps
    )
    columns = (gettext("pair"), gettext("users considered"), gettext("dip"), gettext("adjusted p"), gettext("gap"))
    note = gettext(
        "The most active third of a pair, at most 2,000 users, on the line that separates the two best. Dip: how far "
        "their places are from one hill (Hartigan), 0 to 0.25; p against samples of one hill, Holm over the pairs. A "
        "gap that is not found may also be one too shallow for so many users to show."
    )
    return Table(gettext("Gaps between neighbours"), columns, rows, note)


# Whether the groups are more separate than those of populations without any. Pure.


def null_test_part(report: Report) -> Part:
    """Section of the test against a null without groups."""
    heading = gettext("Are there groups at all?")
    return Part(
        "null", heading, null_test_finding(report), null_test_table(report), draw=lambda: null_test_chart(report)
    )


def null_test_finding(report: Report) -> str:
    """The silhouette against the null."""
    text = (
        gettext("More separate than groups made in %(draws)s populations without any (%(p)s)")
        if report.null.p_value <= NULL_LEVEL
        else gettext("No more separate than groups made in %(draws)s populations without any (%(p)s)")
    )
    return text % {"draws": len(report.null.values), "p": p_text(report.null.p_value)}


def null_test_table(report: Report) -> Table:
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


def null_test_chart(report: Report) -> Drawn:
    """The silhouettes of populations without groups, and that of these users."""
    draws, observed = report.null.values, report.null.observed
    title = gettext("silhouette (larger: more separate)")
    bars = (
        alt.Chart(data([{"value": value} for value in draws]))
        .transform_bin("from", "value", bin=alt.Bin(maxbins=16))
        .transform_aggregate(n="count()", groupby=["from", "from_end"])
        .mark_bar(color=PALE)
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


# How many groups, and why so many. Pure.


def number_of_groups_part(report: Report) -> Part:
    """Section on the number of groups."""
    heading = gettext("How many groups?")
    return Part(
        "numbers",
        heading,
        number_of_groups_finding(report),
        number_of_groups_table(report),
        draw=lambda: number_of_groups_chart(report),
    )


def number_of_groups_finding(report: Report) -> str:
    """Which number of groups, and why that one."""
    gap = gettext("none") if report.choice.gap_k is None else str(report.choice.gap_k)
    return {
        KReason.GIVEN: gettext("%(k)s groups, as a person asked"),
        KReason.GAP: gettext("%(k)s groups: the gap statistic's choice, and found again in resamples"),
        KReason.LARGEST_ADMISSIBLE: gettext(
            "%(k)s groups: the largest number found again in resamples (the gap statistic would take %(gap)s)"
        ),
        KReason.NONE_ADMISSIBLE: gettext(
            "No number of groups is found again in resamples; %(k)s are shown for viewing"
        ),
    }[report.choice.reason] % {"k": report.k, "gap": gap}


def number_of_groups_table(report: Report) -> Table:
    """Criteria of each number of groups tried."""
    rows = tuple(
        (
            str(row.k) + (" ←" if row.k == report.k else ""),
            decimal(row.stability),
            percent(row.smallest_share),
            gettext("yes") if row.admissible else gettext("no"),
            decimal(row.silhouette, 3),
            decimal(row.davies_bouldin),
            f"{row.calinski_harabasz:,.0f}",
            f"{decimal(row.gap, 3)} ± {decimal(row.gap_error, 3)}",
        )
        for row in report.k_scores
    )
    columns = (
        gettext("groups"),
        gettext("stability"),
        gettext("smallest group"),
        gettext("may be chosen"),
        gettext("silhouette"),
        gettext("Davies-Bouldin (less is better)"),
        gettext("Calinski-Harabasz"),
        gettext("gap ± s"),
    )
    votes = report.choice.votes
    note = gettext(
        "A number may be chosen when its stability is %(ari)s or more and no group is smaller than %(smallest)s. What "
        "each criterion alone would take: silhouette %(silhouette)s, Davies-Bouldin %(davies_bouldin)s, "
        "Calinski-Harabasz %(calinski_harabasz)s, stability %(stability)s, gap %(gap)s."
    ) % {
        "ari": decimal(STABLE_ARI),
        "smallest": percent(SMALLEST_SHARE),
        "gap": gettext("none") if report.choice.gap_k is None else report.choice.gap_k,
        **votes,
    }
    return Table(gettext("Numbers of groups that were tried"), columns, rows, note)


def number_of_groups_chart(report: Report) -> Drawn:
    """Stability, silhouette and gap of each number of groups."""
    rows = [_mark(row, report.k) for row in report.k_scores]
    panels = [
        _panel(rows, "stability", gettext("stability (adjusted Rand index)"), level=STABLE_ARI),
        _panel(rows, "silhouette", gettext("silhouette")),
        _panel(rows, "gap", gettext("gap ± s")),
    ]
    return alt.hconcat(*panels, spacing=34), 4 * len(rows)


def _mark(row: KScore, chosen: int) -> Mark:
    return {
        "k": row.k,
        "stability": row.stability,
        "silhouette": row.silhouette,
        "gap": row.gap,
        "low": row.gap - row.gap_error,
        "high": row.gap + row.gap_error,
        "shown": row.k == chosen,
    }


def _panel(rows: list[Mark], name: str, title: str, level: float | None = None) -> Any:
    base = alt.Chart(data(rows)).encode(x=alt.X("k:O", title=gettext("number of groups"), axis=alt.Axis(labelAngle=0)))
    y = alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=name != "gap"))
    layers = [base.mark_line(color=GREY).encode(y=y)]
    if name == "gap":
        layers.append(base.mark_rule(color=GREY).encode(y="low:Q", y2="high:Q"))
    if level is not None:
        line = alt.Chart(data([{"level": level, "text": decimal(level)}])).encode(y="level:Q")
        layers += [
            line.mark_rule(strokeDash=[4, 3], color=INK),
            line.mark_text(align="right", baseline="bottom", dy=-2, fontSize=12, color=INK).encode(
                x=alt.value(210), text="text:N"
            ),
        ]
    layers.append(
        base.mark_point(filled=True, opacity=1).encode(
            y=y,
            color=alt.Color("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=[BLUE, ORANGE])),
            shape=alt.Shape("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=["circle", "diamond"])),
            size=alt.Size("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=[50, 160])),
        )
    )
    return alt.layer(*layers).properties(width=210, height=190)


# Whether PCA or UMAP was clustered, and why. Pure.

METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}  # the same in every language


def scorecard_part(report: Report) -> Part:
    """Section that compares PCA and UMAP."""
    return Part("scorecard", gettext("PCA or UMAP?"), scorecard_finding(report), scorecard_table(report))


def scorecard_finding(report: Report) -> str:
    """Which reduction was clustered, and why."""
    other = Method.UMAP if report.method is Method.PCA else Method.PCA
    return {
        "stability": gettext("%(used)s was clustered: its groups come out alike more often than those of %(other)s"),
        "usefulness": gettext("%(used)s was clustered: its groups say more about who leaves than those of %(other)s"),
        "tie": gettext("%(used)s was clustered: %(other)s is not better, and %(used)s places new users exactly"),
        "given": gettext("%(used)s was clustered, as a person asked"),
        "fidelity": gettext("%(used)s was clustered: %(other)s was better, but can't place new users faithfully"),
    }[report.method_reason] % {"used": METHODS[report.method], "other": METHODS[other]}


def scorecard_table(report: Report) -> Table:
    """PCA and UMAP, measure by measure, and which is better in each."""
    pca, umap = report.scorecard
    measures: list[tuple[str, float | None, float | None, int, str]] = [
        (gettext("trustworthiness"), *_both(report, "trustworthiness"), 1, gettext("near in the map was near before")),
        (gettext("continuity"), *_both(report, "continuity"), 1, gettext("near before is near in the map")),
        (gettext("neighbours kept"), *_both(report, "overlap"), 1, gettext("share of the 15 nearest that stay")),
        (gettext("distances kept"), *_both(report, "distances"), 1, gettext("rank correlation of distances")),
        (
            gettext("reproducibility"),
            pca.reproducibility,
            umap.reproducibility,
            1,
            gettext("agreement of the groups of five seeds; decides first"),
        ),
        (
            gettext("usefulness"),
            pca.usefulness,
            umap.usefulness,
            1,
            gettext("share of later leaving that groups explain among users outside the fit; decides next"),
        ),
        (
            gettext("stability"),
            pca.stability,
            umap.stability,
            1,
            gettext("agreement over resamples; measured for the one that was used"),
        ),
        (
            gettext("silhouette"),
            pca.silhouette,
            umap.silhouette,
            1,
            gettext("how separate the groups are, before any map"),
        ),
        (gettext("seconds"), pca.seconds, umap.seconds, -1, gettext("time of one fit")),
    ]
    rows = [
        (name, _measured(pca_value), _measured(umap_value), _better(pca_value, umap_value, sign), meaning)
        for name, pca_value, umap_value, sign, meaning in measures
    ]
    rows.append((gettext("dimensions"), str(pca.components), str(umap.components), "", gettext("what grouping sees")))
    columns = (gettext("measure"), "PCA", "UMAP", gettext("better"), gettext("what it measures"))
    note = gettext("All but the seconds: 1 is best. Ties: up to 0.05 in reproducibility, up to 0.01 in usefulness.")
    return Table(gettext("Scorecard of PCA and UMAP"), columns, tuple(rows), note)


def _both(report: Report, name: str) -> tuple[float, float]:
    pca, umap = (float(getattr(row.faithfulness, name)) for row in report.scorecard)
    return pca, umap


def _better(pca_value: float | None, umap_value: float | None, sign: int) -> str:
    if pca_value is None or umap_value is None:
        return ""
    if round(pca_value, 3) == round(umap_value, 3):
        return gettext("alike")
    return "PCA" if sign * pca_value > sign * umap_value else "UMAP"


def _measured(value: float | None) -> str:
    return gettext("not measured") if value is None else decimal(value, 3)


# Whether each group is found again in resamples. Pure.


def stability_part(report: Report) -> Part:
    """Section on the stability of each group."""
    heading = gettext("Is each group found again?")
    return Part(
        "stability", heading, stability_finding(report), stability_table(report), draw=lambda: stability_chart(report)
    )


def stability_finding(report: Report) -> str:
    """How many groups are stable."""
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("Resampling finds all %(k)s groups again") % {"k": report.k}
    return gettext("Resampling finds %(stable)s of %(k)s groups again") % {"stable": stable, "k": report.k}


def stability_table(report: Report) -> Table:
    """Stability of each group: how well resamples reproduce it."""
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


def stability_chart(report: Report) -> Drawn:
    """Stability of each group: how well resamples reproduce it."""
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
    colours = {Standing.STABLE.value: BLUE, Standing.PATTERN.value: YELLOW, Standing.DISSOLVES.value: PALE}
    bars = base.mark_bar(height=16).encode(
        x=alt.X("value:Q", title=gettext("mean best Jaccard over resamples"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("standing:N", legend=None, scale=alt.Scale(domain=list(colours), range=list(colours.values()))),
    )
    text = base.mark_text(align="left", fontSize=12, color=INK).encode(x=alt.value(WIDTH - 90), text="text:N")
    limits = [rule(PATTERN_JACCARD), rule(STABLE_JACCARD)]
    chart = alt.layer(bars, *limits, text).properties(width=WIDTH - 100, height=ROW_HEIGHT * len(rows))
    return chart, 2 * len(rows) + 2


# Maps of the groups by each reduction, for illustration only. Pure.

PANEL = 330
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
    "wedge",
    "arrow",
)


def maps_part(report: Report) -> Part | None:
    """Maps of the groups by PCA and UMAP; None for a run without these maps."""
    shown = {points.name: points for points in report.points}
    if not {"pca", "umap"} <= shown.keys():
        return None
    note = gettext(
        "A sample of %(n)s users. Each dot is a user; close dots play alike. Only the statistics below say whether "
        "the groups are real."
    ) % {"n": f"{len(shown['pca'].x):,}"}
    heading, maps = gettext("Where the groups lie"), [shown["pca"], shown["umap"]]
    return Part(
        "maps",
        heading,
        maps_finding(report),
        maps_table(report, maps[0]),
        draw=lambda: maps_chart(report, maps),
        note=note,
    )


def maps_finding(report: Report) -> str:
    """Which map keeps neighbours together."""
    pca, umap = report.scorecard
    better, worse = (umap, pca) if umap.faithfulness.overlap >= pca.faithfulness.overlap else (pca, umap)
    return gettext("%(better)s keeps %(more)s of each user's nearest neighbours, %(worse)s keeps %(fewer)s") % {
        "better": METHODS[better.method],
        "more": percent(better.faithfulness.overlap),
        "worse": METHODS[worse.method],
        "fewer": percent(worse.faithfulness.overlap),
    }


def maps_chart(report: Report, maps: Sequence[Points]) -> Drawn:
    """A row for each map: its dots by group, and by who left where that is known."""
    rows = []
    for points in maps:
        panels = [_by_group(report, points, named=points is maps[0])]
        if any(gone is not None for gone in points.left):
            panels.append(_by_leaving(points))
        rows.append(alt.hconcat(*panels, spacing=28).resolve_scale(color="independent", shape="independent"))
    chart = alt.vconcat(*rows, spacing=24).resolve_scale(color="independent", shape="independent")
    return chart, sum(2 * len(points.x) for points in maps)


def tsne_part(report: Report) -> Part | None:
    """The same groups by t-SNE; None for a run without that map."""
    points = next((points for points in report.points if points.name == "tsne"), None)
    if points is None:
        return None
    heading = gettext("The same groups by t-SNE")
    text = gettext("t-SNE with the %(k)s groups: for the eye, since its distances and sizes mean nothing")
    return Part(
        "tsne", heading, text % {"k": report.k}, maps_table(report, points), draw=lambda: tsne_chart(report, points)
    )


def tsne_chart(report: Report, points: Points) -> Drawn:
    """The map by group."""
    return _by_group(report, points, size=600), len(points.x)


def maps_table(report: Report, points: Points) -> Table:
    """Number of users of each group on a map."""
    rows = []
    for place, cluster in enumerate(report.clusters):
        left = [gone for label, gone in zip(points.cluster, points.left, strict=True) if label == place]
        known = [gone for gone in left if gone is not None]
        gone = f"{sum(known):,}" if known else gettext("not known")
        rows.append((cluster_words(cluster), f"{len(left):,}", gone))
    columns = (gettext("group"), gettext("users in the picture"), gettext("of these left later"))
    return Table(gettext("Users in the picture"), columns, tuple(rows))


def _dots(points: Points) -> list[Mark]:
    rows = zip(points.x, points.y, points.cluster, points.left, strict=True)
    return [{"x": x, "y": y, "group": f"g{cluster + 1}", "left": left} for x, y, cluster, left in rows if cluster >= 0]


def _axes(points: Points) -> tuple[Any, Any]:
    name = METHODS[points.name]
    # Coordinates of a map have no unit, so the axes show no numbers.
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return (
        alt.X("x:Q", title=f"{name} 1", axis=axis, scale=scale),
        alt.Y("y:Q", title=f"{name} 2", axis=axis, scale=scale),
    )


def _by_group(report: Report, points: Points, size: int = PANEL, *, named: bool = True) -> Any:
    """Dots by group, the group's key written at the middle of its dots, and what it stands for in the legend."""
    keys = [cluster.key for cluster in report.clusters]
    names = {cluster.key: cluster_words(cluster) for cluster in report.clusters}
    x, y = _axes(points)
    base = alt.Chart(data(_dots(points)))
    words = f"({json.dumps(names)})[datum.label]"
    legend = alt.Legend(title=None, orient="bottom", columns=2, labelExpr=words, labelLimit=260) if named else None
    dots = base.mark_point(filled=True, size=16, opacity=0.6).encode(
        x=x,
        y=y,
        color=alt.Color("group:N", scale=alt.Scale(domain=keys, range=list(SERIES[: len(keys)])), legend=legend),
        shape=alt.Shape("group:N", scale=alt.Scale(domain=keys, range=list(SHAPES[: len(keys)])), legend=legend),
    )
    middle = base.transform_aggregate(mx="median(x)", my="median(y)", groupby=["group"])
    position = {"x": alt.X("mx:Q"), "y": alt.Y("my:Q"), "text": alt.Text("group:N")}
    halo = middle.mark_text(fontSize=15, fontWeight="bold", stroke="white", strokeWidth=5).encode(**position)
    label = middle.mark_text(fontSize=15, fontWeight="bold", color=INK).encode(**position)
    return alt.layer(dots, halo, label).properties(width=size, height=round(size * 0.82))


def _by_leaving(points: Points) -> Any:
    fates = [gettext("stayed"), gettext("left later")]
    rows = [{**row, "fate": fates[row["left"]]} for row in _dots(points) if row["left"] is not None]
    x, y = _axes(points)
    legend = alt.Legend(title=None, orient="right", symbolOpacity=1, symbolSize=70)
    return (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=16, opacity=0.55)
        .encode(
            x=x,
            y=y,
            color=alt.Color("fate:N", scale=alt.Scale(domain=fates, range=[PALE, ORANGE]), legend=legend),
            shape=alt.Shape("fate:N", scale=alt.Scale(domain=fates, range=["circle", "triangle-up"]), legend=legend),
        )
        .properties(width=PANEL, height=round(PANEL * 0.82))
    )
