"""Report in, charts out: no computing. Each has a table of the same rows beside it on the page."""

from typing import Any

from reporting.charts import (
    BLUE,
    GREY,
    INK,
    LIGHT,
    ON_MARK,
    ORANGE,
    SERIES,
    YELLOW,
    Drawing,
    Mark,
    alt,
    categories,
    data,
    forest,
    lines,
    rule,
    titled,
)
from reporting.numbers import decimal, percent
from reporting.words import gettext
from segments.churn.model import Quality
from segments.report import words
from segments.report.page import pictures
from segments.search.clustering import PATTERN_JACCARD, STABLE_ARI, STABLE_JACCARD, KScore, Standing
from segments.search.leaving import Share
from segments.search.result import Drivers, Points, Report
from segments.search.tiers import Delta
from stats.results import NotComputable, computable

WIDTH = 520
ROW_HEIGHT = 30
PANEL = 330
SHAPES = (
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left", "wedge",
    "arrow",
)  # fmt: skip
MOST_FEATURES = 40
MOST_BEHAVIOURS = 25


def draw(report: Report) -> tuple[Drawing, ...]:
    """Every picture of a finished segmentation, in the order of the page.

    Args:
        report: the segmentation.
    """
    by_slug = {
        "maps": _maps, "tsne": _tsne, "numbers": _numbers, "null": _null, "stability": _stability, "heat": _heat,
        "retention": _retention, "tiers": _tiers, "drivers": _drivers, "ranking": _ranking,
    }  # fmt: skip
    return tuple(titled(slug, finding, by_slug[slug](report)) for slug, finding in pictures(report).items())


def draw_quality(quality: Quality | NotComputable) -> tuple[Drawing, ...]:
    """The calibration of a churn model; nothing when there is no model."""
    if not computable(quality):
        return ()
    finding = words.calibration_finding(quality)
    return (titled("calibration", finding, (_calibration(quality), 3 * len(quality.table) + 1)),)


# ── Maps ──────────────────────────────────────────────────────────────────────
def _maps(report: Report) -> tuple[Any, int]:
    shown = {points.name: points for points in report.points}
    rows = []
    for name in ("pca", "umap"):
        panels = [_by_group(report, shown[name], words.picture_name(name))]
        if any(gone is not None for gone in shown[name].left):
            panels.append(_by_leaving(shown[name], words.picture_name(name)))
        rows.append(alt.hconcat(*panels, spacing=28).resolve_scale(color="independent", shape="independent"))
    chart = alt.vconcat(*rows, spacing=24).resolve_scale(color="independent", shape="independent")
    return chart, sum(2 * len(shown[name].x) for name in ("pca", "umap"))


def _tsne(report: Report) -> tuple[Any, int]:
    points = next(points for points in report.points if points.name == "tsne")
    return _by_group(report, points, words.picture_name("tsne"), size=600), len(points.x)


def _dots(points: Points) -> list[Mark]:
    rows = zip(points.x, points.y, points.cluster, points.left, strict=True)
    return [{"x": x, "y": y, "group": f"g{cluster + 1}", "left": left} for x, y, cluster, left in rows if cluster >= 0]


def _axes(name: str) -> tuple[Any, Any]:
    # Coordinates of a map have no unit, so their numbers would only tempt to read them.
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return (
        alt.X("x:Q", title=f"{name} 1", axis=axis, scale=scale),
        alt.Y("y:Q", title=f"{name} 2", axis=axis, scale=scale),
    )


def _by_group(report: Report, points: Points, name: str, size: int = PANEL) -> Any:
    """Dots by group, the group's key written at the middle of its dots."""
    keys = [cluster.key for cluster in report.clusters]
    x, y = _axes(name)
    base = alt.Chart(data(_dots(points)))
    dots = base.mark_point(filled=True, size=16, opacity=0.6).encode(
        x=x, y=y,
        color=alt.Color("group:N", scale=alt.Scale(domain=keys, range=list(SERIES[: len(keys)])), legend=None),
        shape=alt.Shape("group:N", scale=alt.Scale(domain=keys, range=list(SHAPES[: len(keys)])), legend=None),
    )  # fmt: skip
    middle = base.transform_aggregate(mx="median(x)", my="median(y)", groupby=["group"])
    position = {"x": alt.X("mx:Q"), "y": alt.Y("my:Q"), "text": alt.Text("group:N")}
    halo = middle.mark_text(fontSize=15, fontWeight="bold", stroke="white", strokeWidth=5).encode(**position)
    label = middle.mark_text(fontSize=15, fontWeight="bold", color=INK).encode(**position)
    return alt.layer(dots, halo, label).properties(width=size, height=round(size * 0.82))


def _by_leaving(points: Points, name: str) -> Any:
    fates = [gettext("stayed"), gettext("left later")]
    rows = [{**row, "fate": fates[row["left"]]} for row in _dots(points) if row["left"] is not None]
    x, y = _axes(name)
    legend = alt.Legend(title=None, orient="right", symbolOpacity=1, symbolSize=70)
    return (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=16, opacity=0.55)
        .encode(
            x=x, y=y,
            color=alt.Color("fate:N", scale=alt.Scale(domain=fates, range=[LIGHT, ORANGE]), legend=legend),
            shape=alt.Shape("fate:N", scale=alt.Scale(domain=fates, range=["circle", "triangle-up"]), legend=legend),
        )
        .properties(width=PANEL, height=round(PANEL * 0.82))
    )  # fmt: skip


# ── Evidence ──────────────────────────────────────────────────────────────────
def _numbers(report: Report) -> tuple[Any, int]:
    rows = [_k_row(row, report.k) for row in report.k_scores]
    panels = [
        _k_panel(rows, "stability", gettext("stability (adjusted Rand index)"), level=STABLE_ARI),
        _k_panel(rows, "silhouette", gettext("silhouette")),
        _k_panel(rows, "gap", gettext("gap ± s")),
    ]
    return alt.hconcat(*panels, spacing=34), 4 * len(rows)


def _k_row(row: KScore, chosen: int) -> Mark:
    return {
        "k": row.k, "stability": row.stability, "silhouette": row.silhouette, "gap": row.gap,
        "low": row.gap - row.gap_error, "high": row.gap + row.gap_error, "shown": row.k == chosen,
    }  # fmt: skip


def _k_panel(rows: list[Mark], name: str, title: str, level: float | None = None) -> Any:
    base = alt.Chart(data(rows)).encode(x=alt.X("k:O", title=gettext("number of groups"), axis=alt.Axis(labelAngle=0)))
    y = alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=name != "gap"))
    layers = [base.mark_line(color=LIGHT).encode(y=y)]
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


def _null(report: Report) -> tuple[Any, int]:
    draws, observed = report.null.values, report.null.observed
    title = gettext("silhouette (larger: more separate)")
    bars = (
        alt.Chart(data([{"value": value} for value in draws]))
        .transform_bin("from", "value", bin=alt.Bin(maxbins=16))
        .transform_aggregate(n="count()", groupby=["from", "from_end"])
        .mark_bar(color="#9CA3AF")
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


def _stability(report: Report) -> tuple[Any, int]:
    rows = [
        {
            "label": words.cluster_words(cluster), "value": cluster.stability,
            "standing": str(cluster.standing),
            "text": f"{decimal(cluster.stability)}  {words.standing_words(cluster.standing)}",
        }
        for cluster in report.clusters
    ]  # fmt: skip
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


# ── Groups ────────────────────────────────────────────────────────────────────
def _heat(report: Report) -> tuple[Any, int]:
    strongest = [max(abs(cluster.heat[place]) for cluster in report.clusters) for place in range(len(report.features))]
    chosen = sorted(sorted(range(len(strongest)), key=lambda place: -strongest[place])[:MOST_FEATURES])
    most = max(strongest[place] for place in chosen) or 1.0
    rows = [
        {
            "label": words.feature_name(report.features[place]), "group": cluster.key,
            "value": cluster.heat[place], "text": decimal(cluster.heat[place], 1),
            "strong": abs(cluster.heat[place]) > 0.6 * most,
        }
        for place in chosen
        for cluster in report.clusters
    ]  # fmt: skip
    keys = [cluster.key for cluster in report.clusters]
    base = alt.Chart(data(rows)).encode(
        x=alt.X("group:N", sort=keys, title=None, axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False)),
        y=categories([words.feature_name(report.features[place]) for place in chosen]),
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


def _retention(report: Report) -> tuple[Any, int]:
    rows = [
        (words.cluster_words(cluster), cluster.profile.retained, cluster.profile.size) for cluster in report.clusters
    ]
    return _shares(rows, report.retention_rate)


def _tiers(report: Report) -> tuple[Any, int]:
    rows = [(words.tier_name(tier.name), tier.retained, tier.units) for tier in report.tiers.tiers]
    return _shares(rows, report.retention_rate)


def _shares(rows: list[tuple[str, Share | NotComputable, int]], everybody: Share | NotComputable) -> tuple[Any, int]:
    """Bars of the share retained with Wilson intervals, and everybody's share as a line."""
    found = [
        {
            "label": f"{label} (n {n:,})", "value": value.estimate * 100, "low": value.low * 100,
            "high": value.high * 100, "text": percent(value.estimate),
        }
        for label, value, n in rows
        if computable(value)
    ]  # fmt: skip
    base = alt.Chart(data(found)).encode(y=categories([str(row["label"]) for row in found]))
    title = gettext("users retained, % (bar: share; line: 95 % CI)")
    layers: list[Any] = [
        base.mark_bar(height=16, color="#7FB8D8").encode(x=alt.X("value:Q", title=title, scale=alt.Scale(zero=True))),
        base.mark_rule(color=INK, strokeWidth=2).encode(x="low:Q", x2="high:Q"),
        base.mark_text(align="left", dx=8, fontSize=12, color=INK).encode(x="high:Q", text="text:N"),
    ]
    if computable(everybody):
        layers.append(rule(everybody.estimate * 100, colour=ORANGE))
        text = gettext("everybody looked at: %(share)s") % {"share": percent(everybody.estimate)}
        mark = alt.Chart(data([{"at": everybody.estimate * 100, "text": text}]))
        layers.append(
            mark.mark_text(align="center", baseline="bottom", fontSize=12, color=ORANGE).encode(
                x="at:Q", y=alt.value(-4), text="text:N"
            )
        )
    chart = alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * max(len(found), 1))
    return chart, 3 * len(found) + 2


# ── Tiers ─────────────────────────────────────────────────────────────────────
def _found_drivers(report: Report) -> Drivers:
    if not computable(report.tiers.drivers):
        raise ValueError("a report without drivers has no picture of them")
    return report.tiers.drivers


def _drivers(report: Report) -> tuple[Any, int]:
    found = _found_drivers(report)
    names = [gettext("beyond chance (adjusted p at most 0.05)"), gettext("may be chance")]
    rows = [
        {
            "label": words.feature_name(row.name), "estimate": row.delta.estimate,
            "low": row.delta.low, "high": row.delta.high,
            "clear": names[0] if row.delta.adjusted_p_value <= 0.05 else names[1],
        }
        for row in found.contrasts
        if isinstance(row.delta, Delta)
    ][:MOST_BEHAVIOURS]  # fmt: skip
    base = alt.Chart(data(rows)).encode(y=categories([str(row["label"]) for row in rows]))
    title = gettext("Cliff's delta on an active day, with its interval; right of 0: %(second)s does it more often") % {
        "second": words.tier_name(found.second)
    }
    legend = alt.Legend(title=None, orient="bottom", labelLimit=400)
    colour = alt.Color("clear:N", legend=legend, scale=alt.Scale(domain=names, range=[BLUE, "#9CA3AF"]))
    shape = alt.Shape("clear:N", legend=legend, scale=alt.Scale(domain=names, range=["circle", "diamond"]))
    layers = forest(base, lines(title, 70), colour=colour, shape=shape)
    chart = alt.layer(*layers).properties(width=WIDTH, height=24 * max(len(rows), 1))
    return chart, 2 * len(rows) + 1


def _ranking(report: Report) -> tuple[Any, int]:
    found = _found_drivers(report)
    groups = found.ranking[:MOST_BEHAVIOURS] if computable(found.ranking) else ()
    rows = [
        {
            "label": words.feature_names(group.members), "importance": group.importance, "rank": group.rank,
            "low": group.rank_low, "high": group.rank_high,
        }
        for group in groups
    ]  # fmt: skip
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
        x=alt.X("low:Q", title=gettext("rank with its 95 % CI"), axis=axis, scale=alt.Scale(zero=False)),
        x2="high:Q",
    )
    point = base.mark_point(filled=True, size=80, opacity=1, color=BLUE).encode(x="rank:Q")
    ranks = alt.layer(interval, point).properties(width=260, height=height)
    return alt.hconcat(bars, ranks, spacing=24), 3 * len(rows)


# ── Churn ─────────────────────────────────────────────────────────────────────
def _calibration(quality: Quality) -> Any:
    rows = [
        {"x": 100 * row.predicted, "y": 100 * row.observed, "low": 100 * row.low, "high": 100 * row.high}
        for row in quality.table
    ]
    top = max(max(row["high"], row["x"]) for row in rows)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("x:Q", title=gettext("predicted risk of leaving, %"), scale=alt.Scale(domain=[0, top]))
    )
    line = alt.Chart(data([{"x": 0, "y": 0}, {"x": top, "y": top}]))
    y_title = gettext("share that left, % (line: 95 % CI)")
    return alt.layer(
        line.mark_line(color=GREY, strokeDash=[4, 3]).encode(x="x:Q", y="y:Q"),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q"),
        base.mark_point(filled=True, size=80, color=BLUE, opacity=1).encode(y="y:Q"),
    ).properties(width=380, height=300)
