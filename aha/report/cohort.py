"""The cohort of a study: flow from signups to retained users, retention curve and signup weeks. Pure."""

from typing import Any

from aha.evidence.retention_curve import Curve, Point
from aha.report.axes import WIDTH, share_mark, week_axis
from aha.study.result import Asked, Population, Report
from events.metric_sentences import sentence
from events.metrics import parse_retention
from reporting.charts import BLUE, DASHES, INK, LIGHT, ORANGE, SERIES, Drawn, Mark, alt, data, share_axis
from reporting.numbers import count, limits, percent, share
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words, shown
from stats.results import computable

# Retention of each signup week. Pure.


def signup_weeks_part(report: Report) -> Part:
    """Section on retention by signup week."""
    return Part(
        "weeks",
        gettext("Does retention change from week to week?"),
        signup_weeks_finding(report),
        signup_weeks_table(report),
        draw=(lambda: signup_weeks_chart(report)) if report.weeks else None,
    )


def signup_weeks_finding(report: Report) -> str:
    """How far retention moves between signup weeks."""
    shares = [row.share.estimate for row in report.weeks]
    if not shares:
        return gettext("No signup week is complete.")
    text = gettext("From one signup week to another {low} to {high} of the users stay.")
    return text.format(low=percent(min(shares)), high=percent(max(shares)))


def signup_weeks_table(report: Report) -> Table:
    """Retention by signup week."""
    rows = tuple((row.week, count(row.units), count(row.retained), share(row.share)) for row in report.weeks)
    columns = (gettext("week of signup (Monday)"), gettext("users"), gettext("retained"), gettext("share"))
    return Table(gettext("Retention by signup week"), columns, rows)


def signup_weeks_chart(report: Report) -> Drawn:
    """Retention by signup week."""
    rows = [{"week": row.week, **share_mark(row.share)} for row in report.weeks]
    base = alt.Chart(data(rows)).encode(x=week_axis())
    y = alt.Y("share:Q", title=gettext("retained, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_line(color=LIGHT).encode(y=y),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(y="share:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=200), 3 * len(rows)


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
    found = [
        sentence(inputs.definition),
        clock.format(event=shown(inputs.signup_event), end=asked.data_end.replace("T", " ")[:16], zone=asked.time_zone),
        gettext("Behaviours are counted within {days} days; all on one population.").format(days=valid),
    ]
    if asked.left_out:
        text = gettext("{n} further event names that fewer users did were not counted.")
        found.append(text.format(n=asked.left_out))
    return tuple(found)


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


def finding(found: Curve) -> str:
    """The plateau, or why there is none."""
    plateau = found.plateau
    if not computable(plateau):
        return gettext("No plateau yet. {reason}").format(reason=reason_words(plateau))
    text = gettext("From day {day} on the curve is flat: {height} of the users are active on a day.")
    return text.format(day=plateau.day, height=percent(plateau.height))


def table(report: Report) -> Table:
    """Retention by day, of all and by segment, with the plateau."""
    named = _curves(report)
    rows = tuple(
        (name, str(point.day), limits(point.share, point.low, point.high), count(point.units))
        for name, found in named
        for point in found.points
    )
    note = " ".join(f"{name}: {finding(found)}" for name, found in named)
    columns = (gettext("users"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of users active by day"), columns, rows, note)


def _curves(report: Report) -> list[tuple[str, Curve]]:
    return [(gettext("all users"), report.curve), *((row.segment, row.curve) for row in report.segment_curves)]


def chart(report: Report) -> Drawn:
    """Retention by day with its plateau."""
    named = _curves(report)
    # Day 0 is 100 % by definition; with it the rest of the curve would be squeezed to the axis.
    rows = [_point(name, point) for name, found in named for point in found.points if point.day > 0]
    names = [name for name, _ in named]
    base = alt.Chart(data(rows)).encode(x=alt.X("day:Q", title=gettext("days since signup")))
    y = alt.Y(
        "share:Q", title=gettext("active on that day, with interval"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    many = len(names) > 1
    # The bands are pale, and the legend would inherit their opacity.
    legend = alt.Legend(orient="right", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=2) if many else None
    colour = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=names, range=[INK, *SERIES][: len(names)]), legend=legend
    )
    dash = alt.StrokeDash(
        "name:N",
        title=None,
        scale=alt.Scale(domain=names, range=[DASHES[n % 5] for n in range(len(names))]),
        legend=legend,
    )
    layers = [
        base.mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash),
        *_plateau(report.curve),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=240), 3 * len(named) + 4


def _point(name: str, point: Point) -> Mark:
    return {"name": name, "day": point.day, "share": point.share, "low": point.low, "high": point.high}


def _plateau(found: Curve) -> list[Any]:
    plateau = found.plateau
    if not computable(plateau):
        return []
    text = gettext("plateau {height}").format(height=percent(plateau.height))
    row = {"from": plateau.day, "to": found.points[-1].day, "height": plateau.height, "text": text}
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


def flow_of(found: Population, parts: dict[str, int], *, sampled: bool = False) -> Table:
    """The same for a running study: `parts` may be empty; if `sampled`, retention is known for counted units only."""
    rows: list[Row] = [(gettext("signed up in the cohort"), count(found.signups))]
    for code, n in found.excluded.items():
        why = exclusion_words(code)
        rows.append((gettext("left out: {why}").format(why=why), count(n)))
    rows.append((gettext("eligible"), count(found.eligible)))
    label = gettext("of those counted so far: retained") if sampled else gettext("of the eligible: retained")
    rows.append((label, f"{count(found.retained)}, {share(found.rate)}"))
    if parts:
        names = {
            "train": gettext("of the eligible: choose the rule's number, judge that of a jump"),
            "hold_out": gettext("of the eligible: judge the rule's number, show whether retention jumps"),
            "later": gettext("of the eligible: later cohorts, to see whether it lasts"),
        }
        rows += [(names[name], count(n)) for name, n in parts.items()]
    note = ""
    if found.first_signup is not None:
        note = gettext("Signed up from {first} to {last}. Who is too young is left out, never counted as gone.")
        note = note.format(first=found.first_signup, last=found.last_signup)
    return Table(gettext("Who counts"), (gettext("step"), gettext("users")), tuple(rows), note)


def exclusion_words(code: str) -> str:
    """Reason for excluding units, in words."""
    names = {
        "too_young": gettext("their retention window isn't complete yet"),
        "outside_segment": gettext("they are outside the segment"),
    }
    return names[code]
