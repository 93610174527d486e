"""Retention over time, records in and charts out: no computing. Each has a table of the same rows on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.report import over_time as words
from reporting.charts import DASHES, GREY, INK, LIGHT, SERIES, Drawing, alt, data, drawing, lines, rule, share_axis
from reporting.numbers import count, level_text
from reporting.words import gettext
from stats.novelty import Novelty, Trend
from stats.results import Estimate, Interval, NotComputable
from stats.survival.day_curve import CurveDifference, DayShare
from stats.survival.kaplan_meier import SurvivalCurve

type Mark = dict[str, Any]

WIDTH = 560
HEIGHT = 240
PANEL = 170
ROW = 18
POINTS = 100.0


@dataclass(frozen=True)
class AtRisk:
    """The table below a Kaplan-Meier chart: units still observed and not gone, by variant and day.

    Attributes:
        days: the days of the columns.
        units: one row of counts per variant, in the curves' order.
    """

    days: tuple[float, ...]
    units: Mapping[str, tuple[int, ...]]


def draw_survival(
    curves: Mapping[str, SurvivalCurve],
    at_risk: AtRisk,
    differences: Mapping[str, Estimate | NotComputable],
    tau: float,
) -> Drawing | None:
    """Kaplan-Meier curves with pointwise bands and the units at risk below them.

    Args:
        curves: by variant, control first.
        at_risk: the table drawn below.
        differences: RMST difference by variant; the title says them.
        tau: their horizon in days, drawn as a line.
    """
    if not curves:
        return None
    end = max(1.0, *(curve.follow_up for curve in curves.values()))
    layers, marks = _survival_layers(curves, end)
    if tau <= end:
        rule = alt.Chart(data([{"day": tau}])).mark_rule(color=GREY, strokeDash=[2, 3])
        layers.append(rule.encode(x=_until(end, None, alt.Axis(tickMinStep=1))))
    finding = words.stay_finding(differences, tau)
    level = level_text(next(iter(curves.values())).level)
    note = gettext("Bands: pointwise {level} intervals. Dotted line: the horizon of {tau} days.")
    note = note.format(level=level, tau=f"{tau:g}")
    sizes = words.sizes({name: curve.n for name, curve in curves.items()})
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    whole = alt.vconcat(chart, _table(at_risk, end), spacing=4)
    return _drawn("survival", finding, [sizes, note], whole, marks)


def draw_curve(curves: Mapping[str, Sequence[DayShare]]) -> Drawing | None:
    """D-n retention by variant with pointwise intervals; None without a day after day 0."""
    # Day 0 is nearly everybody; with it the rest of the curve would lie flat on the axis.
    shown = {name: [row for row in rows if row.day > 0] for name, rows in curves.items()}
    rows = [
        {"name": name, "day": row.day, "share": row.share.estimate, "low": row.share.low, "high": row.share.high}
        for name, days in shown.items()
        for row in days
    ]
    finding = words.curve_finding(shown)
    if not finding:
        return None
    names = list(curves)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("day:Q", title=gettext("days since day 0 of the unit"), axis=alt.Axis(tickMinStep=1))
    )
    y = alt.Y("share:Q", title=gettext("active on that day"), axis=share_axis(), scale=alt.Scale(zero=True))
    chart = alt.layer(
        base.mark_area(opacity=0.16).encode(y=alt.Y("low:Q"), y2="high:Q", color=_colour(names)),
        base.mark_line(strokeWidth=2).encode(y=y, color=_colour(names), strokeDash=_dash(names)),
    ).properties(width=WIDTH, height=HEIGHT)
    note = gettext("Bands: pointwise {level} intervals. Later days rest on fewer units; the table has each day's n.")
    level = next(row.share.level for days in shown.values() for row in days)
    subtitle = [_eligible(shown), note.format(level=level_text(level))]
    return _drawn("daily-curve", finding, subtitle, chart, len(rows) * 2)


def draw_curve_difference(found: Mapping[str, CurveDifference]) -> Drawing | None:
    """Difference of D-n retention to control, one panel per variant, with interval and band over all days."""
    panels, marks = [], 0
    for place, (name, curve) in enumerate(found.items()):
        rows = [
            {
                "day": day.day, "estimate": day.difference.estimate * POINTS,
                "low": day.difference.low * POINTS, "high": day.difference.high * POINTS,
                "band_low": day.band.low * POINTS, "band_high": day.band.high * POINTS, "apart": day.sign != 0,
            }
            for day in curve.days
        ]  # fmt: skip
        marks += 3 * len(rows)
        panels.append(_difference_panel(rows, name, SERIES[place % len(SERIES)]))
    if not panels:
        return None
    finding = words.difference_finding(found)
    first = next(iter(found.values()))
    arms = {gettext("control"): [day.control for day in first.days]}
    arms |= {name: [day.variant for day in curve.days] for name, curve in found.items()}
    note = gettext(
        "Bars: {level} interval of that day alone. Grey band: {level} for all days together; filled if it excludes 0."
    ).format(level=level_text(first.level))
    chart = alt.vconcat(*panels, spacing=14)
    return _drawn("daily-difference", finding, [_eligible(arms), note], chart, marks)


def draw_novelty(found: Mapping[str, Novelty], *, share: bool) -> Drawing | None:
    """Effect by enrolment week, one panel per variant, with the line through the weeks that are tested.

    Args:
        found: by variant, without control.
        share: the outcome is a share: effects are drawn in points.
    """
    panels, marks = [], 0
    title = gettext("difference to control, points") if share else gettext("difference to control")
    for place, (name, novelty) in enumerate(found.items()):
        shown = sum(isinstance(week.effect, Estimate) for week in novelty.weeks)
        if shown:
            marks += 3 * shown
            colour, factor = SERIES[place % len(SERIES)], POINTS if share else 1.0
            panels.append(_week_panel(novelty, factor, name, title, colour))
    if not panels:
        return None
    finding = words.novelty_finding(found, share=share)
    sizes = {name: sum(week.control_n + week.variant_n for week in novelty.weeks) for name, novelty in found.items()}
    levels = [week.effect.level for row in found.values() for week in row.weeks if isinstance(week.effect, Estimate)]
    note = gettext(
        "Control and variant are counted together. Bars: {level} intervals. Hollow: too few units for a test."
    )
    note = note.format(level=level_text(levels[0]))
    chart = alt.vconcat(*panels, spacing=14)
    return _drawn("novelty", finding, [words.sizes(sizes), note], chart, marks)


# ── Parts ─────────────────────────────────────────────────────────────────────
def _drawn(slug: str, finding: str, subtitle: Sequence[str], chart: Any, marks: int) -> Drawing:
    under = [line for part in subtitle for line in lines(part, 96)]
    above = [line for sentence in finding.splitlines() for line in lines(sentence)]
    title = alt.TitleParams(above, subtitle=under, offset=14, subtitlePadding=6)
    return drawing(slug, finding.replace("\n", " "), chart.properties(title=title), marks=marks)


def _colours(names: Sequence[str]) -> list[str]:
    """Control in ink, variants in the series' colours."""
    return [INK, *(SERIES[n % len(SERIES)] for n in range(len(names) - 1))]


def _colour(names: Sequence[str]) -> Any:
    # The bands are pale, and the legend would take their paleness over.
    legend = alt.Legend(orient="top", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2, labelLimit=260)
    return alt.Color("name:N", title=None, scale=alt.Scale(domain=names, range=_colours(names)), legend=legend)


def _dash(names: Sequence[str]) -> Any:
    styles = [DASHES[n % len(DASHES)] for n in range(len(names))]
    legend = alt.Legend(orient="top", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2, labelLimit=260)
    return alt.StrokeDash("name:N", title=None, scale=alt.Scale(domain=names, range=styles), legend=legend)


def _until(end: float, title: str | None, axis: Any) -> Any:
    """The days of the curves, the same for the table below them."""
    return alt.X("day:Q", title=title, scale=alt.Scale(domain=[0, end], nice=False), axis=axis)


def _survival_layers(curves: Mapping[str, SurvivalCurve], end: float) -> tuple[list[Any], int]:
    """Bands and step curves, and how many points they have."""
    names = list(curves)
    curve_rows = [row for name, curve in curves.items() for row in _steps(name, curve)]
    band_rows = [row for name, curve in curves.items() for row in _bands(name, curve)]
    x = _until(end, None, alt.Axis(tickMinStep=1))
    y = alt.Y("share:Q", title=gettext("share still there"), axis=share_axis(), scale=alt.Scale(domain=[0, 1]))
    band = alt.Chart(data(band_rows)).mark_area(opacity=0.16, interpolate="step-after")
    step = alt.Chart(data(curve_rows)).mark_line(strokeWidth=2, interpolate="step-after")
    layers = [
        band.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=_colour(names)),
        step.encode(x=x, y=y, color=_colour(names), strokeDash=_dash(names)),
    ]
    return layers, len(curve_rows) + len(band_rows)


def _steps(name: str, curve: SurvivalCurve) -> list[Mark]:
    rows = [{"name": name, "day": 0.0, "share": 1.0}]
    rows += [{"name": name, "day": step.time, "share": step.survival} for step in curve.steps]
    return [*rows, {**rows[-1], "day": curve.follow_up}]


def _bands(name: str, curve: SurvivalCurve) -> list[Mark]:
    """Limits as long as there are any; the last pair reaches to where it ends."""
    rows: list[Mark] = []
    for step in curve.steps:
        if not isinstance(step.interval, Interval):
            return [*rows, {**rows[-1], "day": step.time}] if rows else []
        rows.append({"name": name, "day": step.time, "low": step.interval.low, "high": step.interval.high})
    return [*rows, {**rows[-1], "day": curve.follow_up}] if rows else []


def _table(at_risk: AtRisk, end: float) -> Any:
    rows = [
        {"name": name, "day": day, "text": count(units)}
        for name, counts in at_risk.units.items()
        for day, units in zip(at_risk.days, counts, strict=True)
        if day <= end
    ]
    names = list(at_risk.units)
    title = gettext("days since day 0 of the unit; below the curves: units at risk")
    return (
        alt.Chart(data(rows))
        .mark_text(fontSize=11)
        .encode(
            x=_until(end, title, alt.Axis(ticks=False, domain=False, grid=False, labels=False)),
            y=alt.Y(
                "name:N",
                sort=names,
                title=None,
                axis=alt.Axis(ticks=False, domain=False, grid=False, labelLimit=110, labelPadding=28),
            ),
            text="text:N",
            color=alt.Color("name:N", scale=alt.Scale(domain=names, range=_colours(names)), legend=None),
        )
        .properties(width=WIDTH, height=ROW * len(names))
    )


def _eligible(arms: Mapping[str, Sequence[DayShare]]) -> str:
    """The denominators of the first and of the last day."""
    parts = [
        gettext("{name} {first} on day {from_day}, {last} on day {to_day}").format(
            name=name, first=count(days[0].eligible), from_day=days[0].day,
            last=count(days[-1].eligible), to_day=days[-1].day,
        )
        for name, days in arms.items()
    ]  # fmt: skip
    return "n: " + " · ".join(parts)


def _difference_panel(rows: list[Mark], name: str, colour: str) -> Any:
    x = alt.X("day:Q", title=gettext("days since day 0 of the unit"), axis=alt.Axis(tickMinStep=1))
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("estimate:Q", title=gettext("difference, points"))
    dots = base.mark_point(size=45, color=colour, opacity=1, strokeWidth=1.5)
    layers = [
        base.mark_area(color=LIGHT, opacity=0.6).encode(y=alt.Y("band_low:Q"), y2="band_high:Q"),
        rule(channel="y"),
        base.mark_rule(color=colour, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        dots.encode(y=y, fill=alt.condition("datum.apart", alt.value(colour), alt.value("#ffffff"))),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=_panel_title(name))


def _panel_title(name: str) -> Any:
    return alt.TitleParams(name, fontSize=12, fontWeight="normal", anchor="start")


def _weeks(novelty: Novelty, scale: float) -> list[Mark]:
    return [
        {
            "week": str(row.week), "estimate": row.effect.estimate * scale,
            "low": row.effect.low * scale, "high": row.effect.high * scale, "tested": row.tested,
        }
        for row in novelty.weeks
        if isinstance(row.effect, Estimate)
    ]  # fmt: skip


def _week_panel(novelty: Novelty, scale: float, name: str, title: str, colour: str) -> Any:
    rows = _weeks(novelty, scale)
    # A time axis, so that a week without units leaves its gap and the fitted line stays straight.
    axis = alt.Axis(format="%m-%d", values=_ticks([row["week"] for row in rows]), labelOverlap="greedy")
    x = alt.X("week:T", title=gettext("week of enrolment (Monday)"), axis=axis, scale=alt.Scale(type="utc", padding=16))
    base = alt.Chart(data(rows)).encode(x=x)
    layers = [
        rule(channel="y"),
        base.mark_rule(color=colour, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_point(size=70, color=colour, opacity=1, strokeWidth=1.5).encode(
            y=alt.Y("estimate:Q", title=title, scale=alt.Scale(zero=True)),
            fill=alt.condition("datum.tested", alt.value(colour), alt.value("#ffffff")),
        ),
    ]
    if isinstance(novelty.trend, Trend):
        tested = [row["week"] for row in rows if row["tested"]]
        ends = [
            {"week": tested[place], "estimate": end.estimate * scale}
            for place, end in ((0, novelty.trend.first), (-1, novelty.trend.last))
        ]
        layers.insert(1, alt.Chart(data(ends)).mark_line(color=GREY, strokeDash=[6, 3]).encode(x=x, y="estimate:Q"))
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=_panel_title(name))


def _ticks(weeks: Sequence[str]) -> list[Mark]:
    return [{"year": int(week[:4]), "month": int(week[5:7]), "date": int(week[8:]), "utc": True} for week in weeks]
