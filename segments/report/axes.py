"""Shared parts of segmentation charts: widths, and bars of the share retained. Pure."""

from typing import Any

from reporting.charts import INK, ORANGE, Drawn, alt, categories, data, rule
from reporting.numbers import percent
from reporting.words import gettext
from segments.search.leaving import Share
from stats.results import NotComputable, computable

WIDTH = 520
ROW_HEIGHT = 30


def retained_bars(rows: list[tuple[str, Share | NotComputable, int]], everybody: Share | NotComputable) -> Drawn:
    """Bars of the share retained with Wilson intervals, and the share of all users as a line."""
    found = [
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
    base = alt.Chart(data(found)).encode(y=categories([str(row["label"]) for row in found]))
    title = gettext("users retained, % (bar: share; line: 95% CI)")
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
