"""In which direction behaviours move a model's prediction: one dot for each user of a sample. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH
from aha.report.ranking import ranked
from aha.study.drawn_results import Swarm
from aha.study.result import Report
from events.metrics import display_name
from reporting.charts import LIGHT, ORANGE, SKY, Drawn, alt, categories, data, lines, rule
from reporting.table import Part
from reporting.words import gettext
from stats.results import computable

SWARM_BINS = 60


@dataclass(frozen=True)
class Dot:
    """A unit in the beeswarm: SHAP in log-odds, height within its row (-1 to 1), value as a quantile (0 to 1)."""

    shap: float
    height: float
    quantile: float


def part(report: Report) -> Part | None:
    """In which direction? None without a ranking."""
    if not ranked(report) or not computable(report.model) or not report.model.swarm:
        return None
    note = gettext(
        "Each dot is a user of a sample. Right: the model expects them to stay, left: to leave. Colour: how often they "
        "did it, compared with the other users."
    )
    swarms = report.model.swarm
    heading, text = gettext("In which direction?"), finding(report, swarms[0].behaviour)
    return Part("swarm", heading, text, None, draw=lambda: chart(swarms), note=note)


def finding(report: Report, behaviour: str) -> str:
    """In which direction a behaviour moves the prediction."""
    row = next((row for row in ranked(report) if row.name == behaviour), None)
    rising = row is not None and computable(row.direction) and row.direction > 0
    text = (
        gettext("The more {name}, the more the model expects a user to stay (predictive, not causal).")
        if rising
        else gettext("More {name} does not make the model expect a user to stay (predictive, not causal).")
    )
    return text.format(name=display_name(behaviour))


def chart(swarms: Sequence[Swarm]) -> Drawn:
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
                scale=alt.Scale(domain=[0, 0.5, 1], range=[SKY, LIGHT, ORANGE], interpolate="rgb"),
                legend=often,
            ),
        )
    )
    return alt.layer(rule(), dots).properties(width=WIDTH, height=alt.Step(36, **{"for": "position"})), len(rows)


def swarm_dots(swarm: Swarm) -> tuple[Dot, ...]:
    """The units of one behaviour, stacked where many lie together, so that the width of a row shows how many."""
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
    scale = max(tallest, 6)  # a few lonely units must not be thrown to the edge
    return tuple(
        Dot(shap, height / scale, quantile)
        for shap, height, quantile in zip(swarm.shap, heights, swarm.quantile, strict=True)
    )
