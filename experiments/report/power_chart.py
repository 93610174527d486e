"""The power curve of a plan as a chart. Pure."""

from reporting.charts import BLUE, GREY, ORANGE, Drawing, alt, data, drawing
from reporting.numbers import count, effect_text, percent
from reporting.words import gettext

WIDTH, HEIGHT = 330, 190  # fits the narrow column beside the form


def power_curve(
    points: tuple[tuple[int, float], ...], *, units: int, reached: float, wanted: float, effect: float, share: bool
) -> Drawing:
    """Power for the planned effect by the number of units, with the plan's own size marked.

    Args:
        points: (units of all variants, power 0 to 1), by units.
        units: planned units of all variants.
        reached: power with them, 0 to 1.
        wanted: the plan's power, 0 to 1.
        effect: planned, absolute.
        share: True when the effect is a difference of shares, shown in points.
    """
    title = gettext("With {units} units, an effect of {effect} is found with a chance of {power}").format(
        units=count(units), effect=effect_text(effect, share=share), power=percent(reached, 0)
    )
    rows = [{"units": one, "power": power} for one, power in points]
    axis = alt.Axis(format="%", tickCount=5)
    y = alt.Y("power:Q", title=gettext("Chance to find it"), scale=alt.Scale(domain=[0, 1]), axis=axis)
    x = alt.X("units:Q", title=gettext("Units of all variants"), axis=alt.Axis(format=",d", tickCount=5))
    line = alt.Chart(data(rows)).mark_line(color=BLUE, strokeWidth=2.5).encode(x=x, y=y)
    goal = alt.Chart(data([{"power": wanted}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="power:Q")
    here = alt.Chart(data([{"units": units, "power": reached}]))
    dot = here.mark_point(color=ORANGE, filled=True, size=110, opacity=1).encode(x="units:Q", y="power:Q")
    chart = alt.layer(goal, line, dot).properties(width=WIDTH, height=HEIGHT)
    return drawing("power-curve", title, chart, marks=len(rows))
