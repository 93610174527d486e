"""Who counts, and how they stay: the flow of users and their retention curve. Pure."""

from typing import Any

from aha.evidence.retention_curve import Curve, Point
from aha.report.axes import WIDTH
from aha.study.result import Population, Report
from reporting.charts import DASHES, INK, ORANGE, SERIES, Drawn, Mark, alt, data, share_axis
from reporting.numbers import count, limits, percent, share
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.results import computable


def part(report: Report) -> Part:
    """How the cohort stays."""
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
    # Day 0 is everybody by definition; with it the rest of the curve would lie flat on the axis.
    rows = [_point(name, point) for name, found in named for point in found.points if point.day > 0]
    names = [name for name, _ in named]
    base = alt.Chart(data(rows)).encode(x=alt.X("day:Q", title=gettext("days since signup")))
    y = alt.Y(
        "share:Q", title=gettext("active on that day, with interval"), axis=share_axis(), scale=alt.Scale(zero=True)
    )
    many = len(names) > 1
    # The bands are pale, and the legend would take their paleness over.
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
    """The same of a study whose parts may not be known yet, nor whether more than a `sampled` few were retained."""
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
    """Why units don't count."""
    names = {
        "too_young": gettext("their retention window isn't complete yet"),
        "outside_segment": gettext("they are outside the segment"),
    }
    return names[code]
