"""The cohort of a study: flow from signups to retained users, retention curve and signup weeks. Pure."""

from datetime import datetime
from typing import Any

from aha.evidence.retention_curve import Curve, Point
from aha.report.axes import WIDTH, few_note, is_small, share_mark, week_readings
from aha.study.level_before import LevelBefore
from aha.study.result import Asked, Population, Report
from events.metrics import parse_retention
from events.metrics.sentences import level_name, sentence
from reporting.charts import (
    BLUE,
    DASHES,
    GREY,
    INK,
    ORANGE,
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
    share_axis,
    week_axis,
)
from reporting.numbers import count, day_text, limits, minute_text, percent, share
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words, shown
from stats.results import computable

BESIDE = 270  # pixels of a plot beside the table of candidates: letters keep their size there

# Retention of each signup week. Pure.


def signup_weeks_part(report: Report) -> Part:
    """Section on retention by signup week."""
    return Part(
        "weeks",
        gettext("Does retention change from week to week?"),
        signup_weeks_finding(report),
        signup_weeks_table(report),
        note=few_note([row.units for row in report.weeks]),
        draw=(lambda: signup_weeks_chart(report)) if report.weeks else None,
    )


def signup_weeks_finding(report: Report) -> str:
    """Range of retention between signup weeks; weeks of few users only where there are no others."""
    weeks = [row for row in report.weeks if not is_small(row.units)] or report.weeks
    shares = [row.share.estimate for row in weeks]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users stay.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def signup_weeks_table(report: Report) -> Table:
    """Retention by signup week."""
    rows = tuple((day_text(row.week), count(row.units), count(row.retained), share(row.share)) for row in report.weeks)
    columns = (gettext("week of signup (Monday)"), gettext("users"), gettext("retained"), gettext("share"))
    return Table(gettext("Retention by signup week"), columns, rows)


def signup_weeks_chart(report: Report) -> Drawn:
    """Retention by signup week."""
    name = gettext("retained")
    rows = [
        {"week": row.week, "name": name, "units": row.units, "few": is_small(row.units), **share_mark(row.share)}
        for row in report.weeks
    ]
    x = week_axis((row.week for row in report.weeks), gettext("week of signup (Monday)"), width=WIDTH)
    base = alt.Chart(data(rows)).encode(x=x)
    enough, few = base.transform_filter("!datum.few"), base.transform_filter("datum.few")
    y = alt.Y("share:Q", title=gettext("retained, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        enough.mark_line(color=GREY).encode(y=y),
        enough.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        enough.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(y="share:Q"),
        few.mark_point(filled=False, size=50, color=GREY, opacity=1).encode(y="share:Q"),
        week_readings(x, rows),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=200), 4 * len(rows)


# Inputs, data, samples and seeds of a study: shown beside every result. Pure.


def asked_sentences(asked: Asked) -> tuple[str, ...]:
    """Inputs and data of the study, shown beside every result."""
    inputs = asked.inputs
    clock = (
        gettext("Days are 24 hours from the signup event {event}; the data end at {end} UTC.")
        if inputs.day_mode == "rolling"
        else gettext("Days are calendar days in {zone} from the signup event {event}; the data end at {end} UTC.")
    )
    valid = ", ".join(map(str, asked.valid_days))
    lines = [
        sentence(inputs.definition),
        clock.format(
            event=shown(inputs.signup_event),
            end=minute_text(datetime.fromisoformat(asked.data_end)),
            zone=asked.time_zone,
        ),
        gettext("Behaviours are counted within {days} days; all on one population.").format(days=valid),
    ]
    if (level := inputs.level_before) is not None:
        lines.insert(1, level_sentence(level))
    if asked.left_out:
        text = gettext("{n} further event names that fewer users did were not counted.")
        lines.append(text.format(n=asked.left_out))
    return tuple(lines)


def level_sentence(level: LevelBefore) -> str:
    """Which users count, by their level of activity."""
    text = gettext(
        "Only users at level {level} of {model} (version {number}) on days {first}–{last}: active on {least} to {most} "
        "of them."
    )
    return text.format(
        level=level_name(level.level),
        model=level.model,
        number=level.number,
        first=level.window.start_day,
        last=level.window.end_day,
        least=level.least,
        most=level.most,
    )


def definition_sentence(retention: str) -> str:
    """What a stored retention means."""
    return sentence(parse_retention(retention))


def invalid_days(report: Report) -> Table | None:
    """Requested days that weren't computed; None when all were."""
    if not report.asked.invalid_days:
        return None
    rows = tuple((str(row.days), reason_words(row.reason)) for row in report.asked.invalid_days)
    return Table(gettext("Days that were not computed"), (gettext("within days"), gettext("reason")), rows)


def samples(report: Report) -> Table:
    """How many units each computation used, and its seed."""
    names = {
        "eligible": gettext("cells"),
        "sample": gettext("nulls, choice, steps, ladder"),
        "daily": gettext("daily trials"),
        "model": gettext("models"),
        "explained": gettext("SHAP"),
    }
    rows = [(names.get(name, name), count(n), "") for name, n in report.samples.items()]
    rows += [(gettext("seed of {name}").format(name=name), "", str(seed)) for name, seed in report.seeds.items()]
    columns = (gettext("computation"), gettext("users"), gettext("seed"))
    return Table(gettext("Samples and seeds"), columns, tuple(rows))


def part(report: Report) -> Part:
    """Section of the retention curve."""
    return Part(
        "curve",
        gettext("How the cohort stays"),
        finding(report.curve),
        table(report),
        draw=(lambda: chart(report)) if report.curve.points else None,
        note=gettext("Day 0 is 100% by definition and isn't drawn. Raising the plateau is what an AHA moment is for."),
    )


def finding(curve: Curve) -> str:
    """The plateau, or why there is none."""
    plateau = curve.plateau
    if not computable(plateau):
        return gettext("No plateau yet. {reason}").format(reason=reason_words(plateau))
    text = gettext("From day {day} on the curve is flat: {height} of the users are active on a day.")
    return text.format(day=plateau.day, height=percent(plateau.height))


def table(report: Report) -> Table:
    """Retention by day, of all and by segment, with the plateau."""
    named = _curves(report)
    rows = tuple(
        (name, str(point.day), limits(point.share, point.low, point.high), count(point.units))
        for name, curve in named
        for point in curve.points
    )
    note = " ".join(f"{name}: {finding(curve)}" for name, curve in named)
    columns = (gettext("users"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of users active by day"), columns, rows, note)


def _curves(report: Report) -> list[tuple[str, Curve]]:
    return [(gettext("all users"), report.curve), *((row.segment, row.curve) for row in report.segment_curves)]


def chart(report: Report) -> Drawn:
    """Retention by day with its plateau."""
    named = _curves(report)
    # Day 0 is 100 % by definition; with it the rest of the curve would be squeezed to the axis.
    rows = [_point(name, point) for name, curve in named for point in curve.points if point.day > 0]
    names = [name for name, _ in named]
    x = day_axis((row["day"] for row in rows), gettext("days since signup"))
    said = by_place(rows, "day", lambda row: limits(row["share"], row["low"], row["high"]))
    texts = {day: reading(gettext("Day {day}").format(day=day), values) for day, values in said.items()}
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y(
        "share:Q", title=gettext("active on that day, with interval"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    many = len(names) > 1
    # The bands are pale, and the legend would inherit their opacity.
    looks = {"orient": "bottom", "columns": 2, "symbolOpacity": 1, "symbolType": "stroke", "symbolStrokeWidth": 2}
    legend = alt.Legend(**looks) if many else None
    colour = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=names, range=[INK, *SERIES][: len(names)]), legend=legend
    )
    dash = alt.StrokeDash(
        "name:N",
        title=None,
        scale=alt.Scale(domain=names, range=[DASHES[n % 5] for n in range(len(names))]),
        legend=legend,
    )
    title = alt.TitleParams(lines(finding(report.curve), 44), offset=14)
    layers = [
        base.mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q", color=colour, description="name:N"),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash, description="name:N"),
        *_plateau(report.curve),
        readings(x, "day", texts),
    ]
    return alt.layer(*layers).properties(width=BESIDE, height=200, title=title), len(texts) + 3 * len(named) + 4


def _point(name: str, point: Point) -> Mark:
    return {"name": name, "day": point.day, "share": point.share, "low": point.low, "high": point.high}


def _plateau(curve: Curve) -> list[Any]:
    plateau = curve.plateau
    if not computable(plateau):
        return []
    text = gettext("plateau {height}").format(height=percent(plateau.height))
    row = {"from": plateau.day, "to": curve.points[-1].day, "height": plateau.height, "text": text}
    base = alt.Chart(data([row]))
    return [
        base.mark_rule(color=ORANGE, strokeWidth=3, strokeDash=[6, 3]).encode(x="from:Q", x2="to:Q", y="height:Q"),
        base.mark_text(color=ORANGE, fontSize=13, fontWeight="bold", align="left", dy=-12).encode(
            x="from:Q", y="height:Q", text="text:N"
        ),
    ]


def flow(report: Report) -> Table:
    """From signups to retained units; the numbers add up."""
    return flow_of(report.population, report.parts)


def flow_of(population: Population, parts: dict[str, int], *, sampled: bool = False) -> Table:
    """The flow of a running study. `parts` may be empty; if `sampled`, retention is known for counted units only."""
    rows: list[Row] = [(gettext("signed up in the cohort"), count(population.signups))]
    for code, n in population.excluded.items():
        why = exclusion_words(code)
        rows.append((gettext("left out: {why}").format(why=why), count(n)))
    rows.append((gettext("eligible"), count(population.eligible)))
    label = gettext("of those counted so far: retained") if sampled else gettext("of the eligible: retained")
    rows.append((label, f"{count(population.retained)}, {share(population.rate)}"))
    if parts:
        names = {
            "train": gettext("of the eligible: choose the rule's number, judge that of a jump"),
            "hold_out": gettext("of the eligible: judge the rule's number, show whether retention jumps"),
            "later": gettext("of the eligible: later cohorts, to see whether it lasts"),
        }
        rows += [(names[name], count(n)) for name, n in parts.items()]
    note = ""
    if population.first_signup is not None:
        note = gettext("Signed up from {first} to {last}. Who is too young is left out, never counted as gone.")
        note = note.format(first=day_text(population.first_signup), last=day_text(population.last_signup or ""))
    return Table(gettext("Who counts"), (gettext("step"), gettext("users")), tuple(rows), note)


def exclusion_words(code: str) -> str:
    """Reason for excluding units, in words."""
    names = {
        "too_young": gettext("their retention window isn't complete yet"),
        "outside_segment": gettext("they are outside the segment"),
        "other_level": gettext("they were at another level of activity"),
    }
    return names[code]
