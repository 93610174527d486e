"""Where the groups lie: a map by each method, for the eye. Pure."""

from collections.abc import Sequence
from typing import Any

from reporting.charts import INK, LIGHT, ORANGE, SERIES, Drawn, Mark, alt, data
from reporting.numbers import percent
from reporting.table import Part, Table
from reporting.words import gettext
from segments.report.evidence.scorecard import METHODS
from segments.report.groups import cluster_words
from segments.search.result import Points, Report

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


def part(report: Report) -> Part | None:
    """Where the groups lie, by PCA and UMAP; None for a run without these maps."""
    shown = {points.name: points for points in report.points}
    if not {"pca", "umap"} <= shown.keys():
        return None
    note = gettext(
        "A sample of %(n)s users. Each dot is a user; close dots play alike. Only the statistics below say whether "
        "the groups are real."
    ) % {"n": f"{len(shown['pca'].x):,}"}
    heading, maps = gettext("Where the groups lie"), [shown["pca"], shown["umap"]]
    return Part("maps", heading, finding(report), table(report, maps[0]), draw=lambda: chart(report, maps), note=note)


def finding(report: Report) -> str:
    """Which map keeps neighbours together."""
    pca, umap = report.scorecard
    better, worse = (umap, pca) if umap.faithfulness.overlap >= pca.faithfulness.overlap else (pca, umap)
    return gettext("%(better)s keeps %(more)s of each user's nearest neighbours, %(worse)s keeps %(fewer)s") % {
        "better": METHODS[better.method],
        "more": percent(better.faithfulness.overlap),
        "worse": METHODS[worse.method],
        "fewer": percent(worse.faithfulness.overlap),
    }


def chart(report: Report, maps: Sequence[Points]) -> Drawn:
    """A row for each map: its dots by group, and by who left where that is known."""
    rows = []
    for points in maps:
        panels = [_by_group(report, points)]
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
    heading, text = gettext("The same groups by t-SNE"), tsne_finding(report)
    return Part("tsne", heading, text, table(report, points), draw=lambda: tsne_chart(report, points))


def tsne_finding(report: Report) -> str:
    """What the t-SNE picture is good for."""
    return gettext("t-SNE with the %(k)s groups: for the eye, since its distances and sizes mean nothing") % {
        "k": report.k
    }


def tsne_chart(report: Report, points: Points) -> Drawn:
    """The map by group."""
    return _by_group(report, points, size=600), len(points.x)


def table(report: Report, points: Points) -> Table:
    """How many users of each group a picture shows."""
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
    # Coordinates of a map have no unit, so their numbers would only tempt to read them.
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return (
        alt.X("x:Q", title=f"{name} 1", axis=axis, scale=scale),
        alt.Y("y:Q", title=f"{name} 2", axis=axis, scale=scale),
    )


def _by_group(report: Report, points: Points, size: int = PANEL) -> Any:
    """Dots by group, the group's key written at the middle of its dots."""
    keys = [cluster.key for cluster in report.clusters]
    x, y = _axes(points)
    base = alt.Chart(data(_dots(points)))
    dots = base.mark_point(filled=True, size=16, opacity=0.6).encode(
        x=x,
        y=y,
        color=alt.Color("group:N", scale=alt.Scale(domain=keys, range=list(SERIES[: len(keys)])), legend=None),
        shape=alt.Shape("group:N", scale=alt.Scale(domain=keys, range=list(SHAPES[: len(keys)])), legend=None),
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
            color=alt.Color("fate:N", scale=alt.Scale(domain=fates, range=[LIGHT, ORANGE]), legend=legend),
            shape=alt.Shape("fate:N", scale=alt.Scale(domain=fates, range=["circle", "triangle-up"]), legend=legend),
        )
        .properties(width=PANEL, height=round(PANEL * 0.82))
    )
