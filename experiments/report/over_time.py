"""Retention by day, its difference, time to churn, and novelty: does the effect fade with later enrolment? Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from experiments.analyse.result import Opened, OverTime
from experiments.plan.design import Kind
from experiments.report.estimates import WIDTH, effect_with_limits
from reporting.charts import (
    DASHES,
    GREY,
    INK,
    LIGHT,
    SERIES,
    Drawn,
    Mark,
    alt,
    by_place,
    data,
    day_axis,
    lines,
    reading,
    readings,
    rule,
    share_axis,
    week_axis,
)
from reporting.numbers import (
    GLUE,
    between,
    count,
    day_range,
    day_text,
    decimal,
    effect_text,
    level_text,
    limits,
    p_text,
    p_value,
    percent,
    points,
    signed,
)
from reporting.table import Part, Row, Table
from reporting.words import gettext, later, reason_words, week_words
from stats.novelty import Change, Novelty, Trend
from stats.results import Estimate, Interval, NotComputable, computable
from stats.survival.day_curve import CurveDifference, DayDifference, DayShare
from stats.survival.kaplan_meier import SurvivalCurve

# Pieces shared by charts over time: colours of the arms, titles, denominators. Pure.

HEIGHT = 240
PANEL = 170
POINTS = 100.0


def titled_above(finding: str, subtitle: Sequence[str], chart: Any) -> Any:
    """The chart with its finding as the title, a line per statement, and reading instructions as subtitle."""
    under = [line for text in subtitle for line in lines(text, 96)]
    above = [line for sentence in finding.splitlines() for line in lines(sentence)]
    return chart.properties(title=alt.TitleParams(above, subtitle=under, offset=14, subtitlePadding=6))


def colours(names: Sequence[str]) -> list[str]:
    """Control in ink, variants in the series' colours."""
    return [INK, *(SERIES[n % len(SERIES)] for n in range(len(names) - 1))]


def colour_of(names: Sequence[str]) -> Any:
    """The colour of each arm, with its legend."""
    return alt.Color("name:N", title=None, scale=alt.Scale(domain=names, range=colours(names)), legend=_legend())


def dash_of(names: Sequence[str]) -> Any:
    """The dashes of each arm, with their legend."""
    styles = [DASHES[n % len(DASHES)] for n in range(len(names))]
    return alt.StrokeDash("name:N", title=None, scale=alt.Scale(domain=names, range=styles), legend=_legend())


def _legend() -> Any:
    # The bands are pale, and the legend would otherwise be, too.
    return alt.Legend(orient="top", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2, labelLimit=260)


def panel_title(name: str) -> Any:
    """The name of a variant above its panel."""
    return alt.TitleParams(name, fontSize=12, fontWeight="normal", anchor="start")


def eligible(arms: Mapping[str, Sequence[DayShare]]) -> str:
    """Denominators of the first and of the last day."""
    parts = [
        gettext("{name} {first} on day {from_day}, {last} on day {to_day}").format(
            name=name,
            first=count(days[0].eligible),
            from_day=days[0].day,
            last=count(days[-1].eligible),
            to_day=days[-1].day,
        )
        for name, days in arms.items()
    ]
    return "n: " + " · ".join(parts)


def sizes(named: Mapping[str, int]) -> str:
    """Group sizes for a subtitle: ``n: control 1,000 · nudge 990``."""
    return "n: " + " · ".join(f"{name}{GLUE}{count(n)}" for name, n in named.items())


def share_words(row: Mark) -> str:
    """A share with its limits, of a row of a chart."""
    return limits(row["share"], row["low"], row["high"])


# D-n retention of every arm: share active by day. Pure.


def daily_curve_part_of(opened: Opened) -> Part | None:
    """Part of the daily retention curve; None without a day after day 0 that all arms have."""
    # On day 0 nearly everybody is active; including it would flatten the rest of the curve.
    curves = {arm.variant: [row for row in arm.days if row.day > 0] for arm in opened.arms_over_time}
    finding = daily_curve_finding(curves)
    if not opened.over_time or not finding:
        return None
    heading = gettext("Who is active on which day?")
    return Part("daily-curve", heading, finding, daily_curve_table(opened), draw=partial(daily_curve_draw, curves))


def daily_curve_finding(curves: Mapping[str, Sequence[DayShare]]) -> str:
    """The shares active on the last day that all arms have; empty without such a day."""
    by_day = [{row.day: row for row in rows} for rows in curves.values()]
    common = set.intersection(*(set(rows) for rows in by_day)) if by_day else set()
    if not common:
        return ""
    last = max(common)
    shares = ", ".join(
        f"{name}{GLUE}{percent(rows[last].share.estimate)}" for name, rows in zip(curves, by_day, strict=True)
    )
    return gettext("Active on day {day}: {shares}.").format(day=last, shares=shares)


def daily_curve_table(opened: Opened) -> Table:
    """Share active by day and variant, with the units for which the day is complete."""
    rows = tuple(
        (arm.variant, str(row.day), limits(row.share.estimate, row.share.low, row.share.high), count(row.eligible))
        for arm in opened.arms_over_time
        for row in arm.days
    )
    columns = (gettext("variant"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of users active by day"), columns, rows)


def daily_curve_draw(shown: Mapping[str, Sequence[DayShare]]) -> Drawn:
    """Chart of D-n retention by variant with pointwise intervals, from day 1 on."""
    rows = [
        {"name": name, "day": row.day, "share": row.share.estimate, "low": row.share.low, "high": row.share.high}
        for name, days in shown.items()
        for row in days
    ]
    names = list(shown)
    x = day_axis((row.day for days in shown.values() for row in days), gettext("days since day 0 of the user"))
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("share:Q", title=gettext("active on that day"), axis=share_axis(), scale=alt.Scale(zero=True))
    texts = {
        day: reading(gettext("Day {day}").format(day=day), values)
        for day, values in by_place(rows, "day", share_words).items()
    }
    chart = alt.layer(
        base.mark_area(opacity=0.16).encode(
            y=alt.Y("low:Q"), y2="high:Q", color=colour_of(names), description="name:N"
        ),
        base.mark_line(strokeWidth=2).encode(
            y=y, color=colour_of(names), strokeDash=dash_of(names), description="name:N"
        ),
        readings(x, "day", texts),
    ).properties(width=WIDTH, height=HEIGHT)
    note = gettext("Bands: pointwise {level} intervals. Later days rest on fewer users; the table has each day's n.")
    level = next(row.share.level for days in shown.values() for row in days)
    subtitle = [eligible(shown), note.format(level=level_text(level))]
    return titled_above(daily_curve_finding(shown), subtitle, chart), len(texts) + 4 * len(names)


# Difference in D-n retention of each variant to control, by day. Pure.


def daily_difference_part_of(opened: Opened) -> Part | None:
    """Part of the daily difference; None where no variant has one."""
    curves = {row.variant: row.days for row in opened.over_time if computable(row.days)}
    if not curves:
        return None
    return Part(
        "daily-difference",
        gettext("On which days do the groups differ?"),
        daily_difference_finding(curves).replace("\n", " "),
        daily_difference_table(curves),
        note=gettext("The grey band holds for all days together; a single day outside its own bar proves nothing."),
        draw=partial(daily_difference_draw, curves),
    )


def daily_difference_finding(curves: Mapping[str, CurveDifference]) -> str:
    """Days on which each variant differs from control, adjusted over all days; a line per statement."""
    sentences = []
    for variant, curve in curves.items():
        for days, text in (
            (curve.higher, gettext("{variant}: higher than control on day {days}, all days considered together.")),
            (curve.lower, gettext("{variant}: lower than control on day {days}, all days considered together.")),
        ):
            if days:
                sentences.append(text.format(variant=variant, days=day_ranges(days)))
        if not curve.higher and not curve.lower:
            text = gettext("{variant}: no day differs from control when all days are considered together.")
            sentences.append(text.format(variant=variant))
    return "\n".join(sentences)


def day_ranges(days: Sequence[int]) -> str:
    """Ascending days as ranges: 1, 2, 3, 7 is ``1–3, 7``."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(day_range(run[0], run[-1]) if len(run) > 1 else str(run[0]) for run in runs)


def daily_difference_table(curves: Mapping[str, CurveDifference]) -> Table:
    """Difference by day with pointwise and simultaneous limits."""
    rows = tuple(
        (
            name,
            str(day.day),
            points(day.difference.estimate),
            between(points(day.difference.low), points(day.difference.high)),
            between(points(day.band.low), points(day.band.high)),
            gettext("yes") if day.sign else gettext("no"),
        )
        for name, curve in curves.items()
        for day in curve.days
    )
    columns = (
        gettext("variant"),
        gettext("day"),
        gettext("difference, points"),
        gettext("interval of that day alone"),
        gettext("band over all days"),
        gettext("differs, all days considered"),
    )
    return Table(gettext("Difference to control by day"), columns, rows)


def daily_difference_draw(curves: Mapping[str, CurveDifference]) -> Drawn:
    """Chart of the D-n difference to control, one panel per variant, with interval and band over all days."""
    panels, marks = [], 0
    for place, (name, curve) in enumerate(curves.items()):
        rows = [
            {
                "day": day.day,
                "name": name,
                "estimate": day.difference.estimate * POINTS,
                "low": day.difference.low * POINTS,
                "high": day.difference.high * POINTS,
                "band_low": day.band.low * POINTS,
                "band_high": day.band.high * POINTS,
                "apart": day.sign != 0,
            }
            for day in _from_day_1(curve)
        ]
        marks += 3 * len(rows)
        panels.append(_daily_difference_panel(rows, name, SERIES[place % len(SERIES)]))
    first = next(iter(curves.values()))
    arms = {gettext("control"): [day.control for day in _from_day_1(first)]}
    arms |= {name: [day.variant for day in _from_day_1(curve)] for name, curve in curves.items()}
    note = gettext(
        "Bars: {level} interval of that day alone. Grey band: {level} for all days together; filled if it excludes 0."
    ).format(level=level_text(first.level))
    chart = alt.vconcat(*panels, spacing=14)
    return titled_above(daily_difference_finding(curves), [eligible(arms), note], chart), marks


def _from_day_1(curve: CurveDifference) -> Sequence[DayDifference]:
    """The days drawn: on day 0 nearly everybody is active, so the groups can't differ."""
    return [day for day in curve.days if day.day > 0] or curve.days


def _daily_difference_panel(rows: list[Mark], name: str, colour: str) -> Any:
    x = day_axis((row["day"] for row in rows), gettext("days since day 0 of the user"))
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("estimate:Q", title=gettext("difference, points"))
    texts = {row["day"]: reading(gettext("Day {day}").format(day=row["day"]), _difference_words(row)) for row in rows}
    dots = base.mark_point(size=45, color=colour, opacity=1, strokeWidth=1.5)
    layers = [
        base.mark_area(color=LIGHT, opacity=0.6).encode(y=alt.Y("band_low:Q"), y2="band_high:Q"),
        rule(channel="y"),
        base.mark_rule(color=colour, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        dots.encode(y=y, fill=alt.condition("datum.apart", alt.value(colour), alt.value("#ffffff"))),
        readings(x, "day", texts),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=panel_title(name))


def _difference_words(row: Mark) -> list[tuple[str, str]]:
    def words(name: str) -> str:
        return points(row[name] / POINTS)

    estimate = gettext("%(value)s points") % {"value": words("estimate")}
    band = between(words("band_low"), words("band_high"))
    return [
        (row["name"], f"{estimate} ({between(words('low'), words('high'))})"),
        (gettext("band over all days"), band),
    ]


# How long units stay: time to churn, and mean days before it. Pure.

ROW = 18


def survival_part_of(opened: Opened) -> Part | None:
    """Part of the time to churn; with a chart where every arm has a survival curve."""
    if not opened.over_time:
        return None
    curves = {arm.variant: arm.survival for arm in opened.arms_over_time if computable(arm.survival)}
    whole = bool(curves) and len(curves) == len(opened.arms_over_time)
    return Part(
        "survival",
        gettext("How long do users stay?"),
        survival_finding(differences(opened), opened.over_time[0].tau).replace("\n", " "),
        survival_table(opened.over_time),
        draw=partial(_draw_readout, opened, curves) if whole else None,
    )


def differences(opened: Opened) -> dict[str, Estimate | NotComputable]:
    """Difference in mean days before churn of each variant to control."""
    return {row.variant: row.restricted for row in opened.over_time}


def _draw_readout(opened: Opened, curves: Mapping[str, SurvivalCurve]) -> Drawn:
    at_risk = {arm.variant: [(float(day), units) for day, units in arm.at_risk] for arm in opened.arms_over_time}
    return survival_draw(curves, at_risk, differences(opened), opened.over_time[0].tau)


def survival_finding(differences: Mapping[str, Estimate | NotComputable], tau: float) -> str:
    """Difference in mean days before churn to control (RMST), a line per variant.

    Args:
        differences: variant to difference in days, positive when it stays longer.
        tau: horizon in days.
    """
    sentences = []
    for variant, difference in differences.items():
        if isinstance(difference, NotComputable):
            sentences.append(f"{variant}: {reason_words(difference)}")
            continue
        if difference.low > 0:
            text = gettext("{variant}: stays {days} days longer than control, of the first {tau} ({limits}).")
        elif difference.high < 0:
            text = gettext("{variant}: leaves {days} days earlier than control, of the first {tau} ({limits}).")
        else:
            text = gettext("{variant}: no longer or shorter stay than control was shown in {tau} days ({limits}).")
        limits = between(signed(difference.low), signed(difference.high))
        sentences.append(
            text.format(variant=variant, days=decimal(abs(difference.estimate)), tau=f"{tau:g}", limits=limits)
        )
    return "\n".join(sentences)


def survival_table(rows: tuple[OverTime, ...]) -> Table:
    """Log-rank, mean days before churn, crossing curves, and whether the effect fades."""
    table_rows: list[Row] = []
    for row in rows:
        test, mean, cross = row.log_rank, row.restricted, row.crossing
        crossing = reason_words(cross) if not computable(cross) else _crossing(cross.crosses, cross.clearly)
        table_rows.append(
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
    return Table(gettext("Time to churn"), columns, tuple(table_rows))


def _days(mean: Estimate | NotComputable) -> str:
    if not computable(mean):
        return reason_words(mean)
    return f"{decimal(mean.estimate)} ({between(decimal(mean.low), decimal(mean.high))}), p {p_value(mean.p_value)}"


def _crossing(crosses: bool, clearly: bool) -> str:
    if clearly:
        return gettext("yes, clearly: one number isn't the whole story")
    return gettext("a little, as noise does") if crosses else gettext("no")


# Units at risk (observed and not churned), of each arm by day.
type AtRisk = Mapping[str, Sequence[tuple[float, int]]]


def survival_draw(
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
    return titled_above(survival_finding(differences, tau), [units, note], whole), marks


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
    texts = {
        day: reading(
            gettext("Day {day}").format(day=day),
            [(name, percent(survival_at(curve, day))) for name, curve in curves.items() if day <= curve.follow_up],
        )
        for day in range(int(end) + 1)
    }
    band = alt.Chart(data(band_rows)).mark_area(opacity=0.16, interpolate="step-after")
    step = alt.Chart(data(curve_rows)).mark_line(strokeWidth=2, interpolate="step-after")
    layers = [
        band.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour_of(names), description="name:N"),
        step.encode(x=x, y=y, color=colour_of(names), strokeDash=dash_of(names), description="name:N"),
        readings(x, "day", texts),
    ]
    return layers, len(texts) + 4 * len(names)


def survival_at(curve: SurvivalCurve, day: float) -> float:
    """Share still there at the end of a day: that of the last step up to it, which holds from then on."""
    return next((step.survival for step in reversed(curve.steps) if step.time <= day), 1.0)


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
    title = gettext("days since day 0 of the user; below the curves: users at risk")
    axis = alt.Axis(ticks=False, domain=False, grid=False, labelLimit=110, labelPadding=28)
    chart = (
        alt.Chart(data(rows))
        .mark_text(fontSize=12)
        .encode(
            x=_until(end, title, alt.Axis(ticks=False, domain=False, grid=False, labels=False)),
            y=alt.Y("name:N", sort=names, title=None, axis=axis),
            text="text:N",
            color=alt.Color("name:N", scale=alt.Scale(domain=names, range=colours(names)), legend=None),
            description="name:N",
        )
    )
    return chart.properties(width=WIDTH, height=ROW * len(names))


# Does the effect fade with later enrolment? The effect by week. Pure.


def novelty_part_of(opened: Opened) -> Part | None:
    """Part of the novelty test; with a chart where some week has an effect, which interim looks don't compute."""
    if not opened.over_time:
        return None
    share = opened.report.outcomes[0].kind is Kind.PROPORTION
    by_variant = {row.variant: row.novelty for row in opened.over_time}
    weeks = any(computable(week.effect) for row in by_variant.values() for week in row.weeks)
    return Part(
        "novelty",
        gettext("Does the effect fade with later enrolment?"),
        novelty_finding(by_variant, share=share).replace("\n", " "),
        novelty_table(by_variant, share),
        draw=partial(novelty_draw, by_variant, share=share) if weeks else None,
    )


CHANGES = {
    Change.FADES: later("{variant}: the effect fades with later enrolment, from {first} to {last} ({p})."),
    Change.GROWS: later("{variant}: the effect grows with later enrolment, from {first} to {last} ({p})."),
    Change.TURNS: later("{variant}: the effect turns with later enrolment, from {first} to {last} ({p})."),
    Change.NONE_DETECTED: later(
        "{variant}: no steady change of the effect over enrolment weeks can be detected ({p})."
    ),
}


def novelty_finding(by_variant: Mapping[str, Novelty], *, share: bool) -> str:
    """Whether each variant's effect fades or grows over enrolment weeks, a line per variant."""
    sentences = []
    for variant, novelty in by_variant.items():
        trend = novelty.trend
        if isinstance(trend, NotComputable):
            sentences.append(f"{variant}: {reason_words(trend)}")
            continue
        text = gettext(CHANGES[trend.change])
        first, last = (effect_text(end.estimate, share=share, plus=True) for end in (trend.first, trend.last))
        sentences.append(text.format(variant=variant, first=first, last=last, p=p_text(trend.slope.p_value)))
    return "\n".join(sentences)


def novelty_table(by_variant: Mapping[str, Novelty], share: bool) -> Table | None:
    """Effect by week of enrolment; None where it waits for the final analysis."""
    rows: list[Row] = []
    for name, novelty in by_variant.items():
        for week in novelty.weeks:
            cells = effect_with_limits(week.effect, share)
            rows.append((name, day_text(week.week), f"{count(week.control_n)} / {count(week.variant_n)}", *cells))
    columns = (
        gettext("variant"),
        gettext("week of enrolment (Monday)"),
        gettext("n, control and treatment"),
        gettext("difference"),
        gettext("interval"),
    )
    return Table(gettext("Effect by week of enrolment"), columns, tuple(rows)) if rows else None


def novelty_draw(by_variant: Mapping[str, Novelty], *, share: bool) -> Drawn:
    """Chart of the effect by enrolment week, one panel per variant, with the fitted line of the test.

    Args:
        by_variant: by variant, without control.
        share: the outcome is a share: effects are drawn in points.
    """
    panels, marks = [], 0
    title = gettext("difference to control, points") if share else gettext("difference to control")
    for place, (name, novelty) in enumerate(by_variant.items()):
        n = sum(isinstance(week.effect, Estimate) for week in novelty.weeks)
        if n:
            marks += 3 * n
            colour, factor = SERIES[place % len(SERIES)], POINTS if share else 1.0
            panels.append(_novelty_panel(novelty, factor, name, title, colour))
    units = {
        name: sum(week.control_n + week.variant_n for week in novelty.weeks) for name, novelty in by_variant.items()
    }
    levels = [
        week.effect.level for row in by_variant.values() for week in row.weeks if isinstance(week.effect, Estimate)
    ]
    note = gettext(
        "Control and treatment are counted together. Bars: {level} intervals. Hollow: too few users for a test."
    )
    note = note.format(level=level_text(levels[0]))
    chart = alt.vconcat(*panels, spacing=14)
    return titled_above(novelty_finding(by_variant, share=share), [sizes(units), note], chart), marks


def _novelty_panel(novelty: Novelty, scale: float, name: str, title: str, colour: str) -> Any:
    rows = _weeks(novelty, scale)
    # A time axis, so that a week without units leaves a gap and the fitted line stays straight.
    x = week_axis((row["week"] for row in rows), gettext("week of enrolment (Monday)"), width=WIDTH)
    base = alt.Chart(data(rows)).encode(x=x)
    layers = [
        rule(channel="y"),
        base.mark_rule(color=colour, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_point(size=70, color=colour, opacity=1, strokeWidth=1.5).encode(
            y=alt.Y("estimate:Q", title=title, scale=alt.Scale(zero=True)),
            fill=alt.condition("datum.tested", alt.value(colour), alt.value("#ffffff")),
        ),
        readings(x, "week", _week_readings(novelty, name, share=scale == POINTS)),
    ]
    if isinstance(novelty.trend, Trend):
        tested = [row["week"] for row in rows if row["tested"]]
        ends = [
            {"week": tested[place], "estimate": end.estimate * scale}
            for place, end in ((0, novelty.trend.first), (-1, novelty.trend.last))
        ]
        layers.insert(1, alt.Chart(data(ends)).mark_line(color=GREY, strokeDash=[6, 3]).encode(x=x, y="estimate:Q"))
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=panel_title(name))


def _week_readings(novelty: Novelty, name: str, *, share: bool) -> dict[str, str]:
    users = gettext("users")
    return {
        str(row.week): reading(
            week_words(day_text(row.week)),
            [
                (name, "{} ({})".format(*effect_with_limits(row.effect, share))),
                (users, count(row.control_n + row.variant_n)),
            ],
        )
        for row in novelty.weeks
        if isinstance(row.effect, Estimate)
    }


def _weeks(novelty: Novelty, scale: float) -> list[Mark]:
    return [
        {
            "week": str(row.week),
            "estimate": row.effect.estimate * scale,
            "low": row.effect.low * scale,
            "high": row.effect.high * scale,
            "tested": row.tested,
        }
        for row in novelty.weeks
        if isinstance(row.effect, Estimate)
    ]
