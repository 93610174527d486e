"""Whether retention jumps at a number of times. Pure."""

from aha.report.axes import WIDTH
from aha.study.drawn_results import Dose, DosePoint
from aha.study.result import Candidate, Judged, Report
from aha.study.step import JUMP, LevelsOff, SmoothRange, Step, StepVerdict
from reporting.charts import BLUE, GREY, ORANGE, Drawn, alt, data, share_axis
from reporting.counted import days_words, times_words
from reporting.numbers import count, limits, percent, short_count
from reporting.table import Part, Table
from reporting.words import gettext, reason_words


def part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Does retention jump?"""
    judged = judged_of(report, candidate.behaviour)
    slug, heading, text = f"{prefix}dose", gettext("Does retention jump?"), finding(candidate, judged)
    if judged is None or judged.dose is None:
        return Part(slug, heading, text, None)
    dose = judged.dose
    return Part(slug, heading, text, table(dose), draw=lambda: chart(dose, judged.step))


def finding(candidate: Candidate, judged: Judged | None) -> str:
    """The words about a jump."""
    if judged is None or judged.step is None:
        return step_words(candidate.step, candidate.smooth_range, candidate.levels_off)
    return step_sentence(judged.step)


def table(dose: Dose) -> Table:
    """Retention by count with the smooth curve."""
    rows = tuple(
        (
            _count(point),
            count(point.units),
            limits(point.share, point.low, point.high),
            "" if point.smooth is None else percent(point.smooth),
        )
        for point in dose.points
    )
    columns = (gettext("times"), gettext("users"), gettext("stayed"), gettext("expected by a smooth curve"))
    title = gettext("Retention by count within {days}").format(days=days_words(dose.days))
    return Table(title, columns, rows, gettext("On the users among whom a jump is looked for."))


def chart(dose: Dose, step: Step | None) -> Drawn:
    """Retention by count with the smooth curve and the step."""
    names = [_count(point) for point in dose.points]
    rows = [
        {
            "times": name,
            "share": point.share,
            "low": point.low,
            "high": point.high,
            "smooth": point.smooth,
            "units": short_count(point.units),
        }
        for name, point in zip(names, dose.points, strict=True)
    ]
    title = gettext("times within {days}; above: users").format(days=days_words(dose.days))
    x = alt.X("times:O", sort=names, title=title, axis=alt.Axis(labelAngle=0))
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("share:Q", title=gettext("stayed, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    smooth, seen = gettext("expected by a smooth curve"), gettext("seen")
    scale = alt.Scale(domain=[seen, smooth], range=[BLUE, GREY])
    legend = alt.Legend(orient="bottom", title=None, labelLimit=300)
    colour = alt.Color("what:N", scale=scale, legend=legend)
    layers = [
        base.transform_filter("datum.smooth !== null")
        .transform_calculate(what=f"'{smooth}'")
        .mark_line(strokeDash=[6, 3], strokeWidth=2)
        .encode(y="smooth:Q", color=colour),
        base.mark_rule(color=BLUE, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.transform_calculate(what=f"'{seen}'")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(y=y, color=colour),
        base.mark_text(fontSize=10, color=GREY, dy=-6).encode(y=alt.value(0), text="units:N"),
    ]
    place = "" if step is None or step.reason is not None else str((step.levels_off or step).times)
    if step is not None and place in names:
        sign = {"times": place, "text": step_words(step.verdict, step.smooth_range, step.levels_off)}
        mark = alt.Chart(data([sign])).encode(x=alt.X("times:O", sort=names, bandPosition=0))
        layers += [
            mark.mark_rule(color=ORANGE, strokeWidth=2),
            mark.mark_text(align="right", dx=-5, color=ORANGE, fontSize=13, fontWeight="bold").encode(
                y=alt.value(22), text="text:N"
            ),
        ]
    return alt.layer(*layers).properties(width=WIDTH, height=240), 4 * len(rows) + 2


def _count(point: DosePoint) -> str:
    return f"{point.count}{'+' if point.last else ''}"


def step_words(verdict: StepVerdict, found: SmoothRange | None, end: LevelsOff | None) -> str:
    """The short form of a step verdict; "smooth" names the numbers it speaks of, "levels off" where."""
    if found is not None:
        text = gettext("smooth from {first} to {last} times within {days}")
        return text.format(first=found.first, last=found.last, days=days_words(found.days))
    names = {
        StepVerdict.JUMP: gettext("jump"),
        StepVerdict.LEVELS_OFF: gettext("levels off at {times}").format(times="" if end is None else end.times),
        StepVerdict.SMOOTH: gettext("smooth"),
        StepVerdict.CANNOT_TELL: gettext("no clear threshold"),
    }
    return names[verdict]


def step_sentence(step: Step) -> str:
    """What can be said about a jump, with the caution that belongs to it."""
    if step.reason is not None:
        return reason_words(step.reason)
    match step.verdict:
        case StepVerdict.JUMP:
            text = gettext(
                "Retention jumps at {times} within {days}: it rises more there than at the counts beside it. "
                "Engagement along which retention changes smoothly makes no jump; a rule of the product that fires "
                "there, such as a badge, can."
            )
        case StepVerdict.LEVELS_OFF if step.levels_off is not None:
            return levels_off_sentence(step.levels_off)
        case StepVerdict.SMOOTH if step.smooth_range is not None:
            return smooth_sentence(step.smooth_range)
        case StepVerdict.SMOOTH:
            text = gettext(
                "No jump was found; whether one would have been found was asked at {times} within {days} alone."
            )
        case _:
            text = gettext("These data can't tell a jump at {times} from a smooth rise.")
    return text.format(times=times_words(step.times), days=days_words(step.days))


def levels_off_sentence(found: LevelsOff) -> str:
    """That retention rises to a number and no further, and what that isn't."""
    text = gettext(
        "Retention rises with each count up to {times} within {days}; after that one more adds less than a quarter as "
        "much. That is no jump: no single count is the threshold."
    )
    return text.format(times=times_words(found.times), days=days_words(found.days))


def smooth_sentence(found: SmoothRange) -> str:
    """That no jump lies in the range that was tested with power, and what follows for its numbers."""
    text = gettext(
        "From {first} to {last} times within {days} a jump of {jump} points of retention would have been found and was "
        "not: any number from {first} to {last} is a convention."
    )
    days, jump = days_words(found.days), f"{100 * JUMP:.0f}"
    return text.format(first=found.first, last=found.last, days=days, jump=jump)


def judged_of(report: Report, behaviour: str) -> Judged | None:
    """What was judged of one behaviour."""
    return next((row for row in report.judged if row.behaviour == behaviour), None)
