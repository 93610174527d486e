r"""Definitions of behaviours, retention and metrics: frozen records with a one-line text form that parses back.

The same definition labels users in discovery *and* judges the experiment; with two, the experiment would prove nothing.
Names with a special character (``\ : [ ] # = /``) are written with a backslash before it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from events.metrics.levels import LEVELS, known_levels, levels_of, parse_model
from events.metrics.sql_gate import LONGEST as LONGEST_SQL
from events.metrics.sql_gate import checked, one_line
from events.windows import Window
from reporting.words import say, shown_in, unescaped
from runs.refusals import Refused

# Names and numbers in the one-line text form of a definition. Pure.

LONGEST_LINE = (
    LONGEST_SQL + 100
)  # maximum characters of a definition: the longest SELECT, with its window and its cap before it
SPECIAL = re.compile(r"([\\:\[\]#=/])")


def percent(share: float) -> str:
    """Format a share."""
    return f"{100 * share:.10g}%"


def decimal(text: str, given: str) -> float:
    """Parse a number of at least 0; `text` is the whole definition, for the error message."""
    if not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d+)?", given, re.ASCII):
        raise Refused("'{given}' needs a number such as 100 or 99.9%, not '{number}'.", given=text, number=given)
    return float(given)


def whole_number(text: str, number: str, *, least: int = 0) -> int:
    """Parse a whole number of at least `least`; `text` is the whole definition, for the error message."""
    if not re.fullmatch(r"\d{1,5}", number, re.ASCII) or int(number) < least:
        raise Refused(
            "'{given}' needs a whole number of {least} or more, not '{number}'.", given=text, least=least, number=number
        )
    return int(number)


def split(text: str) -> list[str]:
    """Split at colons that aren't escaped by a backslash; the backslashes stay for `unescape`."""
    parts, protected = [""], False
    for character in text:
        if character == ":" and not protected:
            parts.append("")
        else:
            parts[-1] += character
        protected = character == "\\" and not protected
    return parts


def escape(name: str) -> str:
    """Escape a name for a line."""
    return SPECIAL.sub(r"\\\1", name)


def unescape(name: str) -> str:
    """Undo `escape`."""
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)


# Default cap: this share of units stays uncut (docs/methods/comparison.md, "Capped mean").
USUAL_CAP = 0.999
STEPS = (2, 6)  # number of steps of a funnel


@dataclass(frozen=True)
class Behaviour:
    """A behaviour of units, as listed by an analyst.

    Attributes:
        event: the event's name.
        where: property and value (as text) that the event must carry, or None. ``EVENT[prop=value]``
        distinct: property whose distinct values are counted instead of events, or None. ``EVENT#prop``
    """

    event: str
    where: tuple[str, str] | None = None
    distinct: str | None = None

    def __post_init__(self) -> None:
        if not self.event or self.distinct == "" or (self.where is not None and not self.where[0]):
            raise Refused("A behaviour needs an event name: EVENT, EVENT[property=value] or EVENT#property.")

    def __str__(self) -> str:
        where = "" if self.where is None else f"[{escape(self.where[0])}={escape(self.where[1])}]"
        return escape(self.event) + where + ("" if self.distinct is None else f"#{escape(self.distinct)}")


plain_name = unescaped  # unescaped, for storing a behaviour, metric or feature in a column
display_name = shown_in  # for pages, with the display names of events and properties


@dataclass(frozen=True)
class Active:
    """Retained: active on any day of the window. `form` is the keyword as written (on_day, window, week, unbounded)."""

    window: Window
    form: str = "window"

    def __str__(self) -> str:
        first = self.window.start_day
        match self.form:
            case "week":
                return f"week:{(first - 1) // 7 + 1}"
            case "window":
                return f"window:{self.window}"
        return f"{self.form}:{first}"


@dataclass(frozen=True)
class MinDays:
    """Retained: active on at least `days` different days of the window."""

    window: Window
    days: int

    def __post_init__(self) -> None:
        if not 1 <= self.days <= len(self.window):
            raise Refused(
                "{given} asks for {days} different days in a window of {count}.",
                given=self,
                days=self.days,
                count=len(self.window),
            )

    def __str__(self) -> str:
        return f"min_days:{self.window}:{self.days}"


@dataclass(frozen=True)
class Tier(MinDays):
    """Retained: at this level of activity or above in the window, as a published segmentation has cut it.

    The line holds the cut, so that it means the same wherever it is read: ``tier:loyal@2:high=5:14-20``.

    Attributes:
        days: fewest active days of the level.
        model, number: key and version of the segmentation.
        level: one of `LEVELS`.
    """

    model: str
    number: int
    level: str

    def __str__(self) -> str:
        return f"tier:{escape(self.model)}@{self.number}:{self.level}={self.days}:{self.window}"


@dataclass(frozen=True)
class MinEvents:
    """Retained: at least `times` events of one kind in the window."""

    event: str
    window: Window
    times: int

    def __post_init__(self) -> None:
        if not self.event or self.times < 1:
            raise Refused("min_events needs an event name and a number of 1 or more: min_events:EVENT:14-20:3.")

    def __str__(self) -> str:
        return f"min_events:{escape(self.event)}:{self.window}:{self.times}"


@dataclass(frozen=True)
class Survival:
    """Time to churn: days until the first silence of at least `gap` full days."""

    gap: int

    def __str__(self) -> str:
        return f"survival:{self.gap}"


@dataclass(frozen=True)
class Funnel:
    """Converted: showed every behaviour in the window, each later than the one before; a share of units.

    Each step counts at its first occurrence after the step before, as in Explore's funnels.
    """

    steps: tuple[Behaviour, ...]
    window: Window

    def __post_init__(self) -> None:
        least, most = STEPS
        if not least <= len(self.steps) <= most:
            raise Refused(
                "A funnel has {least} to {most} steps, not {count}.", least=least, most=most, count=len(self.steps)
            )
        for step in self.steps:
            if step.distinct is not None:
                raise Refused("A step of a funnel happens or doesn't: '{step}' counts different values.", step=step)
        if self.window.end_day is None:
            raise Refused("A funnel needs a last day.")

    def __str__(self) -> str:
        return f"funnel:{':'.join(map(str, self.steps))}:{self.window}"


@dataclass(frozen=True)
class Count:
    """A number per unit: how often it showed a behaviour in the window."""

    behaviour: Behaviour
    window: Window

    def __str__(self) -> str:
        return f"count:{self.behaviour}:{self.window}"


@dataclass(frozen=True)
class Total:
    """A number per unit: the sum of a numeric property of one kind of event in the window."""

    event: str
    property: str
    window: Window

    def __str__(self) -> str:
        return f"sum:{escape(self.event)}:{escape(self.property)}:{self.window}"


@dataclass(frozen=True)
class ActiveDays:
    """A number per unit: different active days in the window."""

    window: Window

    def __str__(self) -> str:
        return f"active_days:{self.window}"


@dataclass(frozen=True)
class Expression:
    """A number per unit: the result of a SELECT over the events of the window, 0 for units without a row.

    Attributes:
        window: days of the events that the SELECT sees.
        sql: in DuckDB's dialect, on one line; `events.metrics.sql_gate` defines what is allowed.
    """

    window: Window
    sql: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "sql", one_line(self.sql))
        if self.window.end_day is None:
            raise Refused("An SQL metric needs a last day.")
        checked(self.sql)

    def __str__(self) -> str:
        return f"sql:{self.window}:{self.sql}"


Retention = Active | MinDays | MinEvents | Survival
Plain = Count | Total | ActiveDays | Expression


@dataclass(frozen=True)
class _MadeOf:
    of: Plain

    @property
    def window(self) -> Window:
        """Of the number per unit."""
        return self.of.window


@dataclass(frozen=True)
class Capped(_MadeOf):
    """A number per unit whose sum over the window is cut at a cap, so that a few extreme units don't decide the result.

    Attributes:
        cap: the number; None until the start, where it is still a share of units.
        share: of the units before the start at or below the cap, 0 to 1; None for a number chosen by a person.
    """

    cap: float | None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.cap is None and self.share is None) or (self.cap is not None and not 0 < self.cap < inf):
            raise Refused("A cap is a number above 0, or a share such as 99.9%: capped:100:sum:buy:price:0-6.")
        _check_share(self.share)

    def __str__(self) -> str:
        cap = "" if self.cap is None else f"{self.cap:.12g}"
        limit = "=".join(filter(None, ("" if self.share is None else percent(self.share), cap)))
        return f"capped:{limit}:{self.of}"


Value = Plain | Capped


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums over units, for example revenue per active day. The unit stays the unit of analysis."""

    numerator: Value
    denominator: Value

    def __post_init__(self) -> None:
        if any(isinstance(getattr(part, "of", part), Expression) for part in (self.numerator, self.denominator)):
            raise Refused("An SQL metric is no part of a ratio: divide inside the SELECT.")

    def __str__(self) -> str:
        return f"{self.numerator} / {self.denominator}"


@dataclass(frozen=True)
class Quantile(_MadeOf):
    """The number that this share of units doesn't exceed, for example the median; experiments compare it."""

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def __str__(self) -> str:
        return f"quantile:{percent(self.share)}:{self.of}"


Asked = Retention | Funnel | Value  # definitions that give one number per unit
Metric = Asked | Ratio | Quantile


# What of the log decides a definition. A kind that is left out here is a type error, no hole in what is asked for.


def behaviours_of(definition: Metric) -> tuple[Behaviour, ...]:
    """The behaviours that decide it; none for activity, since the site's setting says which events that is."""
    match definition:
        case Active() | MinDays() | Survival() | ActiveDays():
            return ()
        case MinEvents(event) | Total(event):
            return (Behaviour(event),)
        case Count(behaviour):
            return (behaviour,)
        case Funnel(steps):
            return steps
        case Expression(_, sql):
            return tuple(map(Behaviour, checked(sql).events))
        case Capped() | Quantile():
            return behaviours_of(definition.of)
        case Ratio(numerator, denominator):
            return behaviours_of(numerator) + behaviours_of(denominator)


def with_behaviour(definition: Metric, at: int, right: Behaviour) -> Metric:
    """The definition with another behaviour at this place of `behaviours_of`."""
    part: Any  # of the kind that stood there
    match definition:
        case MinEvents() | Total():
            return replace(definition, event=right.event)
        case Count():
            return replace(definition, behaviour=right)
        case Funnel(steps):
            return replace(definition, steps=(*steps[:at], right, *steps[at + 1 :]))
        case Expression(_, sql):
            wrong = behaviours_of(definition)[at].event
            return replace(definition, sql=sql.replace(_quoted(wrong), _quoted(right.event)))
        case Capped() | Quantile():
            part = with_behaviour(definition.of, at, right)
            return replace(definition, of=part)
        case Ratio(numerator, denominator):
            above = len(behaviours_of(numerator))
            if at < above:
                part = with_behaviour(numerator, at, right)
                return replace(definition, numerator=part)
            part = with_behaviour(denominator, at - above, right)
            return replace(definition, denominator=part)
        case Active() | MinDays() | Survival() | ActiveDays():
            return definition


def _quoted(event: str) -> str:
    return "'" + event.replace("'", "''") + "'"


def properties_of(definition: Metric) -> tuple[tuple[str, str], ...]:
    """Properties whose values it reads, other than those of a behaviour, each with its event; "" for any event."""
    match definition:
        case Total(event, name):
            return ((name, event),)
        case Expression(_, sql):
            query = checked(sql)
            return tuple((name, "") for name in dict.fromkeys((*query.properties, *query.numbers)))
        case Capped() | Quantile():
            return properties_of(definition.of)
        case Ratio(numerator, denominator):
            return properties_of(numerator) + properties_of(denominator)
        case Active() | MinDays() | MinEvents() | Survival() | Funnel() | Count() | ActiveDays():
            return ()


def events_needed(definition: Metric) -> tuple[str, ...]:
    """Names of the events that decide it, each once; none for activity."""
    return tuple(dict.fromkeys(behaviour.event for behaviour in behaviours_of(definition)))


def outcome_window(definition: Asked | Quantile) -> Window:
    """The days that must be complete before a unit counts.

    Raises:
        ValueError: for `survival`, whose follow-up ends for everybody at the data's end minus the gap.
    """
    if isinstance(definition, Survival):
        raise ValueError("survival has no fixed window")
    return definition.window


def first_day(definition: Metric) -> int | None:
    """First day of a unit's life that decides the metric; None for `survival`, which has no fixed window."""
    match definition:
        case Survival():
            return None
        case Ratio(numerator, denominator):
            return min(numerator.window.start_day, denominator.window.start_day)
    return definition.window.start_day


def window_of(definition: Metric) -> Window | None:
    """The days that decide the metric; None for one without a last day, or whose two parts have different days."""
    match definition:
        case Survival():
            return None
        case Ratio(numerator, denominator):
            return numerator.window if numerator.window == denominator.window else None
    return None if definition.window.end_day is None else definition.window


def with_window(definition: Metric, window: Window) -> Metric:
    """The metric over other days; `definition` is one of which `window_of` knows the days.

    Raises:
        Refused: the metric asks for more days than the window has.
    """
    part: Any  # of the kind that stood there
    match definition:
        case Active():
            return Active(window, "on_day" if len(window) == 1 else "window")
        case Capped() | Quantile():
            part = with_window(definition.of, window)
            return replace(definition, of=part)
        case Ratio(numerator, denominator):
            parts: Any = [with_window(each, window) for each in (numerator, denominator)]
            return Ratio(*parts)
        case Survival():
            return definition
        case Tier() if len(window) != len(definition.window):
            raise Refused(
                "A level holds for {days} days, as it was cut, and these are {count}.",
                days=len(definition.window),
                count=len(window),
            )
    return replace(definition, window=window)


def is_share(definition: Metric) -> bool:
    """True for a share of users: retention and funnels. Other metrics are numbers of their own unit."""
    return isinstance(definition, Active | MinDays | MinEvents | Funnel)


def days_needed(definition: Metric) -> int:
    """Complete days of follow-up after the anchor that a unit needs to count for the metric."""
    match definition:
        case Survival(gap):
            return gap + 1  # churn on day 0 can be observed after `gap` whole days
        case Ratio(numerator, denominator):
            return max(numerator.window.days_needed, denominator.window.days_needed)
    return definition.window.days_needed


def is_display_only(definition: Metric) -> bool:
    """True for `unbounded`: it grows as data age, so thresholds and experiments may not use it."""
    return isinstance(definition, Active) and definition.window.end_day is None


def open_caps(definition: Metric) -> tuple[Capped, ...]:
    """Caps that are still a share of units, not yet a number."""
    parts = (definition.numerator, definition.denominator) if isinstance(definition, Ratio) else (definition,)
    return tuple(part for part in parts if isinstance(part, Capped) and part.cap is None)


def with_caps(definition: Metric, caps: Mapping[Capped, float]) -> Metric:
    """The metric with its open caps replaced by numbers."""

    def fixed[M](part: M) -> M:
        return replace(part, cap=caps[part]) if isinstance(part, Capped) and part in caps else part

    if isinstance(definition, Ratio):
        return Ratio(fixed(definition.numerator), fixed(definition.denominator))
    return fixed(definition)


def _check_share(share: float | None) -> None:
    if share is not None and not 0 < share < 1:
        raise Refused("A share of users lies between 0 and 100%, such as 99.9%, not '{given}'.", given=share)


# Parse the one-line text form of behaviours, retention and metrics. Pure.

RETENTION_FORMS = (
    "on_day:7, window:14-20, week:2, unbounded:14, min_days:14-20:2, min_events:EVENT:14-20:3, survival:7, "
    "tier:MODEL@2:high:14-20"
)
METRIC_FORMS = say(
    "count:BEHAVIOUR:0-6, sum:EVENT:PROPERTY:0-6, active_days:0-6, or two of them as A / B; capped:100:VALUE, "
    "capped:99.9%:VALUE, quantile:90%:VALUE; funnel:BEHAVIOUR:BEHAVIOUR:0-6, sql:0-6:SELECT …"
)
PLAIN = ("count", "sum", "active_days", "sql")
BEGINS = re.compile(r"[a-z_]+:")
IS_SQL = re.compile(r"\s*(?:(?:capped|quantile):(?:[^:]*:)?)?sql:")  # a SELECT may contain a slash for division


def parse_behaviour(text: str) -> Behaviour:
    """Read ``EVENT``, ``EVENT[prop=value]``, ``EVENT#prop`` or ``EVENT[prop=value]#prop``."""
    name = r"((?:\\.|[^\\\[\]#])+)"
    matched = re.fullmatch(rf"{name}(?:\[((?:\\.|[^\\\[\]=])+)=((?:\\.|[^\\\[\]])*)\])?(?:#{name})?", text, re.DOTALL)
    if not matched:
        raise Refused("'{given}' is no behaviour. Write EVENT, EVENT[property=value] or EVENT#property.", given=text)
    event, key, value, distinct = matched.groups()
    where = None if key is None else (unescape(key), unescape(value))
    return Behaviour(unescape(event), where, None if distinct is None else unescape(distinct))


def parse_retention(text: str) -> Retention:
    """Read a retention definition, for example ``window:14-20``; ``str()`` writes the same line again."""
    kind, *parts = split(text.strip())
    match kind, parts:
        case "on_day", [day]:
            return Active(Window(whole_number(text, day), whole_number(text, day)), "on_day")
        case "window", [days]:
            return Active(_window(text, days))
        case "week", [week]:
            n = whole_number(text, week, least=1)
            return Active(Window(7 * (n - 1) + 1, 7 * n), "week")
        case "unbounded", [day]:
            return Active(Window(whole_number(text, day), None), "unbounded")
        case "min_days", [days, least]:
            return MinDays(_window(text, days), whole_number(text, least, least=1))
        case "min_events", [*event, days, least] if event:
            # An event name with a plain colon is understood too: the last two parts are always window and number.
            return MinEvents(unescape(":".join(event)), _window(text, days), whole_number(text, least, least=1))
        case "survival", [gap]:
            return Survival(whole_number(text, gap, least=1))
        case "tier", [model, level, days]:
            return _tier(text, model, level, _window(text, days))
    raise Refused("'{given}' is no retention definition. Write one of: {forms}.", given=text, forms=RETENTION_FORMS)


def parse_metric(text: str) -> Metric:
    """Read a metric: a retention definition, a value per unit, its quantile, or a ratio of two written ``A / B``."""
    # Inside a name the slash is escaped by a backslash.
    parts = [text.strip()] if IS_SQL.match(text) else text.strip().split(" / ")
    if len(parts) == 2:
        return Ratio(_value(text, parts[0]), _value(text, parts[1]))
    kind, *rest = split(parts[0])
    if kind == "quantile" and len(rest) > 1:
        return Quantile(_plain(text, ":".join(rest[1:])), _share(text, rest[0]))
    if kind == "funnel" and len(rest) > 1:
        return Funnel(tuple(map(parse_behaviour, rest[:-1])), _window(text, rest[-1]))
    if kind in (*PLAIN, "capped"):
        return _value(text, text.strip())
    try:
        return parse_retention(text)
    except Refused as refusal:
        raise Refused("{why} Metrics may also be {forms}.", why=refusal, forms=METRIC_FORMS) from None


def _tier(text: str, model: str, level: str, window: Window) -> Tier:
    """A level; one without its cut is looked up, and one with another cut than the published version's is refused."""
    key, number = parse_model(unescape(model))
    if number is None:
        raise Refused("'{given}' needs the version of the segmentation, such as {key}@1.", given=text, key=key)
    level, _equals, days = level.partition("=")
    if level not in LEVELS:
        raise Refused("'{given}' needs one of the levels {names}.", given=text, names=", ".join(LEVELS))
    least = whole_number(text, days, least=1) if days else None
    levels = levels_of(key, number) if least is None else known_levels(key, number)
    if levels is None:  # published elsewhere: the line says what it means
        return Tier(window, least or 1, key, number, level)
    if len(window) != levels.days:
        raise Refused(
            "'{given}': the levels of '{key}' hold for {days} days, and these are {count}.",
            given=text,
            key=key,
            days=levels.days,
            count=len(window),
        )
    if least not in (None, levels.least(level)):
        raise Refused("'{given}': this level begins at {days} active days.", given=text, days=levels.least(level))
    return Tier(window, levels.least(level), key, number, level)


def written_out(text: str) -> str:
    """The line as it is stored: a level with its cut; every other line unchanged."""
    return str(parse_retention(text)) if text.strip().startswith("tier:") else text


def metric_lines(text: str) -> list[str]:
    """Split a text into metrics, one per line; an SQL metric continues until a line begins another one."""
    lines: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if lines and IS_SQL.match(lines[-1]) and not BEGINS.match(line):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return lines


def _value(whole: str, text: str) -> Value:
    kind, *rest = split(text.strip())
    if kind != "capped" or not rest:
        return _plain(whole, text)
    if rest[0] in PLAIN:
        return Capped(_plain(whole, ":".join(rest)), None, USUAL_CAP)
    share, equals, cap = rest[0].rpartition("=")
    of = _plain(whole, ":".join(rest[1:]))
    if not equals and cap.endswith("%"):
        return Capped(of, None, _share(whole, cap))
    return Capped(of, decimal(whole, cap), _share(whole, share) if equals else None)


def _plain(whole: str, text: str) -> Plain:
    match split(text.strip()):
        case ["count", *behaviour, days] if behaviour:
            return Count(parse_behaviour(":".join(behaviour)), _window(whole, days))
        case ["sum", event, prop, days] if event and prop:
            return Total(unescape(event), unescape(prop), _window(whole, days))
        case ["sql", days, *select] if select:
            return Expression(_window(whole, days), ":".join(select))
        case ["active_days", days]:
            return ActiveDays(_window(whole, days))
    raise Refused("'{given}' is no metric. Write {forms}.", given=whole, forms=METRIC_FORMS)


def _window(text: str, days: str) -> Window:
    matched = re.fullmatch(r"(\d{1,5})-(\d{1,5})", days, re.ASCII)
    if not matched:
        raise Refused("'{given}' needs a window of days such as 14-20, not '{days}'.", given=text, days=days)
    return Window(int(matched[1]), int(matched[2]))


def _share(text: str, given: str) -> float:
    number = decimal(text, given.removesuffix("%"))
    return round(number / 100, 12) if given.endswith("%") else number
