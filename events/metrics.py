"""Definitions of behaviours, retention and metrics: frozen records with a one-line text form that parses back.

One definition labels users in discovery *and* judges the experiment; two definitions would prove nothing. Names with a
special character (``\\ : [ ] # = /``) are written with a backslash before it.
"""

import re
from dataclasses import dataclass

from events.windows import Window
from reporting.words import gettext, say
from runs.refusals import Refused

SPECIAL = re.compile(r"([\\:\[\]#=/])")
RETENTION_FORMS = "on_day:7, window:14-20, week:2, unbounded:14, min_days:14-20:2, min_events:EVENT:14-20:3, survival:7"
METRIC_FORMS = say("count:BEHAVIOUR:0-6, sum:EVENT:PROPERTY:0-6, active_days:0-6, or two of them as A / B")


@dataclass(frozen=True)
class Behaviour:
    """What units do, as an analyst lists it.

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
        where = "" if self.where is None else f"[{_escape(self.where[0])}={_escape(self.where[1])}]"
        return _escape(self.event) + where + ("" if self.distinct is None else f"#{_escape(self.distinct)}")


def display_name(text: str) -> str:
    """A behaviour, metric or feature as people read it: backslashes belong into specifications, never into pages.

    Only the backslashes that `str()` writes go, so a name that people typed keeps its own.
    """
    return re.sub(r"\\([\\:\[\]#=/])", r"\1", text)


@dataclass(frozen=True)
class Active:
    """Retained: active on any day of the window. `form` keeps how it was written (on_day, window, week, unbounded)."""

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
class MinEvents:
    """Retained: at least `times` events of one kind in the window."""

    event: str
    window: Window
    times: int

    def __post_init__(self) -> None:
        if not self.event or self.times < 1:
            raise Refused("min_events needs an event name and a number of 1 or more: min_events:EVENT:14-20:3.")

    def __str__(self) -> str:
        return f"min_events:{_escape(self.event)}:{self.window}:{self.times}"


@dataclass(frozen=True)
class Survival:
    """Time to churn: days until the first silence of at least `gap` full days."""

    gap: int

    def __str__(self) -> str:
        return f"survival:{self.gap}"


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
        return f"sum:{_escape(self.event)}:{_escape(self.property)}:{self.window}"


@dataclass(frozen=True)
class ActiveDays:
    """A number per unit: different active days in the window."""

    window: Window

    def __str__(self) -> str:
        return f"active_days:{self.window}"


Retention = Active | MinDays | MinEvents | Survival
Value = Count | Total | ActiveDays


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums over units, for example revenue per active day. The unit stays the unit of analysis."""

    numerator: Value
    denominator: Value

    def __str__(self) -> str:
        return f"{self.numerator} / {self.denominator}"


Metric = Retention | Value | Ratio


def outcome_window(definition: Retention | Value) -> Window:
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


def days_needed(definition: Metric) -> int:
    """Complete days of follow-up after the anchor that a unit needs to count for the metric."""
    match definition:
        case Survival(gap):
            return gap + 1  # churn on day 0 shows when `gap` whole days lie behind it (METHODS 1.3)
        case Ratio(numerator, denominator):
            return max(numerator.window.days_needed, denominator.window.days_needed)
    return definition.window.days_needed


def is_display_only(definition: Metric) -> bool:
    """True for `unbounded`: it grows as data age, so thresholds and experiments may not be judged by it."""
    return isinstance(definition, Active) and definition.window.end_day is None


def parse_behaviour(text: str) -> Behaviour:
    """Read ``EVENT``, ``EVENT[prop=value]``, ``EVENT#prop`` or ``EVENT[prop=value]#prop``."""
    name = r"((?:\\.|[^\\\[\]#])+)"
    found = re.fullmatch(rf"{name}(?:\[((?:\\.|[^\\\[\]=])+)=((?:\\.|[^\\\[\]])*)\])?(?:#{name})?", text, re.DOTALL)
    if not found:
        raise Refused("'{given}' is no behaviour. Write EVENT, EVENT[property=value] or EVENT#property.", given=text)
    event, key, value, distinct = found.groups()
    where = None if key is None else (_unescape(key), _unescape(value))
    return Behaviour(_unescape(event), where, None if distinct is None else _unescape(distinct))


def parse_retention(text: str) -> Retention:
    """Read a retention definition, for example ``window:14-20``; ``str()`` writes the same line again."""
    kind, *parts = _split(text.strip())
    match kind, parts:
        case "on_day", [day]:
            return Active(Window(_number(text, day), _number(text, day)), "on_day")
        case "window", [days]:
            return Active(_window(text, days))
        case "week", [week]:
            n = _number(text, week, least=1)
            return Active(Window(7 * (n - 1) + 1, 7 * n), "week")
        case "unbounded", [day]:
            return Active(Window(_number(text, day), None), "unbounded")
        case "min_days", [days, least]:
            return MinDays(_window(text, days), _number(text, least, least=1))
        case "min_events", [*event, days, least] if event:
            # An event name with a plain colon is understood too: the last two parts are always window and number.
            return MinEvents(_unescape(":".join(event)), _window(text, days), _number(text, least, least=1))
        case "survival", [gap]:
            return Survival(_number(text, gap, least=1))
    raise Refused("'{given}' is no retention definition. Write one of: {forms}.", given=text, forms=RETENTION_FORMS)


def parse_metric(text: str) -> Metric:
    """Read a metric: a retention definition, a value per unit, or a ratio of two values written ``A / B``."""
    parts = text.strip().split(" / ")  # inside a name the slash is written with a backslash
    if len(parts) == 2:
        return Ratio(_value(text, parts[0]), _value(text, parts[1]))
    if _split(parts[0])[0] in ("count", "sum", "active_days"):
        return _value(text, text.strip())
    try:
        return parse_retention(text)
    except Refused as refusal:
        raise Refused("{why} Metrics may also be {forms}.", why=refusal, forms=METRIC_FORMS) from None


def sentence(definition: Metric | Behaviour) -> str:
    """The definition as one sentence in the reader's language, to be printed beside every result."""
    if isinstance(definition, Behaviour):
        return _behaviour_sentence(definition)
    if isinstance(definition, Count | Total | ActiveDays | Ratio):
        return _value_sentence(definition)
    return _retention_sentence(definition)


def _retention_sentence(definition: Retention) -> str:
    match definition:
        case Survival(gap):
            return gettext("Time to churn: days until the first silence of at least {gap} full days.").format(gap=gap)
        case MinDays(window, days):
            text = gettext("Retained: active on at least {days} different days from day {first} to day {last}.")
            return text.format(days=days, first=window.start_day, last=window.end_day)
        case MinEvents(event, window, times):
            text = gettext("Retained: did {event} at least {times} times from day {first} to day {last}.")
            return text.format(event=event, times=times, first=window.start_day, last=window.end_day)
    first, last = definition.window.start_day, definition.window.end_day
    if last is None:
        text = gettext("Retained: active on day {first} or any later day. It grows as the data age: for display only.")
    elif first == last:
        text = gettext("Retained: active on day {first}.")
    else:
        text = gettext("Retained: active on at least one day from day {first} to day {last}.")
    return text.format(first=first, last=last)


def _value_sentence(definition: Value | Ratio) -> str:
    if isinstance(definition, Ratio):
        text = gettext("Ratio over all units. Above the line: {numerator} Below the line: {denominator}")
        numerator, denominator = (_value_sentence(v) for v in (definition.numerator, definition.denominator))
        return text.format(numerator=numerator, denominator=denominator)
    days = {"first": definition.window.start_day, "last": definition.window.end_day}
    match definition:
        case Count(behaviour):
            what = sentence(behaviour)
            return gettext("Per unit, from day {first} to day {last}: {what}.").format(what=what, **days)
        case Total(event, prop):
            text = gettext("Per unit, from day {first} to day {last}: the sum of {property} over {event}.")
            return text.format(property=prop, event=event, **days)
    return gettext("Per unit, from day {first} to day {last}: the number of active days.").format(**days)


def _behaviour_sentence(behaviour: Behaviour) -> str:
    names = {"event": behaviour.event, "distinct": behaviour.distinct}
    if behaviour.where is None:
        text = (
            gettext("number of {event}") if behaviour.distinct is None else gettext("different {distinct} of {event}")
        )
        return text.format(**names)
    if behaviour.distinct is None:
        text = gettext("number of {event} where {property} is {value}")
    else:
        text = gettext("different {distinct} of {event} where {property} is {value}")
    return text.format(property=behaviour.where[0], value=behaviour.where[1], **names)


def _value(whole: str, text: str) -> Value:
    match _split(text.strip()):
        case ["count", *behaviour, days] if behaviour:
            return Count(parse_behaviour(":".join(behaviour)), _window(whole, days))
        case ["sum", event, prop, days] if event and prop:
            return Total(_unescape(event), _unescape(prop), _window(whole, days))
        case ["active_days", days]:
            return ActiveDays(_window(whole, days))
    raise Refused("'{given}' is no metric. Write {forms}.", given=whole, forms=METRIC_FORMS)


def _window(text: str, days: str) -> Window:
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", days, re.ASCII)
    if not found:
        raise Refused("'{given}' needs a window of days such as 14-20, not '{days}'.", given=text, days=days)
    return Window(int(found[1]), int(found[2]))


def _number(text: str, number: str, *, least: int = 0) -> int:
    if not re.fullmatch(r"\d{1,5}", number, re.ASCII) or int(number) < least:
        raise Refused(
            "'{given}' needs a whole number of {least} or more, not '{number}'.", given=text, least=least, number=number
        )
    return int(number)


def _split(text: str) -> list[str]:
    """Split at colons that no backslash protects; the backslashes stay for `_unescape`."""
    parts, protected = [""], False
    for character in text:
        if character == ":" and not protected:
            parts.append("")
        else:
            parts[-1] += character
        protected = character == "\\" and not protected
    return parts


def _escape(name: str) -> str:
    return SPECIAL.sub(r"\\\1", name)


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL)
