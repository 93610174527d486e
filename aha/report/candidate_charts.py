"""One candidate in, charts out: no computing. Each has a table of the same rows beside it on the page."""

from collections.abc import Sequence

from aha.report import words
from aha.report.charts import ROW, WIDTH, limits, week_axis
from aha.report.series import Split, cells_of, judged_of, week_rows
from aha.study.result import Candidate, Report
from reporting.charts import (
    BLUE,
    GREY,
    INK,
    ON_MARK,
    ORANGE,
    SKY,
    YELLOW,
    Drawn,
    alt,
    categories,
    data,
    forest,
    lines,
    share_axis,
)
from reporting.numbers import decimal, percent, short_count
from reporting.words import gettext
from stats.results import computable


def stack(found: Sequence[Split]) -> Drawn:
    """A, B and C by number of times."""
    parts = {
        "b": gettext("B: did it and stayed"), "a": gettext("A: stayed without"), "c": gettext("C: did it and left"),
    }  # fmt: skip
    rows = [
        {
            "times": row.times, "part": parts[name], "share": row.share(n), "order": place, "chosen": row.chosen,
            "text": percent(row.share(n), 0) if row.share(n) >= 0.08 else "",
        }
        for row in found
        for place, (name, n) in enumerate((("b", row.b), ("a", row.a), ("c", row.c)))
    ]  # fmt: skip
    x = alt.X("times:O", title=gettext("at least so many times"), axis=alt.Axis(labelAngle=0))
    base = alt.Chart(data(rows)).encode(x=x, order="order:Q")
    y = alt.Y(
        "share:Q", stack=True, title=gettext("share of A + B + C"), axis=share_axis(), scale=alt.Scale(domain=[0, 1])
    )
    colour = alt.Color(
        "part:N", title=None, scale=alt.Scale(domain=list(parts.values()), range=[BLUE, SKY, YELLOW]),
        legend=alt.Legend(orient="bottom", labelLimit=300),
    )  # fmt: skip
    mark = alt.Chart(data([{"times": row.times, "text": "◆"} for row in found if row.chosen]))
    layers = [
        base.mark_bar().encode(y=y, color=colour),
        base.mark_text(fontSize=11, dy=9, baseline="top").encode(
            y=alt.Y("share:Q", stack=True), text="text:N",
            color=alt.condition(f"datum.part === '{parts['b']}'", alt.value("#FFFFFF"), alt.value(ON_MARK)),
        ),
        mark.mark_text(fontSize=16, color=INK, dy=-10).encode(x=x, y=alt.value(0), text="text:N"),
    ]  # fmt: skip
    return alt.layer(*layers).properties(width=WIDTH, height=240), 2 * len(rows) + 1


def heat(report: Report, candidate: Candidate) -> Drawn:
    """J of every cell, with the candidate, the cells as good, and those that may not be computed."""
    found = cells_of(report, candidate)
    rows = [
        {
            "days": cell.days, "times": cell.times, "j": cell.j, "good": cell.as_good and not cell.chosen,
            "chosen": cell.chosen, "invalid": cell.reason is not None,
            "text": "" if cell.j is None else decimal(cell.j),
        }
        for cell in found
    ]  # fmt: skip
    strongest = max((cell.j for cell in found if cell.j is not None), default=1.0)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("at least so many times"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("days:O", title=gettext("within days"), sort="ascending"),
    )
    colour = alt.Color("j:Q", scale=alt.Scale(domain=[0, strongest], range=["#F8FAFC", BLUE]), title="J")
    valid, invalid = base.transform_filter("!datum.invalid"), base.transform_filter("datum.invalid")
    layers = [
        valid.mark_rect(stroke="#FFFFFF", strokeWidth=2).encode(color=colour),
        invalid.mark_rect(fill="#F3F4F6", stroke="#FFFFFF", strokeWidth=2),
        invalid.mark_text(text="////", fontSize=13, color="#9CA3AF"),
        base.transform_filter("datum.good").mark_rect(filled=False, stroke=YELLOW, strokeWidth=2.5),
        base.transform_filter("datum.chosen").mark_rect(filled=False, stroke=ORANGE, strokeWidth=4),
        valid.mark_text(fontSize=11).encode(
            text="text:N",
            color=alt.condition(f"datum.j > {0.7 * strongest}", alt.value("#FFFFFF"), alt.value(ON_MARK)),
        ),
    ]
    width = max(38 * len({cell.times for cell in found}), 240)
    signs = gettext("Bold frame: the candidate. Thin frames: as good within one standard error.")
    if any(cell.reason for cell in found):
        signs += " " + gettext("Hatched: these days reach into those on which retention is measured.")
    note = alt.Chart(data([{}])).mark_text(
        text=lines(signs, 100), align="left", baseline="top", fontSize=12, color=GREY, lineHeight=16
    ).encode(x=alt.value(0), y=alt.value(0)).properties(width=width, height=34)  # fmt: skip
    grid = alt.layer(*layers).properties(width=width, height=32 * len({cell.days for cell in found}))
    return alt.vconcat(grid, note, spacing=8), 3 * len(rows)


def pareto(report: Report, candidate: Candidate) -> Drawn:
    """Precision against recall of every cell."""
    kinds = [gettext("candidate"), gettext("on the front"), gettext("other cells")]
    # The candidate comes last, so that it is drawn on top.
    rows = [
        {
            "recall": cell.recall, "ppv": cell.ppv,
            "kind": kinds[0] if cell.chosen else kinds[1] if cell.on_front else kinds[2],
            "order": 0 if cell.chosen else 1 if cell.on_front else 2,
        }
        for cell in sorted(cells_of(report, candidate), key=lambda cell: (cell.chosen, cell.on_front))
        if cell.recall is not None and cell.ppv is not None and cell.reason is None
    ]  # fmt: skip
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "recall:Q",
            title=gettext("recall: doers of those who stay"),
            axis=share_axis(),
            scale=alt.Scale(domain=[0, 1]),
        ),
        y=alt.Y(
            "ppv:Q", title=gettext("precision: stay of the doers"), axis=share_axis(), scale=alt.Scale(domain=[0, 1])
        ),
    )
    legend = alt.Legend(orient="right", title=None)
    dots = base.mark_point(filled=True, opacity=1).encode(
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE, "#9CA3AF"]), legend=legend),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["diamond", "square", "circle"]), legend=legend),
        size=alt.Size("kind:N", scale=alt.Scale(domain=kinds, range=[220, 70, 40]), legend=legend),
    )
    front = base.transform_filter("datum.order < 2").mark_line(color=BLUE, strokeWidth=1, interpolate="step-before")
    text = gettext("{times} within {days}").format(
        times=words.times_words(candidate.times), days=words.days_words(candidate.days)
    )
    label = base.transform_filter("datum.order === 0").mark_text(
        text=text, align="left", dx=12, dy=-8, fontSize=12, fontWeight="bold", color=ORANGE
    )
    rate = report.population.rate
    layers = [front, dots, label]
    if computable(rate):
        line = alt.Chart(data([{"at": rate.estimate, "text": gettext("stay of all")}])).encode(y="at:Q")
        layers = [
            line.mark_rule(color=GREY, strokeDash=[4, 3]),
            line.mark_text(align="right", dy=-7, fontSize=11, color=GREY).encode(x=alt.value(420), text="text:N"),
            *layers,
        ]
    return alt.layer(*layers).properties(width=420, height=300), len(rows) + 4


def dose(report: Report, candidate: Candidate) -> Drawn:
    """Retention by count with the smooth curve and the step."""
    judged = judged_of(report, candidate.behaviour)
    points = judged.dose.points if judged is not None and judged.dose is not None else ()
    names = [f"{point.count}{'+' if point.last else ''}" for point in points]
    rows = [
        {
            "times": name, "share": point.share, "low": point.low, "high": point.high, "smooth": point.smooth,
            "units": short_count(point.units),
        }
        for name, point in zip(names, points, strict=True)
    ]  # fmt: skip
    days = judged.dose.days if judged is not None and judged.dose is not None else candidate.days
    title = gettext("times within {days}; above: users").format(days=words.days_words(days))
    x = alt.X("times:O", sort=names, title=title, axis=alt.Axis(labelAngle=0))
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("share:Q", title=gettext("stayed, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    smooth, seen = gettext("expected by a smooth curve"), gettext("seen")
    scale = alt.Scale(domain=[seen, smooth], range=[BLUE, GREY])
    legend = alt.Legend(orient="bottom", title=None, labelLimit=300)
    colour = alt.Color("what:N", scale=scale, legend=legend)
    layers = [
        base.transform_filter("datum.smooth !== null").transform_calculate(what=f"'{smooth}'")
        .mark_line(strokeDash=[6, 3], strokeWidth=2).encode(y="smooth:Q", color=colour),
        base.mark_rule(color=BLUE, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.transform_calculate(what=f"'{seen}'").mark_point(filled=True, size=60, opacity=1)
        .encode(y=y, color=colour),
        base.mark_text(fontSize=10, color=GREY, dy=-6).encode(y=alt.value(0), text="units:N"),
    ]  # fmt: skip
    step = judged.step if judged is not None else None
    if step is not None and step.reason is None and str(step.times) in names:
        sign = {"times": str(step.times), "text": words.step_words(step.verdict, step.smooth_range)}
        mark = alt.Chart(data([sign])).encode(x=alt.X("times:O", sort=names, bandPosition=0))
        layers += [
            mark.mark_rule(color=ORANGE, strokeWidth=2),
            mark.mark_text(align="right", dx=-5, color=ORANGE, fontSize=13, fontWeight="bold").encode(
                y=alt.value(22), text="text:N"
            ),
        ]
    return alt.layer(*layers).properties(width=WIDTH, height=240), 4 * len(rows) + 2


def ladder(candidate: Candidate) -> Drawn:
    """The rungs with their intervals."""
    rungs = candidate.ladder.rungs
    labels = [words.rung_words(rung.name) for rung in rungs]
    rows = [
        {
            "label": label, "low": 100 * rung.difference.low, "high": 100 * rung.difference.high,
            "estimate": 100 * rung.difference.estimate,
        }
        for label, rung in zip(labels, rungs, strict=True)
        if computable(rung.difference)
    ]  # fmt: skip
    gone = [{"label": label, "text": gettext("no number: too few comparable users")} for label, rung in
            zip(labels, rungs, strict=True) if not computable(rung.difference)]  # fmt: skip
    names = categories(labels)
    layers = forest(alt.Chart(data(rows)).encode(y=names), gettext("doers stay more by so many points"))
    if gone:
        layers.append(
            alt.Chart(data(gone)).mark_text(align="left", dx=8, color=GREY, fontSize=12)
            .encode(y=names, x=alt.datum(0), text="text:N")
        )  # fmt: skip
    return alt.layer(*layers).properties(width=420, height=ROW * len(labels)), 3 * len(rows) + 2


def by_week(candidate: Candidate) -> Drawn:
    """Reach and retention of both sides by signup week."""
    found = week_rows(candidate.by_week)
    names = [gettext("doers who stay"), gettext("others who stay"), gettext("reach")]
    rows = [
        {"week": row.week, "what": what, **limits(value)}
        for row in found
        for what, value in zip(names, (row.doers, row.others, row.reach), strict=True)
        if value is not None
    ]
    legend = alt.Legend(orient="right", title=None)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[BLUE, YELLOW, GREY]), legend=legend)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up"]), legend=legend)
    base = alt.Chart(data(rows)).encode(x=week_axis(), color=colour)
    y = alt.Y("share:Q", title=gettext("share of users, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_line(strokeWidth=1.5).encode(y=y),
        base.mark_rule().encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y="share:Q", shape=shape),
    ]
    return alt.layer(*layers).properties(width=WIDTH - 60, height=220), 3 * len(rows)


def by_segment(candidate: Candidate) -> Drawn:
    """Retention of both sides inside each segment."""
    names = [gettext("doers who stay"), gettext("others who stay")]
    rows = [
        {"label": row.segment, "what": what, **limits(value)}
        for row in candidate.by_segment
        for what, value in zip(names, (row.cell.ppv, row.cell.retained_without), strict=True)
        if computable(value)
    ]
    legend = alt.Legend(orient="right", title=None)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[BLUE, YELLOW]), legend=legend)
    shape = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=legend)
    base = alt.Chart(data(rows)).encode(y=categories([row.segment for row in candidate.by_segment]), color=colour)
    x = alt.X("low:Q", title=gettext("stayed, with interval"), axis=share_axis(), scale=alt.Scale(zero=True))
    layers = [
        base.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(x="share:Q", shape=shape),
    ]
    return alt.layer(*layers).properties(width=420, height=ROW * len(candidate.by_segment)), 2 * len(rows)
