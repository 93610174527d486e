"""Does the effect fade with later enrolment? The effect by week. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.chart_pieces import WIDTH
from experiments.report.estimates import effect_with_limits
from experiments.report.over_time.curves import PANEL, POINTS, panel_title, sizes, titled_above
from reporting.charts import GREY, SERIES, Drawn, Mark, alt, data, rule
from reporting.numbers import count, effect_text, level_text, p_text
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.novelty import Change, Novelty, Trend
from stats.results import Estimate, NotComputable, computable


def part_of(readout: Readout) -> Part | None:
    """The part; with a chart where some week has an effect, which interim looks don't compute."""
    if readout.report is None or not readout.over_time:
        return None
    share = readout.report.outcomes[0].kind is Kind.PROPORTION
    found = {row.variant: row.novelty for row in readout.over_time}
    weeks = any(computable(week.effect) for row in found.values() for week in row.weeks)
    return Part(
        "novelty",
        gettext("Does the effect fade with later enrolment?"),
        finding(found, share=share).replace("\n", " "),
        table(found, share),
        draw=partial(draw, found, share=share) if weeks else None,
    )


def finding(found: Mapping[str, Novelty], *, share: bool) -> str:
    """Whether each variant's effect fades or grows over enrolment weeks, a line per variant."""
    sentences = []
    for variant, novelty in found.items():
        trend = novelty.trend
        if isinstance(trend, NotComputable):
            sentences.append(f"{variant}: {reason_words(trend)}")
            continue
        text = _change_sentence(trend)
        first, last = (effect_text(end.estimate, share=share, plus=True) for end in (trend.first, trend.last))
        sentences.append(text.format(variant=variant, first=first, last=last, p=p_text(trend.slope.p_value)))
    return "\n".join(sentences)


def _change_sentence(trend: Trend) -> str:
    return {
        Change.FADES: gettext("{variant}: the effect fades with later enrolment, from {first} to {last} ({p})."),
        Change.GROWS: gettext("{variant}: the effect grows with later enrolment, from {first} to {last} ({p})."),
        Change.TURNS: gettext("{variant}: the effect turns with later enrolment, from {first} to {last} ({p})."),
        Change.NONE_DETECTED: gettext(
            "{variant}: no steady change of the effect over enrolment weeks can be detected ({p})."
        ),
    }[trend.change]


def table(found: Mapping[str, Novelty], share: bool) -> Table | None:
    """Effect by week of enrolment; None where it waits for the final analysis."""
    rows: list[Row] = []
    for name, one in found.items():
        for week in one.weeks:
            shown = effect_with_limits(week.effect, share)
            rows.append((name, week.week.isoformat(), f"{count(week.control_n)} / {count(week.variant_n)}", *shown))
    columns = (
        gettext("variant"),
        gettext("week of enrolment (Monday)"),
        gettext("n, control and variant"),
        gettext("difference"),
        gettext("interval"),
    )
    return Table(gettext("Effect by week of enrolment"), columns, tuple(rows)) if rows else None


def draw(found: Mapping[str, Novelty], *, share: bool) -> Drawn:
    """Chart of the effect by enrolment week, one panel per variant, with the fitted line of the test.

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
            panels.append(_panel(novelty, factor, name, title, colour))
    units = {name: sum(week.control_n + week.variant_n for week in novelty.weeks) for name, novelty in found.items()}
    levels = [week.effect.level for row in found.values() for week in row.weeks if isinstance(week.effect, Estimate)]
    note = gettext(
        "Control and variant are counted together. Bars: {level} intervals. Hollow: too few units for a test."
    )
    note = note.format(level=level_text(levels[0]))
    chart = alt.vconcat(*panels, spacing=14)
    return titled_above(finding(found, share=share), [sizes(units), note], chart), marks


def _panel(novelty: Novelty, scale: float, name: str, title: str, colour: str) -> Any:
    rows = _weeks(novelty, scale)
    # A time axis, so that a week without units leaves a gap and the fitted line stays straight.
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
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=panel_title(name))


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


def _ticks(weeks: Sequence[str]) -> list[Mark]:
    return [{"year": int(week[:4]), "month": int(week[5:7]), "date": int(week[8:]), "utc": True} for week in weeks]
