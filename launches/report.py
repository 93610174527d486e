"""A reading of a launch as sentences, tables, charts and one JSON document. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from events.metrics import display_name
from events.metrics.sentences import metric_words
from launches.answers import DAY, Answers, Curve, Direction, Meets, Other, Suggestion
from launches.judge import LaunchReport, Place, ShownDay, Why
from reporting.charts import (
    BLUE,
    GREY,
    LIGHT,
    ORANGE,
    Drawing,
    Drawn,
    Mark,
    alt,
    data,
    date_axis,
    reading,
    readings,
    share_axis,
)
from reporting.document import dump, outward
from reporting.numbers import (
    between,
    count,
    day_text,
    effect_limits,
    effect_text,
    level_text,
    p_text,
    p_value,
    percent,
    share,
    significant,
)
from reporting.table import Part, Table, drawings
from reporting.words import gettext
from stats.launch_effect import FEWEST_BLOCKS, INTERVAL, LEVEL
from stats.results import Interval

WIDTH, HEIGHT = 640, 260
HELD_OUT = 0.1  # of the users, of the next launch


# ── Sentences ─────────────────────────────────────────────────────────────────
def suggestion_words(suggestion: Suggestion) -> str:
    """What the curve suggests, in two or three words."""
    return {
        Suggestion.GAIN: gettext("suggests a gain"),
        Suggestion.LOSS: gettext("suggests a loss"),
        Suggestion.CANT_TELL: gettext("can't tell"),
        Suggestion.REFUSED: gettext("refused"),
    }[suggestion]


def outcome_words(answers: Answers) -> str:
    """What is measured on each day."""
    if answers.curve is Curve.ACTIVE_USERS:
        return gettext("active users of a day")
    if answers.curve is Curve.PER_ACTIVE_USER:
        return gettext("{behaviour}: times for each active user and day").format(
            behaviour=display_name(answers.outcome)
        )
    return metric_words(answers.outcome)


def value_text(report: LaunchReport, value: float) -> str:
    """A value of the curve in its unit."""
    return percent(value) if report.answers.is_share else significant(value)


def effect_words(report: LaunchReport) -> str:
    """The effect with its interval: "+4.1 points (90 % interval 2.0 to 6.3 points)"; "" without one."""
    effect = report.effect
    if not isinstance(effect, Interval):
        return ""
    is_share = report.answers.is_share
    return gettext("{effect} ({level} interval {limits})").format(
        level=level_text(INTERVAL),
        effect=effect_text(effect.estimate, share=is_share, plus=True),
        limits=effect_limits(effect.low, effect.high, is_share),
    )


def headline(report: LaunchReport) -> str:
    """The first sentence: what the curve suggests, or why nothing can be said."""
    texts = {
        Why.FOUND: gettext("Against what was expected without the launch, the curve changed by {effect}."),
        Why.NOT_FOUND: gettext(
            "Against what was expected, the curve changed by {effect}: that may be chance, a gain or a loss."
        ),
        Why.FEW_DATES: gettext(
            "How often the method errs here isn't known: {blocks} separate dates of the past could be tried, and "
            "{needed} are needed. A launch from {day} on can be judged, if nothing else happens meanwhile."
        ),
        Why.SHORT: gettext("There are too few days before the launch to say what was expected."),
        Why.ERRS: gettext(
            "On your own past this method finds an effect where there was none in {wrong} of {blocks} periods. So its "
            "answer for the launch isn't shown as one."
        ),
        Why.UNMOVED_MOVED: gettext(
            "{unmoved}, which the launch can't move, moved on the same days. Something else happened."
        ),
        Why.COVERED: gettext("{others} cover so many of the days after that too few are left."),
        Why.NO_CONTROLS: gettext("Those who couldn't meet the launch are too few to say what was expected."),
    }
    return texts[report.why].format(
        effect=effect_words(report),
        blocks=report.past.blocks,
        needed=FEWEST_BLOCKS,
        wrong=report.past.wrong,
        day=day_text(report.can_tell_from) if report.can_tell_from else "",
        unmoved=metric_words(report.answers.unmoved) if report.answers.unmoved else "",
        others=", ".join(one.title for one in report.passing) or gettext("Days without users"),
    )


def expected_words(report: LaunchReport) -> str:
    """What was measured and what was expected, with n; "" without an expectation."""
    shown = [row for row in report.days if row.place is Place.AFTER]
    weights = sum(row.n for row in shown)
    if report.expected is None or not weights:
        return ""
    weigh = report.answers.curve is not Curve.ACTIVE_USERS
    observed = sum((row.n if weigh else 1) * row.value for row in shown) / (weights if weigh else len(shown))
    text = gettext(
        "Over {days} days after: {observed} on average, expected {expected}; {n} users, each counted on each day."
    )
    if report.answers.curve is Curve.NEW_USERS:
        text = gettext("Over {days} days after: {observed} on average, expected {expected}; {n} new users.")
    return text.format(
        days=report.after,
        observed=value_text(report, observed),
        expected=value_text(report, report.expected),
        n=count(weights),
    )


def needed_words(report: LaunchReport) -> list[str]:
    """What would have to be true for the curve to be the launch's work."""
    if report.answers.spared:
        words = [
            gettext(
                "Without the launch, the curve would have kept to those of users who couldn't meet it ({who}), as it "
                "did before."
            ).format(who=", ".join(report.answers.spared))
        ]
    else:
        words = [
            gettext(
                "Without the launch, level, trend and weekdays of the {days} days before would have gone on."
            ).format(days=report.before)
        ]
    words.append(gettext("Nothing else changed who came or what they did in these days."))
    for one in report.lasting:
        words.append(
            gettext(
                "“{title}” ({dates}) moved nothing: it began or ended in the same days and can't be told apart."
            ).format(title=one.title, dates=_dates(one))
        )
    if report.answers.meets is Meets.EVERYBODY and report.answers.curve is Curve.NEW_USERS:
        words.append(gettext("The same kind of users signed up as before."))
    return words


def _dates(one: Other) -> str:
    if one.ends is None or one.ends == one.starts:
        return day_text(one.starts)
    return between(day_text(one.starts), day_text(one.ends))


def past_words(report: LaunchReport) -> str:
    """The method's error rate on this site's own past."""
    past = report.past
    if not isinstance(past.rate, Interval):
        return gettext("No date of the past could be tried.")
    text = gettext(
        "Asked at {blocks} separate dates of the past where nothing happened, the method called an effect at {wrong} "
        "of them: {rate}. By chance it does so at 5%."
    ).format(blocks=past.blocks, wrong=past.wrong, rate=share(past.rate))
    if report.blocked:
        text += " " + gettext("Dates left out, since something else began or ended there: {n}.").format(
            n=report.blocked
        )
    return text


def cautions(report: LaunchReport) -> list[str]:
    """What stands above the answer, since it weakens it."""
    words = []
    if report.registered_late:
        words.append(
            gettext(
                "Registered on {day}, when the curve could be read already (from {ready} on): whoever wrote the "
                "answers may have seen it."
            ).format(day=day_text(report.registered), ready=day_text(report.readable_from))
        )
    return words


def next_time_words() -> str:
    """How to launch next time so that it can be told."""
    return gettext(
        "Hold the next launch back from {share} of the users, drawn by lot. Then nothing needs to be true but the "
        "draw, and the result is a verdict."
    ).format(share=percent(HELD_OUT, 0))


def gap_words(report: LaunchReport) -> str:
    """The gap between those who took part and those who didn't; "" where nobody asked or one side is empty."""
    gap = report.gap
    if gap is None or gap.value is None or gap.value_of_others is None:
        return ""
    return gettext("Took part: {value} of {n} users. Didn't: {other} of {others}.").format(
        value=value_text(report, gap.value),
        n=count(gap.n),
        other=value_text(report, gap.value_of_others),
        others=count(gap.others),
    )


def asked_words(answers: Answers) -> list[tuple[str, str]]:
    """The registered answers, each with its question."""
    who = gettext("everybody, also users who were there before")
    if answers.meets is Meets.NEW:
        who = gettext("only users who signed up from then on")
    if answers.trait:
        who += "; " + gettext("{trait}: {values}").format(trait=answers.trait, values=", ".join(answers.reached))
    better = gettext("higher is better") if answers.better is Direction.HIGHER else gettext("lower is better")
    days = answers.days
    return [
        (gettext("What was launched?"), answers.title),
        (gettext("When, and for which users?"), f"{day_text(answers.began)}; {who}"),
        (gettext("Who couldn't meet it?"), ", ".join(answers.spared) or gettext("nobody")),
        (gettext("By which outcome?"), f"{outcome_words(answers)}; {better}"),
        (
            gettext("From when on should it work?"),
            gettext("{days} days after; judged from {first} to {last}").format(
                days=answers.works_after, first=day_text(days.first_after), last=day_text(days.last)
            ),
        ),
        (gettext("What hangs on it?"), answers.decision),
    ]


# ── Parts of the page ─────────────────────────────────────────────────────────
def parts(report: LaunchReport) -> list[Part]:
    """The parts below the first sentence."""
    found = [
        Part(
            "launch-curve",
            gettext("What was measured, and what was expected?"),
            _curve_finding(report),
            _curve_table(report),
            note=_curve_note(report),
            draw=partial(_draw_curve, report),
        )
    ]
    if report.past_dates:
        found.append(
            Part(
                "launch-past",
                gettext("How often does the method err here?"),
                past_words(report).replace("\n", " "),
                _past_table(report),
                note=gettext("Each dot is a date at which nothing is known to have happened; the line is the launch."),
                draw=partial(_draw_past, report, report.effect) if isinstance(report.effect, Interval) else None,
            )
        )
    return found


def draw(report: LaunchReport, slug: str = "") -> tuple[Drawing, ...]:
    """The charts of a reading, or one of them."""
    return drawings(parts(report), slug)


def _curve_finding(report: LaunchReport) -> str:
    return expected_words(report) or gettext("Nothing could be expected from the days before.")


def _curve_note(report: LaunchReport) -> str:
    text = gettext("Band: the middle {share} of the days before lay as near to what was expected of them.").format(
        share=percent(INTERVAL, 0)
    )
    if report.passing:
        titles = ", ".join(f"{one.title} ({_dates(one)})" for one in report.passing)
        text += " " + gettext("Not counted, since something passed over them: the days of {titles}.").format(
            titles=titles
        )
    return text


def place_words(place: Place) -> str:
    """Where a day of the chart belongs."""
    return {
        Place.BEFORE: gettext("before"),
        Place.BETWEEN: gettext("between"),
        Place.AFTER: gettext("after"),
        Place.LEFT_OUT: gettext("not counted"),
    }[place]


def _curve_table(report: LaunchReport) -> Table:
    columns = (gettext("day"), gettext("part"), gettext("measured"), gettext("expected"), gettext("users"))
    rows = tuple(
        (
            day_text(row.day),
            place_words(row.place),
            value_text(report, row.value),
            "" if row.expected is None else value_text(report, row.expected),
            count(row.n),
        )
        for row in reversed(report.days)
    )
    return Table(gettext("The curve day by day, the newest first"), columns, rows)


def _past_table(report: LaunchReport) -> Table:
    is_share = report.answers.is_share
    columns = (gettext("date"), gettext("effect found"), gettext("p-value"), gettext("called an effect"))
    rows = tuple(
        (
            day_text(row.day),
            effect_text(row.effect, share=is_share, plus=True),
            p_value(row.p_value),
            gettext("yes") if row.p_value <= LEVEL else gettext("no"),
        )
        for row in report.past_dates
    )
    return Table(gettext("The same question at dates of the past"), columns, rows)


def _draw_curve(report: LaunchReport) -> Drawn:
    shown = [row for row in report.days if row.place is not Place.BETWEEN]
    rows = [_mark(row) for row in report.days]
    days = [report.days[0].day + place * DAY for place in range((report.days[-1].day - report.days[0].day).days + 1)]
    x = date_axis(days, gettext("date"), width=WIDTH)
    axis = share_axis() if report.answers.is_share else alt.Axis(tickCount=6)
    y = alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(zero=False))
    names = (gettext("measured"), gettext("expected"))
    domain = alt.Scale(domain=list(names), range=[BLUE, ORANGE])
    legend = alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=2, title=None)
    base = alt.Chart(data(rows)).encode(x=x)
    expected = base.transform_filter("datum.expected !== null")
    lines = [
        {"day": row.day.isoformat(), "value": value, "name": name}
        for row in shown
        for name, value in ((names[0], row.value), (names[1], row.expected))
        if value is not None
    ]
    began = report.answers.began.isoformat()
    mark = alt.Chart(data([{"day": began}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=x)
    texts = {
        row.day.isoformat(): reading(
            f"{day_text(row.day)} · {place_words(row.place)}",
            [
                (names[0], gettext("{value}, {n} users").format(value=value_text(report, row.value), n=count(row.n))),
                *([(names[1], value_text(report, row.expected))] if row.expected is not None else []),
            ],
        )
        for row in report.days
    }
    layers = alt.layer(
        expected.mark_area(opacity=0.14, color=ORANGE).encode(
            y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False)), y2="high:Q"
        ),
        alt.Chart(data(lines))
        .mark_line(strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            color=alt.Color("name:N", scale=domain, legend=legend),
            strokeDash=alt.StrokeDash(
                "name:N", scale=alt.Scale(domain=list(names), range=[[1, 0], [6, 3]]), legend=legend
            ),
            description="name:N",
        ),
        base.transform_filter("datum.aside").mark_point(filled=False, size=18, color=GREY, opacity=0.8).encode(y=y),
        mark,
        readings(x, "day", texts),
    )
    return layers.properties(width=WIDTH, height=HEIGHT), len(rows) + len(lines)


def _mark(row: ShownDay) -> Mark:
    return {
        "day": row.day.isoformat(),
        "value": row.value,
        "expected": row.expected,
        "low": row.low,
        "high": row.high,
        "aside": row.place in (Place.BETWEEN, Place.LEFT_OUT),
    }


def _draw_past(report: LaunchReport, effect: Interval) -> Drawn:
    is_share = report.answers.is_share
    scale = 100 if is_share else 1
    rows = [
        {"day": row.day.isoformat(), "effect": row.effect * scale, "called": row.p_value <= LEVEL}
        for row in report.past_dates
    ]
    oldest, newest = report.past_dates[-1].day, report.past_dates[0].day
    days = [oldest + timedelta(days=place) for place in range((newest - oldest).days + 1)]
    x = date_axis(days, gettext("date of the past"), width=WIDTH)
    title = gettext("effect found (points)") if is_share else gettext("effect found")
    y = alt.Y("effect:Q", title=title, axis=alt.Axis(tickCount=5), scale=alt.Scale(padding=12))
    names = {False: gettext("called nothing"), True: gettext("called an effect")}
    for row in rows:
        row["name"] = names[bool(row["called"])]
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(domain=list(names.values()), range=[GREY, ORANGE]),
        legend=alt.Legend(orient="top", title=None),
    )
    shape = alt.Shape(
        "name:N", scale=alt.Scale(domain=list(names.values()), range=["circle", "triangle-up"]), legend=None
    )
    line = alt.Chart(data([{"effect": effect.estimate * scale}])).mark_rule(color=BLUE, strokeWidth=2).encode(y=y)
    zero = alt.Chart(data([{"effect": 0.0}])).mark_rule(color=LIGHT).encode(y=y)
    texts = {
        row.day.isoformat(): reading(
            day_text(row.day),
            [(gettext("effect found"), f"{effect_text(row.effect, share=is_share, plus=True)}, {p_text(row.p_value)}")],
        )
        for row in report.past_dates
    }
    points = (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=70, opacity=0.9)
        .encode(x=x, y=y, color=colour, shape=shape, description="name:N")
    )
    return alt.layer(zero, line, points, readings(x, "day", texts)).properties(width=WIDTH, height=160), len(rows) + 2


# ── JSON ──────────────────────────────────────────────────────────────────────
def document(report: LaunchReport) -> dict[str, Any]:
    """The reading for other programs. What it suggests stands under ``suggestion``: it is no verdict."""
    days = report.answers.days
    content: dict[str, Any] = {
        "suggestion": report.suggestion.value,
        "why": report.why.value,
        "effect": dump(report.effect),
        "p_value": report.p_value,
        "expected": report.expected,
        "days": {
            "before": report.before,
            "after": report.after,
            "first_after": days.first_after.isoformat(),
            "last": days.last.isoformat(),
        },
        "n": report.users_after,
        "past": {
            **dump(report.past),
            "blocked": report.blocked,
            "can_tell_from": None if report.can_tell_from is None else report.can_tell_from.isoformat(),
            "dates": [dump(row) for row in report.past_dates],
        },
        "others": {
            "not_counted": [dump(one) for one in report.passing],
            "mixed_with": [dump(one) for one in report.lasting],
        },
        "registered": report.registered.isoformat(),
        "registered_late": report.registered_late,
        "data_end": report.data_end.isoformat(),
        "answers": dump(report.answers),
        "sentence": headline(report),
        "needed": needed_words(report),
    }
    return outward(content)  # type: ignore[no-any-return]


def lines(report: LaunchReport) -> Iterator[str]:
    """The reading as a terminal prints it."""
    yield suggestion_words(report.suggestion)
    yield from cautions(report)
    yield headline(report)
    yield from filter(None, (expected_words(report), past_words(report)))
    yield gettext("What would have to be true:")
    yield from (f"– {words}" for words in needed_words(report))
