"""Whether a candidate holds on users who were not used to choose its number. Pure."""

from aha.report.axes import WIDTH
from aha.study.cells import Cell
from aha.study.numbers import Interval
from aha.study.result import Candidate, Dose, DosePoint, Judged, JudgedBy, Report
from aha.study.step import JUMP, LevelsOff, SmoothRange, Step, StepVerdict
from reporting.charts import BLUE, GREY, ORANGE, Drawn, alt, data, share_axis
from reporting.numbers import count, decimal, difference, limits, number, percent, share, short_count
from reporting.table import Part, Table
from reporting.words import days_words, gettext, reason_words, times_words
from stats.results import NotComputable, Reason, computable

# Whether retention jumps at a number of times. Pure.


def jump_part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Section of the step test: does retention jump at one number of times?"""
    judged = judged_of(report, candidate.behaviour)
    slug, heading, text = f"{prefix}dose", gettext("Does retention jump?"), jump_finding(candidate, judged)
    if judged is None or judged.dose is None:
        return Part(slug, heading, text, None)
    dose = judged.dose
    return Part(slug, heading, text, jump_table(dose), draw=lambda: chart(dose, judged.step))


def jump_finding(candidate: Candidate, judged: Judged | None) -> str:
    """Result of the step test, as a sentence."""
    if judged is None or judged.step is None:
        return step_words(candidate.step, candidate.smooth_range, candidate.levels_off)
    return step_sentence(judged.step)


def jump_table(dose: Dose) -> Table:
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
    return Table(title, columns, rows, gettext("On the users in which a jump is searched for."))


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
        base.mark_text(fontSize=11, color=GREY, dy=-6).encode(y=alt.value(0), text="units:N"),
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


def step_words(verdict: StepVerdict, smooth_range: SmoothRange | None, end: LevelsOff | None) -> str:
    """The short form of a step verdict; "smooth" names its range of numbers, "levels off" the number."""
    if smooth_range is not None:
        text = gettext("smooth from {first} to {last} times within {days}")
        return text.format(first=smooth_range.first, last=smooth_range.last, days=days_words(smooth_range.days))
    names = {
        StepVerdict.JUMP: gettext("jump"),
        StepVerdict.LEVELS_OFF: gettext("levels off at {times}").format(times="" if end is None else end.times),
        StepVerdict.SMOOTH: gettext("smooth"),
        StepVerdict.CANNOT_TELL: gettext("no clear threshold"),
    }
    return names[verdict]


def step_sentence(step: Step) -> str:
    """The result of the step test, with its caution."""
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
            text = gettext("These data can't separate a jump at {times} from a smooth rise.")
    return text.format(times=times_words(step.times), days=days_words(step.days))


def levels_off_sentence(levels_off: LevelsOff) -> str:
    """Sentence for retention that rises up to a number of times and is flat above it: no threshold."""
    text = gettext(
        "Retention rises with each count up to {times} within {days}; after that one more adds less than a quarter as "
        "much. That is no jump: no single count is the threshold."
    )
    return text.format(times=times_words(levels_off.times), days=days_words(levels_off.days))


def smooth_sentence(smooth_range: SmoothRange) -> str:
    """Sentence for a range without a jump, tested with enough power: any number in it is a convention."""
    text = gettext(
        "From {first} to {last} times within {days} a jump of {jump} points of retention would have been found and was "
        "not: any number from {first} to {last} is a convention."
    )
    days, jump = days_words(smooth_range.days), f"{100 * JUMP:.0f}"
    return text.format(first=smooth_range.first, last=smooth_range.last, days=days, jump=jump)


def judged_of(report: Report, behaviour: str) -> Judged | None:
    """The judged results of one behaviour; None if there are none."""
    return next((row for row in report.judged if row.behaviour == behaviour), None)


def part(candidate: Candidate, prefix: str) -> Part:
    """Section on the hold-out and later cohorts."""
    heading = gettext("Does it hold elsewhere?")
    return Part(f"{prefix}honesty", heading, finding(candidate), table(candidate))


def finding(candidate: Candidate) -> str:
    """Whether the number holds on users who were not used to choose it."""
    cell = candidate.honest
    if not computable(cell):
        if candidate.judged_by is not JudgedBy.BOOTSTRAP:
            return reason_words(cell)
        text = gettext("Corrected for having been chosen, J is {j}.")
        return text.format(j=decimal(candidate.honesty.corrected["j"], 3))
    gap = candidate.honesty.optimism.get("difference")
    text = gettext("On users who had no part in the choice doers stay {difference} points more; optimism {optimism}.")
    return text.format(
        difference=difference(cell.difference), optimism=gettext("unknown") if gap is None else difference(gap)
    )


def table(candidate: Candidate) -> Table:
    """The cell on the units that chose it, on the hold-out and on later cohorts."""
    honesty = candidate.honesty
    names = {
        "ppv": gettext("retained if did it"),
        "recall": gettext("recall"),
        "difference": gettext("difference, points"),
        "phi": "φ",
        "j": "J",
    }
    rows = []
    for name, label in names.items():
        show = difference if name in ("ppv", "recall", "difference") else number
        places = [_metric(cell, name) for cell in (honesty.train, honesty.hold_out, honesty.later)]
        gaps = [honesty.optimism.get(name), honesty.drift.get(name)]
        rows.append(
            (label, *(_shown(value, name) for value in places), *("" if gap is None else show(gap) for gap in gaps))
        )
    columns = (
        gettext("measure"),
        gettext("training part"),
        gettext("hold-out"),
        gettext("later cohorts"),
        gettext("optimism"),
        gettext("drift"),
    )
    note = judges_note(candidate)
    return Table(gettext("Does it hold elsewhere?"), columns, tuple(rows), note)


def judges_note(candidate: Candidate) -> str:
    """Which users chose the number and which judge it."""
    match candidate.judged_by:
        case JudgedBy.HOLD_OUT:
            return gettext(
                "The rule chose on the training part, the hold-out judges. Optimism: training part minus hold-out. "
                "Drift: hold-out minus later cohorts. Both 0 when the claim holds."
            )
        case JudgedBy.TRAIN:
            return gettext(
                "The jump was found on the hold-out, the training part judges. Optimism: hold-out minus training part. "
                "Drift: training part minus later cohorts. Both 0 when the claim holds."
            )
        case JudgedBy.BOOTSTRAP:
            return gettext("Too few users to set some aside: all chose, and the optimism is bootstrapped.")
    return reason_words(NotComputable(Reason.NOBODY_JUDGES))


def _metric(cell: Cell | NotComputable, name: str) -> Interval | NotComputable:
    if isinstance(cell, NotComputable):
        return cell
    interval: Interval | NotComputable = getattr(cell, name)
    return interval


def _shown(value: Interval | NotComputable, name: str) -> str:
    if name == "difference":
        return difference(value)
    return share(value) if name in ("ppv", "recall") else number(value)
