"""Feature importance in a model of retention, or the reason why there is none. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH
from aha.study.result import Ranked, Report, Swarm
from events.metrics import display_name
from reporting.charts import BLUE, GREY, INK, ORANGE, YELLOW, Drawn, alt, categories, data, lines, rule
from reporting.numbers import between, count, decimal, number, percent
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable

MOST_RANKED = 15


def part(report: Report) -> Part:
    """Section of the feature ranking."""
    return Part(
        "ranking",
        gettext("Which behaviours predict who stays?"),
        finding(report),
        table(report),
        draw=(lambda: chart(report)) if ranked(report) else None,
        note=skill(report),
    )


def finding(report: Report) -> str:
    """The most important features, with the warning that importance is no cause."""
    rows = ranked(report)
    if not rows:
        return no_ranking(report)
    # A behaviour that is grouped with activity shares its rank: it adds no information of its own.
    activity = {row.group for row in rows if row.kind == "activity"}
    behaviours = [row for row in rows if row.kind == "behaviour" and row.group not in activity]
    if not behaviours:
        return gettext("Some behaviours predict retention, but no better than being active does.")
    first = behaviours[0]
    if tied(first, behaviours):
        text = gettext("Beyond activity {name} comes first, but not alone: ranks overlap (predictive, not causal).")
    else:
        text = gettext("Beyond activity, {name} predicts most about who stays (not causal).")
    return text.format(name=display_name(first.name))


def no_ranking(report: Report) -> str:
    """Why no ranking is shown."""
    model = report.model
    missing = model if not computable(model) else model.ranking
    return reason_words(missing) if isinstance(missing, NotComputable) else ""


def skill(report: Report) -> str:
    """How good the model is, with the logistic model beside it."""
    model = report.model
    if not computable(model):
        return ""
    text = gettext(
        "Cross-validated AUC {trees} ({low} to {high}) for gradient-boosted trees, {logistic} for a logistic "
        "model (chance: 50%). {n} users."
    )
    auc = model.trees.auc
    if not model.trees.beats_base_rate and model.logistic.beats_base_rate:
        why = gettext("Only the logistic model beats the base rate; ranks come from the trees, so there are none.")
        text = f"{text} {why}"
    return text.format(
        trees=percent(auc.estimate),
        low=percent(auc.low),
        high=percent(auc.high),
        logistic=percent(model.logistic.auc.estimate),
        n=count(model.trees.units),
    )


def table(report: Report) -> Table | None:
    """The features of the model with their ranks; None without a ranking."""
    rows = ranked(report)
    if not rows:
        return None
    kinds = _kinds()
    columns = (
        gettext("feature"),
        gettext("kind"),
        gettext("rank of its group (95% CI)"),
        gettext("tied"),
        gettext("mean |SHAP|, log-odds"),
        gettext("of its group"),
        gettext("direction (−1 to 1)"),
    )
    texts = tuple(
        (
            feature_name(row),
            kinds[row.kind],
            f"{row.rank} ({between(str(row.rank_low), str(row.rank_high))})",
            gettext("yes") if tied(row, rows) else "",
            decimal(row.importance, 3),
            decimal(row.group_importance, 3),
            number(row.direction, 2),
        )
        for row in rows
    )
    note = gettext(
        "Predictive, not causal. Features that go together share one rank; where ranges of ranks overlap, the order "
        "is not known. Direction: does more of it raise the prediction?"
    )
    return Table(gettext("Ranks of predictors"), columns, texts, note)


def chart(report: Report) -> Drawn:
    """Importance of the features, with the ranges of their ranks."""
    features = ranked(report)
    kinds = _kinds()
    labels = [feature_name(row) for row in features]
    rows = [
        {
            "label": feature_name(row),
            "value": row.importance,
            "kind": kinds[row.kind],
            "low": row.rank_low,
            "high": row.rank_high,
            "rank": row.rank,
            "tie": gettext("tied") if tied(row, features) else "",
        }
        for row in features
    ]
    names = categories(labels)
    scale = alt.Scale(domain=list(kinds.values()), range=[BLUE, GREY, YELLOW])
    base = alt.Chart(data(rows))
    bars = base.mark_bar(height=16).encode(
        y=names,
        x=alt.X("value:Q", title=gettext("mean |SHAP| (log-odds)")),
        color=alt.Color("kind:N", title=None, scale=scale, legend=alt.Legend(orient="bottom")),
    )
    bare = alt.Y("label:N", sort=labels, title=None, axis=None)
    rank = alt.X("low:Q", title=gettext("rank of its group, 95% CI"), axis=alt.Axis(tickMinStep=1, format="d"))
    ranks = alt.layer(
        base.mark_rule(color=GREY, strokeWidth=3).encode(y=bare, x=rank, x2="high:Q"),
        base.mark_point(filled=True, size=70, color=INK, opacity=1).encode(y=bare, x="rank:Q"),
        base.mark_text(align="left", dx=9, fontSize=12, color=GREY).encode(y=bare, x="high:Q", text="tie:N"),
    )
    height = 24 * len(rows)
    panels = (bars.properties(width=240, height=height), ranks.properties(width=150, height=height))
    return alt.hconcat(*panels, spacing=24), 4 * len(rows)


def ranked(report: Report) -> tuple[Ranked, ...]:
    """The most important features, one row per feature; empty without a ranking."""
    model = report.model
    if not computable(model) or not computable(model.ranking):
        return ()
    return model.ranking[:MOST_RANKED]


def tied(row: Ranked, rows: Sequence[Ranked]) -> bool:
    """True when another group's range of ranks overlaps this one's: they can't be put in order."""
    return any(
        other.group != row.group and other.rank_low <= row.rank_high and row.rank_low <= other.rank_high
        for other in rows
    )


def feature_name(row: Ranked) -> str:
    """A feature of the model; behaviours and attributes keep their own name."""
    return gettext("active days") if row.kind == "activity" else display_name(row.name)


def _kinds() -> dict[str, str]:
    return {"behaviour": gettext("behaviour"), "activity": gettext("activity"), "attribute": gettext("known at signup")}


# Beeswarm: in which direction behaviours move a model's prediction, one dot per user of a sample. Pure.

SWARM_BINS = 60


@dataclass(frozen=True)
class Dot:
    """A unit in the beeswarm: SHAP in log-odds, height within its row (-1 to 1), value as a quantile (0 to 1)."""

    shap: float
    height: float
    quantile: float


def beeswarm_part(report: Report) -> Part | None:
    """Section of the beeswarm; None without a ranking."""
    if not ranked(report) or not computable(report.model) or not report.model.swarm:
        return None
    note = gettext(
        "Each dot is a user of a sample. Right: the model expects them to stay, left: to leave. Colour: how often they "
        "did it, compared with the other users."
    )
    swarms = report.model.swarm
    heading, text = gettext("In which direction?"), beeswarm_finding(report, swarms[0].behaviour)
    return Part("swarm", heading, text, None, draw=lambda: beeswarm_chart(swarms), note=note)


def beeswarm_finding(report: Report, behaviour: str) -> str:
    """In which direction a behaviour moves the prediction."""
    row = next((row for row in ranked(report) if row.name == behaviour), None)
    rising = row is not None and computable(row.direction) and row.direction > 0
    text = (
        gettext("The more {name}, the more the model expects a user to stay (predictive, not causal).")
        if rising
        else gettext("More {name} does not make the model expect a user to stay (predictive, not causal).")
    )
    return text.format(name=display_name(behaviour))


def beeswarm_chart(swarms: Sequence[Swarm]) -> Drawn:
    """A row of dots for each behaviour."""
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
                scale=alt.Scale(domain=[0, 0.5, 1], range=[BLUE, GREY, ORANGE], interpolate="rgb"),
                legend=often,
            ),
        )
    )
    return alt.layer(rule(), dots).properties(width=WIDTH - 140, height=alt.Step(36, **{"for": "position"})), len(rows)


def swarm_dots(swarm: Swarm) -> tuple[Dot, ...]:
    """The units of one behaviour, stacked where many have similar values, so that a row's width shows their number."""
    if not swarm.shap:
        return ()
    low, high = min(swarm.shap), max(swarm.shap)
    width = (high - low) / SWARM_BINS or 1.0
    stacks: dict[int, int] = {}
    heights = []
    for shap in swarm.shap:
        place = int((shap - low) / width)
        step = stacks[place] = stacks.get(place, -1) + 1
        heights.append((step + 1) // 2 * (1 if step % 2 else -1))
    tallest = max(map(abs, heights)) or 1
    scale = max(tallest, 6)  # so that a few isolated units stay near the middle of the row
    return tuple(
        Dot(shap, height / scale, quantile)
        for shap, height, quantile in zip(swarm.shap, heights, swarm.quantile, strict=True)
    )
