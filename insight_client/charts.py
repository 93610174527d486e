"""Altair charts (extra `charts`). Shares are shown in percent, differences in percentage points."""

import altair as alt
import pandas as pd

from insight_client import frames
from insight_client.records import Analysis, Candidate, Study

WIDTH, STEP = 440, 34
SHARES = "proportion"  # the kind of an outcome whose numbers are shares
BLUE, GREY = "#2f5fd0", "#7a7f87"
RUNGS = {
    "raw": "not adjusted",
    "mantel_haenszel": "active days, week, segment",
    "aipw_base": "what was known at signup",
    "aipw_full": "all else in the same days",
    "daily_trials": "day by day, what was there before",
}


def retention_curve(study: Study) -> alt.LayerChart:
    """Share of users active on each day since the signup, with its interval.

    Raises:
        ValueError: the study has no curve.
    """
    table = frames.curve(study)
    if table.empty:
        raise ValueError(f"Study {study.id} is {study.status} and has no curve.")
    title = _title("Users active by day", f"Share of {int(table.active_n.max()):,} users with any event; band: 95 %")
    days = alt.X("day:Q", title="days since signup")
    base = alt.Chart(table)
    band = base.mark_area(opacity=0.2, color=BLUE).encode(x=days, y=_share("active_low"), y2="active_high")
    line = base.mark_line(color=BLUE).encode(x=days, y=_share("active"))
    return alt.LayerChart(layer=[band, line], width=WIDTH, height=220, title=title)


def ladder(candidate: Candidate) -> alt.LayerChart:
    """Difference in retention of a candidate by step of the adjustment ladder. No step shows a cause.

    Raises:
        ValueError: no rung can be computed.
    """
    table = frames.ladder(candidate).rename(columns=lambda name: name.replace("difference", "value"))
    table["label"] = [RUNGS.get(name, name) for name in table.name]
    lines = (f"{candidate.words}: retention of doers minus others, in points", "bar: 95 %; predictive, not causal")
    return _forest(table, "What is left after adjusting for more", lines)


def effects(analysis: Analysis, outcome: str | None = None) -> alt.LayerChart:
    """Effect of every arm on every outcome, and of the behaviour where the plan has one.

    Args:
        analysis: with its outcome open.
        outcome: one outcome, in its own unit; None: all outcomes that are shares, in points. Outcomes in other units
            (a sum of money, a count) are only named in the heading.

    Raises:
        Locked: the plan keeps the outcomes locked for now.
        ValueError: no effect can be computed, or there is no such outcome.
    """
    chosen = [row for row in analysis.effects if (row.kind == SHARES if outcome is None else row.outcome == outcome)]
    if not chosen:
        raise ValueError(f"{analysis.experiment} has no outcome {outcome or 'that is a share'}.")
    in_points = chosen[0].kind == SHARES
    others = dict.fromkeys(row.outcome for row in analysis.effects if outcome is None and row.kind != SHARES)
    rows = []
    for row in chosen:
        shown = [(f"{row.variant}: being nudged", row.difference)]
        if row.effect is not None:
            whose = (
                "per user who did it because of the nudge"
                if row.estimand == "own"
                else "per user in nudged clusters, with their friends"
            )
            shown.append((f"{row.variant}: the behaviour, {whose}", row.effect))
        for label, found in shown:
            limits = {"value": found.value, "value_low": found.low, "value_high": found.high}
            rows.append({"label": f"{row.outcome}, {label}", "reason": found.reason} | limits)
    table = pd.DataFrame(rows)
    lines: tuple[str, ...] = (f"{'points' if in_points else 'unit'} of the outcome; bar: 95 %",)
    lines += tuple(f"in its own unit, not drawn here: {name}" for name in others)
    return _forest(table, f"Effects in {analysis.experiment}", lines, in_points=in_points)


def _forest(table: pd.DataFrame, heading: str, lines: tuple[str, ...], *, in_points: bool = True) -> alt.LayerChart:
    """Estimates with their intervals, one below the other; those without a number are named below the heading."""
    numbers = table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in _LIMITS})
    absent = numbers[numbers.value.isna()]
    numbers = numbers.dropna(subset=["value"])
    if numbers.empty:
        raise ValueError("No number can be computed: " + "; ".join(dict.fromkeys(table.reason)))
    lines += tuple(f"not computable: {label}" for label in absent.label)
    numbers[_LIMITS] = numbers[_LIMITS] * (100 if in_points else 1)
    unit = "points" if in_points else "in the outcome's own unit"
    places = alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=320))
    base = alt.Chart(numbers)
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="value:Q")
    bars = base.mark_rule(color=BLUE, strokeWidth=2).encode(
        x=alt.X("value_low:Q", title=unit), x2="value_high", y=places
    )
    points = base.mark_point(color=BLUE, filled=True, size=70).encode(x=alt.X("value:Q", title=unit), y=places)
    return alt.LayerChart(layer=[zero, bars, points], width=WIDTH, height=alt.Step(STEP), title=_title(heading, *lines))


def _title(heading: str, *lines: str) -> alt.Title:
    return alt.Title(heading, subtitle=list(lines), anchor="start")


_LIMITS = ["value", "value_low", "value_high"]


def _share(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", title="share of users", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
