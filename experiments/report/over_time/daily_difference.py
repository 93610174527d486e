"""Difference in D-n retention of each variant to control, by day. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from experiments.analyse.result import Readout
from experiments.report.chart_pieces import WIDTH
from experiments.report.over_time.curves import PANEL, POINTS, eligible, panel_title, titled_above
from reporting.charts import LIGHT, SERIES, Drawn, Mark, alt, data, rule
from reporting.numbers import between, day_range, level_text, points
from reporting.table import Part, Table
from reporting.words import gettext
from stats.results import computable
from stats.survival.day_curve import CurveDifference


def part_of(readout: Readout) -> Part | None:
    """The part; None where no variant has a difference."""
    found = {row.variant: row.days for row in readout.over_time if computable(row.days)}
    if not found:
        return None
    return Part(
        "daily-difference",
        gettext("On which days do the groups differ?"),
        finding(found).replace("\n", " "),
        table(found),
        note=gettext("The grey band holds for all days together; a single day outside its own bar proves nothing."),
        draw=partial(draw, found),
    )


def finding(found: Mapping[str, CurveDifference]) -> str:
    """Days on which each variant differs from control, adjusted over all days; a line per statement."""
    sentences = []
    for variant, curve in found.items():
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


def table(found: Mapping[str, CurveDifference]) -> Table:
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
        for name, curve in found.items()
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


def draw(found: Mapping[str, CurveDifference]) -> Drawn:
    """Chart of the D-n difference to control, one panel per variant, with interval and band over all days."""
    panels, marks = [], 0
    for place, (name, curve) in enumerate(found.items()):
        rows = [
            {
                "day": day.day,
                "estimate": day.difference.estimate * POINTS,
                "low": day.difference.low * POINTS,
                "high": day.difference.high * POINTS,
                "band_low": day.band.low * POINTS,
                "band_high": day.band.high * POINTS,
                "apart": day.sign != 0,
            }
            for day in curve.days
        ]
        marks += 3 * len(rows)
        panels.append(_panel(rows, name, SERIES[place % len(SERIES)]))
    first = next(iter(found.values()))
    arms = {gettext("control"): [day.control for day in first.days]}
    arms |= {name: [day.variant for day in curve.days] for name, curve in found.items()}
    note = gettext(
        "Bars: {level} interval of that day alone. Grey band: {level} for all days together; filled if it excludes 0."
    ).format(level=level_text(first.level))
    chart = alt.vconcat(*panels, spacing=14)
    return titled_above(finding(found), [eligible(arms), note], chart), marks


def _panel(rows: list[Mark], name: str, colour: str) -> Any:
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
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=panel_title(name))
