"""Report in, charts out: no computing. Each has a table of the same rows beside it on the page."""

from typing import Any

from aha.evidence.retention_curve import Curve, Point
from aha.moments.reached import WeeklyReach
from aha.report.findings import feature_name
from aha.report.series import observed_far, ranked, swarm_dots, tied
from aha.study.exhibits import NullPicture
from aha.study.result import Report
from events.metrics import display_name
from reporting.charts import (
    BLUE,
    DASHES,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    SERIES,
    SKY,
    YELLOW,
    Drawing,
    Drawn,
    Mark,
    alt,
    categories,
    data,
    lines,
    rule,
    share_axis,
    titled,
)
from reporting.numbers import decimal, percent
from reporting.words import gettext
from stats.results import computable

WIDTH = 560
ROW = 30


def draw_reach(found: WeeklyReach, finding: str) -> Drawing | None:
    """The weekly share of new users who reach a moment; None while no week has eligible users."""
    rows = [
        {"week": str(row.week), **limits(row.share), "complete": row.complete}
        for row in found.weeks
        if computable(row.share)
    ]
    if not rows:
        return None
    base = alt.Chart(data(rows)).encode(x=week_axis())
    y = alt.Y(
        "share:Q", title=gettext("share of new users who reach it"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    done, open_ = gettext("complete week"), gettext("week not complete yet")
    dots = base.transform_calculate(state=f"datum.complete ? '{done}' : '{open_}'").mark_point(
        filled=True, size=90, opacity=1
    )
    states = [done, open_] if not all(row["complete"] for row in rows) else [done]
    legend = alt.Legend(orient="bottom") if len(states) > 1 else None
    chart = alt.layer(
        base.mark_rule(color=GREY).encode(y="low:Q", y2="high:Q"),
        base.mark_line(color=BLUE).encode(y=y),
        dots.encode(
            y="share:Q",
            color=alt.Color("state:N", title=None, legend=legend, scale=alt.Scale(domain=states, range=[BLUE, YELLOW])),
            shape=alt.Shape(
                "state:N", title=None, legend=legend, scale=alt.Scale(domain=states, range=["circle", "triangle-up"])
            ),
        ),
    ).properties(width=WIDTH, height=220)
    return titled("reach", finding, (chart, 3 * len(rows)))


# ── Shared ────────────────────────────────────────────────────────────────────
def limits(value: Any) -> Mark:
    """A share with its limits as columns."""
    return {"share": value.estimate, "low": value.low, "high": value.high}


def week_axis() -> Any:
    """Signup weeks."""
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", labelExpr="slice(datum.label, 5)")  # month and day
    return alt.X("week:O", title=gettext("week of signup (Monday)"), axis=axis)


# ── The study ─────────────────────────────────────────────────────────────────
def curve(report: Report) -> Drawn:
    """Retention by day with its plateau."""
    everybody = gettext("all users")
    named = [(everybody, report.curve), *((row.segment, row.curve) for row in report.segment_curves)]
    # Day 0 is everybody by definition; with it the rest of the curve would lie flat on the axis.
    rows = [_point(name, point) for name, found in named for point in found.points if point.day > 0]
    names = [name for name, _ in named]
    base = alt.Chart(data(rows)).encode(x=alt.X("day:Q", title=gettext("days since signup")))
    y = alt.Y(
        "share:Q", title=gettext("active on that day, with interval"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    many = len(names) > 1
    # The bands are pale, and the legend would take their paleness over.
    legend = alt.Legend(orient="right", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2) if many else None
    colour = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=names, range=[INK, *SERIES][: len(names)]),
        legend=legend,
    )  # fmt: skip
    dash = alt.StrokeDash(
        "name:N", title=None, scale=alt.Scale(domain=names, range=[DASHES[n % 5] for n in range(len(names))]),
        legend=legend,
    )  # fmt: skip
    layers = [
        base.mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash),
        *_plateau(report.curve),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=240), 3 * len(named) + 4


def _point(name: str, point: Point) -> Mark:
    return {"name": name, "day": point.day, "share": point.share, "low": point.low, "high": point.high}


def _plateau(found: Curve) -> list[Any]:
    plateau = found.plateau
    if not computable(plateau):
        return []
    text = gettext("plateau {height}").format(height=percent(plateau.height))
    row = {"from": plateau.day, "to": found.points[-1].day, "height": plateau.height, "text": text}
    base = alt.Chart(data([row]))
    return [
        base.mark_rule(color=ORANGE, strokeWidth=3, strokeDash=[6, 3]).encode(x="from:Q", x2="to:Q", y="height:Q"),
        base.mark_text(color=ORANGE, fontSize=13, fontWeight="bold", align="left", dy=-12).encode(
            x="from:Q", y="height:Q", text="text:N"
        ),
    ]


def weeks(report: Report) -> Drawn:
    """Retention by signup week."""
    rows = [{"week": row.week, **limits(row.share)} for row in report.weeks]
    base = alt.Chart(data(rows)).encode(x=week_axis())
    y = alt.Y("share:Q", title=gettext("retained, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_line(color=LIGHT).encode(y=y),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(y="share:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=200), 3 * len(rows)


def ranking(report: Report) -> Drawn:
    """Importance of the features, with the ranges of their ranks."""
    found = ranked(report)
    kinds = {
        "behaviour": gettext("behaviour"),
        "activity": gettext("activity"),
        "attribute": gettext("known at signup"),
    }
    labels = [feature_name(row) for row in found]
    rows = [
        {
            "label": feature_name(row), "value": row.importance, "kind": kinds[row.kind],
            "low": row.rank_low, "high": row.rank_high, "rank": row.rank,
            "tie": gettext("tied") if tied(row, found) else "",
        }
        for row in found
    ]  # fmt: skip
    names = categories(labels)
    scale = alt.Scale(domain=list(kinds.values()), range=[BLUE, "#9CA3AF", YELLOW])
    base = alt.Chart(data(rows))
    bars = base.mark_bar(height=16).encode(
        y=names,
        x=alt.X("value:Q", title=gettext("mean |SHAP| (log-odds)")),
        color=alt.Color("kind:N", title=None, scale=scale, legend=alt.Legend(orient="bottom")),
    )
    bare = alt.Y("label:N", sort=labels, title=None, axis=None)
    rank = alt.X("low:Q", title=gettext("rank of its group, 95 % CI"), axis=alt.Axis(tickMinStep=1, format="d"))
    ranks = alt.layer(
        base.mark_rule(color=GREY, strokeWidth=3).encode(y=bare, x=rank, x2="high:Q"),
        base.mark_point(filled=True, size=70, color=INK, opacity=1).encode(y=bare, x="rank:Q"),
        base.mark_text(align="left", dx=9, fontSize=11, color=GREY).encode(y=bare, x="high:Q", text="tie:N"),
    )
    height = 24 * len(rows)
    chart = alt.hconcat(
        bars.properties(width=330, height=height), ranks.properties(width=200, height=height), spacing=24
    )
    return chart, 4 * len(rows)


def swarm(report: Report) -> Drawn:
    """The beeswarm."""
    swarms = report.model.swarm if computable(report.model) else ()
    rows = [
        {"label": display_name(swarm.behaviour), "shap": dot.shap, "height": dot.height, "quantile": dot.quantile}
        for swarm in swarms
        for dot in swarm_dots(swarm)
    ]
    often = alt.Legend(title=lines(gettext("how often, quantile"), 16), format=".0%", gradientLength=120, tickCount=3)
    dots = (
        alt.Chart(data(rows))
        .mark_circle(size=13, opacity=0.75)
        .encode(
            x=alt.X("shap:Q", title=gettext("SHAP: contribution to the log-odds of staying")),
            y=categories([display_name(swarm.behaviour) for swarm in swarms]),
            yOffset=alt.YOffset("height:Q", scale=alt.Scale(domain=[-1.15, 1.15])),
            color=alt.Color(
                "quantile:Q",
                scale=alt.Scale(domain=[0, 0.5, 1], range=[SKY, LIGHT, ORANGE], interpolate="rgb"),
                legend=often,
            ),
        )
    )
    zero = rule()
    return alt.layer(zero, dots).properties(width=WIDTH, height=alt.Step(36, **{"for": "position"})), len(rows)


def nulls(report: Report) -> Drawn:
    """What shuffles reach, and what the data reach."""
    named = ((report.luck, gettext("against luck")), (report.active, gettext("against equally active users")))
    panels = [_null(picture, name) for picture, name in named if computable(picture)]
    return alt.hconcat(*panels, spacing=36), 42 * len(panels)


def _null(picture: NullPicture, title: str) -> Any:
    edges = picture.edges
    rows = [{"from": edges[n], "to": edges[n + 1], "n": found} for n, found in enumerate(picture.counts)]
    far = observed_far(picture)
    last = edges[-1] * 1.25 if far else max(edges[-1], picture.observed) * 1.05
    at = last if far else picture.observed
    text = gettext("data: {value}").format(value=decimal(picture.observed, 1)) + (" →" if far else "")
    axis = alt.X(
        "from:Q", title=gettext("largest |z| of a shuffle"), scale=alt.Scale(domain=[edges[0], last], nice=False)
    )
    bars = alt.Chart(data(rows)).mark_bar(color="#9CA3AF").encode(
        x=axis, x2="to:Q", y=alt.Y("n:Q", title=gettext("shuffles")), y2=alt.datum(0)
    )  # fmt: skip
    mark = alt.Chart(data([{"at": at, "text": text}])).encode(x="at:Q")
    return alt.layer(
        bars,
        mark.mark_rule(color=ORANGE, strokeWidth=3, strokeDash=[4, 3] if far else [1, 0]),
        mark.mark_text(align="right", dx=-7, fontSize=13, fontWeight="bold", color=ORANGE).encode(
            y=alt.value(8), text="text:N"
        ),
    ).properties(width=270, height=180, title=alt.TitleParams(title, fontSize=12, fontWeight="normal"))
