"""Definitions of behaviours, retention and metrics: frozen records with a one-line text form that parses back.

One definition labels users in discovery *and* judges the experiment; two definitions would prove nothing. Names with a
special character (``\\ : [ ] # = /``) are written with a backslash before it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from events.windows import Window
from reporting.shown_names import shown_in, unescaped
from reporting.words import say
from runs.refusals import Refused

SPECIAL = re.compile(r"([\\:\[\]#=/])")
RETENTION_FORMS = "on_day:7, window:14-20, week:2, unbounded:14, min_days:14-20:2, min_events:EVENT:14-20:3, survival:7"
METRIC_FORMS = say(
    "count:BEHAVIOUR:0-6, sum:EVENT:PROPERTY:0-6, active_days:0-6, or two of them as A / B; capped:100:VALUE, "
    "capped:99.9%:VALUE, quantile:90%:VALUE"
)
USUAL_CAP = 0.999  # a cap that is asked for without a number: this share of units stays as it is (METHODS 4.3)
PLAIN = ("count", "sum", "active_days")


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


plain_name = unescaped  # a behaviour, metric or feature to be stored in a name
display_name = shown_in  # the same as a page shows it, by the display names of events and properties


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
Plain = Count | Total | ActiveDays


@dataclass(frozen=True)
class _MadeOf:
    of: Plain

    @property
    def window(self) -> Window:
        """Of the number per unit."""
        return self.of.window


@dataclass(frozen=True)
class Capped(_MadeOf):
    """A number per unit, its whole sum in the window, cut at a cap: a few enormous units then decide nothing.

    Attributes:
        cap: the number; None until the start, where it is still a share of units.
        share: of the units before the start that lie at or below the cap, 0 to 1; None for a number of people's own.
    """

    cap: float | None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.cap is None and self.share is None) or (self.cap is not None and not 0 < self.cap < inf):
            raise Refused("A cap is a number above 0, or a share such as 99.9%: capped:100:sum:buy:price:0-6.")
        _check_share(self.share)

    def __str__(self) -> str:
        cap = "" if self.cap is None else f"{self.cap:.12g}"
        limit = "=".join(filter(None, ("" if self.share is None else _percent(self.share), cap)))
        return f"capped:{limit}:{self.of}"


Value = Plain | Capped


@dataclass(frozen=True)
class Ratio:
    """A ratio of two sums over units, for example revenue per active day. The unit stays the unit of analysis."""

    numerator: Value
    denominator: Value

    def __str__(self) -> str:
        return f"{self.numerator} / {self.denominator}"


@dataclass(frozen=True)
class Quantile(_MadeOf):
    """The number that this share of units doesn't exceed, for example the median; experiments compare it."""

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def __str__(self) -> str:
        return f"quantile:{_percent(self.share)}:{self.of}"


Metric = Retention | Value | Ratio | Quantile


def outcome_window(definition: Retention | Value | Quantile) -> Window:
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
    """Read a metric: a retention definition, a value per unit, its quantile, or a ratio of two written ``A / B``."""
    parts = text.strip().split(" / ")  # inside a name the slash is written with a backslash
    if len(parts) == 2:
        return Ratio(_value(text, parts[0]), _value(text, parts[1]))
    kind, *rest = _split(parts[0])
    if kind == "quantile" and len(rest) > 1:
        return Quantile(_plain(text, ":".join(rest[1:])), _share(text, rest[0]))
    if kind in (*PLAIN, "capped"):
        return _value(text, text.strip())
    try:
        return parse_retention(text)
    except Refused as refusal:
        raise Refused("{why} Metrics may also be {forms}.", why=refusal, forms=METRIC_FORMS) from None


def open_caps(definition: Metric) -> tuple[Capped, ...]:
    """Caps that are a share of units and no number yet."""
    parts = (definition.numerator, definition.denominator) if isinstance(definition, Ratio) else (definition,)
    return tuple(part for part in parts if isinstance(part, Capped) and part.cap is None)


def with_caps(definition: Metric, found: Mapping[Capped, float]) -> Metric:
    """The same metric with its open caps as numbers."""

    def fixed[M](part: M) -> M:
        return replace(part, cap=found[part]) if isinstance(part, Capped) and part in found else part

    if isinstance(definition, Ratio):
        return Ratio(fixed(definition.numerator), fixed(definition.denominator))
    return fixed(definition)


def _value(whole: str, text: str) -> Value:
    kind, *rest = _split(text.strip())
    if kind != "capped" or not rest:
        return _plain(whole, text)
    if rest[0] in PLAIN:
        return Capped(_plain(whole, ":".join(rest)), None, USUAL_CAP)
    share, equals, cap = rest[0].rpartition("=")
    of = _plain(whole, ":".join(rest[1:]))
    if not equals and cap.endswith("%"):
        return Capped(of, None, _share(whole, cap))
    return Capped(of, _decimal(whole, cap), _share(whole, share) if equals else None)


def _plain(whole: str, text: str) -> Plain:
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


def _check_share(share: float | None) -> None:
    if share is not None and not 0 < share < 1:
        raise Refused("A share of units lies between 0 and 100%, such as 99.9%, not '{given}'.", given=share)


def _share(text: str, given: str) -> float:
    found = _decimal(text, given.removesuffix("%"))
    return round(found / 100, 12) if given.endswith("%") else found


def _percent(share: float) -> str:
    return f"{100 * share:.10g}%"


def _decimal(text: str, given: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?(e[+-]?\d+)?", given, re.ASCII):
        raise Refused("'{given}' needs a number such as 100 or 99.9%, not '{number}'.", given=text, number=given)
    return float(given)


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
