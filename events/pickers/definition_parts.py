"""A retention or an outcome taken apart into what a form asks for in words, and put together again. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from events.metrics import (
    STEPS,
    USUAL_CAP,
    Active,
    ActiveDays,
    Capped,
    Count,
    Expression,
    Funnel,
    Metric,
    MinDays,
    MinEvents,
    Plain,
    Quantile,
    Ratio,
    Retention,
    Survival,
    Tier,
    Total,
    Value,
    is_display_only,
    is_share,
    parse_behaviour,
    parse_metric,
    parse_retention,
    window_of,
)
from events.metrics.levels import HIGH, levels_of, parse_model
from events.windows import Window
from reporting.words import gettext, say, shown
from runs.refusals import Refused

# Retention as people say it ("D7", "day 14-20", "week 2", "2주차 잔존율"): parsed into a specification. Pure.

# Words that don't change the meaning.
NOISE = re.compile(
    r"retention|retained|rolling|classic|active|on|the|from|잔존율|잔존|리텐션|재방문율|재방문|가입|후|일에|율"
)
DAYS = r"(\d{1,3})(?:-|~|–|to)(\d{1,3})"
FORMS = (
    (re.compile(r"(?:w|wk|week)-?(\d{1,2})|(\d{1,2})(?:주차|주째|주|stweek|ndweek|rdweek|thweek)"), "week:{0}"),
    (re.compile(rf"(?:d|days?)-?{DAYS}"), "window:{0}-{1}"),
    (re.compile(rf"{DAYS}(?:일차|일째|일|days?)?"), "window:{0}-{1}"),
    (re.compile(r"(?:d|days?)-?(\d{1,3})(?:\+|orlater)|(\d{1,3})(?:일차|일)?\+"), "unbounded:{0}"),
    (re.compile(r"(?:d|days?)-?(\d{1,3})|(\d{1,3})(?:일차|일째|일|days?)?"), "on_day:{0}"),
)


def specification(text: str) -> str | None:
    """The specification of a retention in common words, or None if it isn't understood."""
    bare = NOISE.sub("", text.strip().lower().replace("d+", "d").replace("이후", "+"))
    bare = re.sub(r"[\s,.]+", "", bare)
    for form, line in FORMS:
        matched = form.fullmatch(bare)
        if matched:
            return line.format(*(str(int(number)) for number in matched.groups() if number is not None))
    return None


def read_retention(text: str) -> Retention:
    """Parse a retention, written as a specification or in common words.

    Raises:
        Refused: it is neither, or it contradicts itself.
    """
    return parse_retention(_line(text, parse_retention))


def read_definition(text: str) -> Metric:
    """Parse a retention or any other outcome, written as a specification or in common words.

    Raises:
        Refused: as `read_retention`.
    """
    return parse_metric(_line(text, parse_metric))


def _line(text: str, read: Callable[[str], object]) -> str:
    try:
        read(text)
    except Refused:
        meant = specification(text)
        if meant is not None:
            return meant
        if ":" in text:  # written as a specification: its own error is the more helpful one
            raise
        unknown = say("I don't know {given!r}. Write it as D7, day 14-20 or week 2.", given=text)
        raise Refused(unknown) from None
    return text


# The usual retentions as buttons, and the kinds of definitions in words.


@dataclass(frozen=True)
class Preset:
    """One usual retention: its line, and its common short name if there is one."""

    line: str
    short: str = ""
    week: int = 0

    def __str__(self) -> str:
        return self.short or gettext("Week {number}").format(number=self.week)


PRESETS = (
    Preset("on_day:1", "D1"),
    Preset("on_day:7", "D7"),
    Preset("on_day:14", "D14"),
    Preset("on_day:28", "D28"),
    Preset("week:2", week=2),
    Preset("week:3", week=3),
    Preset("week:4", week=4),
)


def kind_words(kind: str) -> str:
    """Label of a kind of definition in a form."""
    return {
        "active": gettext("active on at least … days"),
        "event": gettext("did an event at least … times"),
        "level": gettext("was at a level of activity"),
        "churn": gettext("time until they leave"),
        "back": gettext("came back on or after a day"),
        "count": gettext("how often they do something"),
        "sum": gettext("sum of a property"),
        "active_days": gettext("number of active days"),
        "funnel": gettext("went through steps in order"),
        "ratio": gettext("one number divided by another"),
        "quantile": gettext("the number that a share of users don't exceed"),
        "sql": gettext("a number that a SELECT gives"),
        "line": gettext("written as a line"),
    }[kind]


# Split a retention or an outcome into the parts that a form edits in words, and join them again. Pure.

# Kinds offered in a form, in this order. `line` stands for what has no words here: caps of another size.
RETENTION_KINDS = ("active", "event", "level", "churn", "back")
JUDGED_KINDS = (
    "active",
    "event",
    "level",
)  # of studies: the other kinds have no days before which a behaviour could come
NUMBER_KINDS = ("count", "sum", "active_days")  # numbers per user, of which ratios and quantiles are made
METRIC_KINDS = ("active", "event", "level", *NUMBER_KINDS, "churn", "funnel", "ratio", "quantile", "sql")
KINDS = frozenset({*RETENTION_KINDS, *METRIC_KINDS, "line"})


LEAST_STEPS, MOST_STEPS = STEPS


@dataclass(frozen=True)
class Parts:
    """The parts of a definition in a form.

    Attributes:
        kind: one of `RETENTION_KINDS` or `METRIC_KINDS`.
        first, last: days of the window; `back` uses only the first.
        least: at least so many days (`active`) or times (`event`).
        event: of `event` and `sum`; property: of `sum`; behaviour: of `count`, as it is written.
        gap: of `churn`, days without activity.
        capped: of a number per unit: whether the largest values are cut.
        of: kind of the number that a quantile is of, or that stands above the line of a ratio.
        below: the number below the line of a ratio, with its own days; None for the usual one.
        steps: behaviours of a funnel, as they are written; empty ones are left out.
        share: of a quantile, in per cent, as it is typed.
        sql: the SELECT of an SQL metric.
        model, level: of `level`: key of a segmentation, with ``@`` and its version or without, and one of its levels.
    """

    kind: str = "active"
    first: int = 14
    last: int = 20
    least: int = 1
    event: str = ""
    property: str = ""
    behaviour: str = ""
    gap: int = 7
    capped: bool = False
    of: str = "count"
    below: "Parts | None" = None
    steps: tuple[str, ...] = ()
    share: str = "50"
    sql: str = ""
    model: str = ""
    level: str = HIGH


def below_of(parts: Parts) -> Parts:
    """The number below the line of a ratio: active days over the same days where none was chosen yet."""
    return Parts("active_days", parts.first, parts.last) if parts.below is None else parts.below


USUAL_DAYS = ((14, 20), (0, 6))  # of retention, and of numbers


def with_usual_days(parts: Parts) -> Parts:
    """The parts of a kind that was just chosen: days that nobody chose become the usual ones of the kind."""
    if (parts.first, parts.last) not in USUAL_DAYS:
        return parts
    first, last = USUAL_DAYS[parts.kind not in RETENTION_KINDS]
    return replace(parts, first=first, last=last)


def parts_of(definition: Metric | None) -> Parts:
    """The parts of a definition; of an empty one the usual window."""
    match definition:
        case None:
            return Parts()
        case Funnel(steps, window):
            return replace(_days(window), kind="funnel", steps=tuple(map(str, steps)))
        case Quantile(of, share):
            number = _parts_of_value(of)
            if number.kind in NUMBER_KINDS:
                return replace(number, kind="quantile", of=number.kind, share=f"{100 * share:.10g}")
        case Ratio(numerator, denominator):
            above, below = _parts_of_value(numerator), _parts_of_value(denominator)
            if {above.kind, below.kind} <= set(NUMBER_KINDS):
                return replace(above, kind="ratio", of=above.kind, below=below)
        case Capped() | Count() | Total() | ActiveDays() | Expression():
            return _parts_of_value(definition)
        case _:
            return _parts_of_retention(definition)
    return Parts("line")


def _parts_of_value(value: Value) -> Parts:
    match value:
        case Count(behaviour, window):
            return replace(_days(window), kind="count", behaviour=str(behaviour))
        case Total(event, name, window):
            return replace(_days(window), kind="sum", event=event, property=name)
        case ActiveDays(window):
            return replace(_days(window), kind="active_days")
        case Expression(window, sql):
            return replace(_days(window), kind="sql", sql=sql)
        case Capped(of, None, share) if share == USUAL_CAP:
            return replace(_parts_of_value(of), capped=True)
    return Parts("line")


def _parts_of_retention(definition: Retention) -> Parts:
    match definition:
        case Active(window) if is_display_only(definition):
            return Parts("back", window.start_day, window.start_day)
        case Active(window):
            return Parts("active", window.start_day, window.end_day or window.start_day)
        case Tier(window, _days_of_level, model, number, level):
            return replace(_days(window), kind="level", model=f"{model}@{number}", level=level)
        case MinDays(window, days):
            return replace(_days(window), least=days)
        case MinEvents(event, window, times):
            return replace(_days(window), kind="event", event=event, least=times)
        case Survival(gap):
            return Parts("churn", gap=gap)


def definition_of(parts: Parts) -> Metric:
    """The definition made from a form's parts.

    Raises:
        Refused: they contradict each other, or a name is missing.
    """
    match parts.kind:
        case "back":
            return Active(Window(parts.first, None), "unbounded")
        case "churn":
            return _churn(parts.gap)
        case "event":
            if not parts.event:
                raise Refused("Choose the event that counts.")
            return MinEvents(parts.event, Window(parts.first, parts.last), parts.least)
        case "level":
            if not parts.model:
                raise Refused("Choose the segmentation whose levels are meant.")
            return parse_retention(f"tier:{_with_version(parts.model)}:{parts.level}:{parts.first}-{parts.last}")
        case "count" | "sum" | "active_days" | "sql":
            return _value(parts)
        case "funnel":
            return _funnel(parts)
        case "quantile":
            return Quantile(_number(replace(parts, kind=parts.of)), _share(parts.share))
        case "ratio":
            return Ratio(_value(replace(parts, kind=parts.of)), _value(below_of(parts)))
    window = Window(parts.first, parts.last)
    if parts.least > 1:
        return MinDays(window, parts.least)
    return Active(window, "on_day" if parts.first == parts.last else "window")


def _with_version(model: str) -> str:
    """The segmentation with its newest version where none was chosen."""
    key, number = parse_model(model)
    return model if number is not None else f"{key}@{levels_of(key, None).number}"


def _funnel(parts: Parts) -> Funnel:
    steps = tuple(parse_behaviour(step) for step in parts.steps if step)
    if len(steps) < LEAST_STEPS:
        raise Refused("Choose at least two steps.")
    return Funnel(steps, Window(parts.first, parts.last))


def _share(text: str) -> float:
    """The share of a quantile."""
    try:
        share = round(float(text.removesuffix("%").replace(",", ".")) / 100, 12)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise Refused("Write a share of users between 0 and 100%, such as 50.")
    return share


def _value(parts: Parts) -> Value:
    number = _number(parts)
    return Capped(number, None, USUAL_CAP) if parts.capped else number


def _number(parts: Parts) -> Plain:
    window = Window(parts.first, parts.last)
    if parts.kind == "sql":
        if not parts.sql:
            raise Refused("Write a SELECT that gives user_id and value.")
        return Expression(window, parts.sql)
    if parts.kind == "active_days":
        return ActiveDays(window)
    if parts.kind == "count":
        if not parts.behaviour:
            raise Refused("Choose the behaviour that is counted.")
        return Count(parse_behaviour(parts.behaviour), window)
    if not parts.event or not parts.property:
        raise Refused("Choose the event and the property whose values are added up.")
    return Total(parts.event, parts.property, window)


def _churn(gap: int) -> Survival:
    if gap < 1:
        raise Refused("A silence has at least one day.")
    return Survival(gap)


def _days(window: Window) -> Parts:
    return Parts("active", window.start_day, window.start_day if window.end_day is None else window.end_day)


# What a row of a metric says beside its name: its days, and what its numbers are measured in.


def unit_words(definition: Metric) -> str:
    """Unit of a difference of the metric, as it stands behind a number."""
    match definition:
        case ActiveDays() | Survival():
            return gettext("days")
        case Count(behaviour) if behaviour.distinct is None:
            return gettext("times")
        case Total(event, name):
            return shown(event, name)
        case Capped(of) | Quantile(of):
            return unit_words(of)
    return gettext("points") if is_share(definition) else gettext("in the metric's unit")


def row_facts(definition: Metric, unit: str = "") -> dict[str, str]:
    """What a row shows of a picked metric: first and last day, "" for a metric without a window, and the unit."""
    window = window_of(definition)
    days = ("", "") if window is None else (str(window.start_day), str(window.end_day))
    return {"first": days[0], "last": days[1], "unit": unit or unit_words(definition)}


def margin_as_typed(margin: float, *, share: bool) -> str:
    """A margin as its field shows it: points of a share, else the metric's own unit."""
    return f"{100 * margin if share else margin:.6g}"
