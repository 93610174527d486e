"""How long units stay: time to churn, and mean days before it. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from experiments.analyse.result import OverTime, Readout
from experiments.report.chart_pieces import WIDTH
from experiments.report.over_time.curves import HEIGHT, colour_of, colours, dash_of, sizes, titled_above
from reporting.charts import GREY, Drawn, Mark, alt, data, share_axis
from reporting.numbers import between, count, decimal, level_text, p_value, signed
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, Interval, NotComputable, computable
from stats.survival.kaplan_meier import SurvivalCurve

ROW = 18


def part_of(readout: Readout) -> Part | None:
    """The part; with a chart where every arm has a survival curve."""
    if not readout.over_time:
        return None
    curves = {arm.variant: arm.survival for arm in readout.arms_over_time if computable(arm.survival)}
    whole = bool(curves) and len(curves) == len(readout.arms_over_time)
    return Part(
        "survival",
        gettext("How long do units stay?"),
        finding(differences(readout), readout.over_time[0].tau).replace("\n", " "),
        table(readout.over_time),
        draw=partial(_draw_readout, readout, curves) if whole else None,
    )


def differences(readout: Readout) -> dict[str, Estimate | NotComputable]:
    """Difference in mean days before churn of each variant to control."""
    return {row.variant: row.restricted for row in readout.over_time}


def _draw_readout(readout: Readout, curves: Mapping[str, SurvivalCurve]) -> Drawn:
    at_risk = {arm.variant: [(float(day), units) for day, units in arm.at_risk] for arm in readout.arms_over_time}
    return draw(curves, at_risk, differences(readout), readout.over_time[0].tau)


def finding(differences: Mapping[str, Estimate | NotComputable], tau: float) -> str:
    """Difference in mean days before churn to control (RMST), a line per variant.

    Args:
        differences: variant to difference in days, positive when it stays longer.
        tau: horizon in days.
    """
    sentences = []
    for variant, found in differences.items():
        if isinstance(found, NotComputable):
            sentences.append(f"{variant}: {reason_words(found)}")
            continue
        if found.low > 0:
            text = gettext("{variant}: stays {days} days longer than control, of the first {tau} ({limits}).")
        elif found.high < 0:
            text = gettext("{variant}: leaves {days} days earlier than control, of the first {tau} ({limits}).")
        else:
            text = gettext("{variant}: no longer or shorter stay than control was shown in {tau} days ({limits}).")
        limits = between(signed(found.low), signed(found.high))
        sentences.append(text.format(variant=variant, days=decimal(abs(found.estimate)), tau=f"{tau:g}", limits=limits))
    return "\n".join(sentences)


def table(rows: tuple[OverTime, ...]) -> Table:
    """Log-rank, mean days before churn, crossing curves, and whether the effect fades."""
    found: list[Row] = []
    for row in rows:
        test, mean, cross = row.log_rank, row.restricted, row.crossing
        crossing = reason_words(cross) if not computable(cross) else _crossing(cross.crosses, cross.clearly)
        found.append(
            (
                row.variant,
                gettext("chi-square {statistic}, p {p}, {n} strata").format(
                    statistic=decimal(test.statistic), p=p_value(test.p_value), n=test.strata
                )
                if computable(test)
                else reason_words(test),
                _days(mean),
                crossing,
            )
        )
    tau = f"{rows[0].tau:g}" if rows else ""
    columns = (
        gettext("variant"),
        gettext("log-rank test, stratified by segment"),
        gettext("days longer before churn, of the first {tau}").format(tau=tau),
        gettext("do the curves cross?"),
    )
    return Table(gettext("Time to churn"), columns, tuple(found))


def _days(found: Estimate | NotComputable) -> str:
    if not computable(found):
        return reason_words(found)
    return f"{decimal(found.estimate)} ({between(decimal(found.low), decimal(found.high))}), p {p_value(found.p_value)}"


def _crossing(crosses: bool, clearly: bool) -> str:
    if clearly:
        return gettext("yes, clearly: one number can't tell the whole story")
    return gettext("a little, as noise does") if crosses else gettext("no")


# Units at risk (observed and not churned), of each arm by day.
type AtRisk = Mapping[str, Sequence[tuple[float, int]]]


def draw(
    curves: Mapping[str, SurvivalCurve],
    at_risk: AtRisk,
    differences: Mapping[str, Estimate | NotComputable],
    tau: float,
) -> Drawn:
    """Kaplan-Meier curves with pointwise bands and the units at risk below them.

    Args:
        curves: by variant, control first.
        at_risk: the table drawn below.
        differences: RMST difference by variant, for the title.
        tau: their horizon in days, drawn as a line; the curves end there.
    """
    followed = max(1.0, *(curve.follow_up for curve in curves.values()))
    end = min(followed, max(tau, 1.0))  # beyond the horizon few units are observed, and nothing is compared
    layers, marks = _layers(curves, end)
    if tau <= end:
        rule = alt.Chart(data([{"day": tau}])).mark_rule(color=GREY, strokeDash=[2, 3])
        layers.append(rule.encode(x=_until(end, None, alt.Axis(tickMinStep=1))))
    level = level_text(next(iter(curves.values())).level)
    note = gettext("Bands: pointwise {level} intervals. Dotted line: the horizon of {tau} days.")
    note = note.format(level=level, tau=f"{tau:g}")
    units = sizes({name: curve.n for name, curve in curves.items()})
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    whole = alt.vconcat(chart, _units_at_risk(at_risk, end), spacing=4)
    return titled_above(finding(differences, tau), [units, note], whole), marks


def _until(end: float, title: str | None, axis: Any) -> Any:
    """The x axis in days, shared by the curves and the table below them."""
    return alt.X("day:Q", title=title, scale=alt.Scale(domain=[0, end], nice=False), axis=axis)


def _layers(curves: Mapping[str, SurvivalCurve], end: float) -> tuple[list[Any], int]:
    """Bands and step curves, and their number of points."""
    names = list(curves)
    curve_rows = [row for name, curve in curves.items() for row in _steps(name, curve, end)]
    band_rows = [row for name, curve in curves.items() for row in _bands(name, curve, end)]
    x = _until(end, None, alt.Axis(tickMinStep=1))
    y = alt.Y("share:Q", title=gettext("share still there"), axis=share_axis(), scale=alt.Scale(domain=[0, 1]))
    band = alt.Chart(data(band_rows)).mark_area(opacity=0.16, interpolate="step-after")
    step = alt.Chart(data(curve_rows)).mark_line(strokeWidth=2, interpolate="step-after")
    layers = [
        band.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour_of(names)),
        step.encode(x=x, y=y, color=colour_of(names), strokeDash=dash_of(names)),
    ]
    return layers, len(curve_rows) + len(band_rows)


def _steps(name: str, curve: SurvivalCurve, end: float) -> list[Mark]:
    rows = [{"name": name, "day": 0.0, "share": 1.0}]
    rows += [{"name": name, "day": step.time, "share": step.survival} for step in curve.steps if step.time <= end]
    return [*rows, {**rows[-1], "day": min(curve.follow_up, end)}]


def _bands(name: str, curve: SurvivalCurve, end: float) -> list[Mark]:
    """Limits while they can be computed; the last pair is extended to where they end."""
    rows: list[Mark] = []
    for step in curve.steps:
        if step.time > end:
            break
        if not isinstance(step.interval, Interval):
            return [*rows, {**rows[-1], "day": step.time}] if rows else []
        rows.append({"name": name, "day": step.time, "low": step.interval.low, "high": step.interval.high})
    return [*rows, {**rows[-1], "day": min(curve.follow_up, end)}] if rows else []


def _units_at_risk(at_risk: AtRisk, end: float) -> Any:
    rows = [
        {"name": name, "day": day, "text": count(units)}
        for name, counts in at_risk.items()
        for day, units in counts
        if day <= end
    ]
    names = list(at_risk)
    title = gettext("days since day 0 of the unit; below the curves: units at risk")
    axis = alt.Axis(ticks=False, domain=False, grid=False, labelLimit=110, labelPadding=28)
    chart = (
        alt.Chart(data(rows))
        .mark_text(fontSize=11)
        .encode(
            x=_until(end, title, alt.Axis(ticks=False, domain=False, grid=False, labels=False)),
            y=alt.Y("name:N", sort=names, title=None, axis=axis),
            text="text:N",
            color=alt.Color("name:N", scale=alt.Scale(domain=names, range=colours(names)), legend=None),
        )
    )
    return chart.properties(width=WIDTH, height=ROW * len(names))
