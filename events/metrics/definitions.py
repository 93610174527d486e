"""Definitions of behaviours, retention and metrics: frozen records with a one-line text form that parses back.

The same definition labels users in discovery *and* judges the experiment; with two, the experiment would prove nothing.
Names with a special character (``\\ : [ ] # = /``) are written with a backslash before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from events.expressions.gate import checked
from events.expressions.one_line import one_line
from events.metrics.line import escape, percent
from events.windows import Window
from reporting.words import shown_in, unescaped
from runs.refusals import Refused

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
        sql: in DuckDB's dialect, on one line; `events.expressions.gate` defines what is allowed.
    """

    window: Window
    sql: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "sql", one_line(self.sql))
        if self.window.end_day is None:
            raise Refused("An SQL metric needs a last day.")
        checked(self.sql)

    @property
    def events(self) -> tuple[str, ...]:
        """Names that the SELECT compares `event` with."""
        return checked(self.sql).events

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


def with_caps(definition: Metric, found: Mapping[Capped, float]) -> Metric:
    """The metric with its open caps replaced by numbers."""

    def fixed[M](part: M) -> M:
        return replace(part, cap=found[part]) if isinstance(part, Capped) and part in found else part

    if isinstance(definition, Ratio):
        return Ratio(fixed(definition.numerator), fixed(definition.denominator))
    return fixed(definition)


def _check_share(share: float | None) -> None:
    if share is not None and not 0 < share < 1:
        raise Refused("A share of units lies between 0 and 100%, such as 99.9%, not '{given}'.", given=share)
