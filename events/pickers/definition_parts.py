"""Split a retention or an outcome into the parts that a form edits in words, and join them again. Pure."""

from dataclasses import dataclass, replace

from events.metrics import (
    USUAL_CAP,
    Active,
    ActiveDays,
    Capped,
    Count,
    Metric,
    MinDays,
    MinEvents,
    Survival,
    Total,
    is_display_only,
    parse_behaviour,
)
from events.windows import Window
from runs.refusals import Refused

# Kinds offered in a form, in this order. `line` stands for kinds without words here (ratios, quantiles).
RETENTION_KINDS = ("active", "event", "churn", "back")
JUDGED_KINDS = ("active", "event")  # of studies: the other kinds have no days before which a behaviour could come
METRIC_KINDS = ("active", "event", "count", "sum", "active_days", "churn", "line")


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


def parts_of(definition: Metric | None) -> Parts:
    """The parts of a definition; of an empty one the usual window."""
    match definition:
        case None:
            return Parts()
        case Active(window) if is_display_only(definition):
            return Parts("back", window.start_day, window.start_day)
        case Active(window):
            return Parts("active", window.start_day, window.end_day or window.start_day)
        case MinDays(window, days):
            return replace(_days(window), least=days)
        case MinEvents(event, window, times):
            return replace(_days(window), kind="event", event=event, least=times)
        case Survival(gap):
            return Parts("churn", gap=gap)
        case Count(behaviour, window):
            return replace(_days(window), kind="count", behaviour=str(behaviour))
        case Total(event, name, window):
            return replace(_days(window), kind="sum", event=event, property=name)
        case ActiveDays(window):
            return replace(_days(window), kind="active_days")
        case Capped(of, None, share) if share == USUAL_CAP:
            return replace(parts_of(of), capped=True)
    return Parts("line")


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
        case "count" | "sum" | "active_days":
            number = _number(parts)
            return Capped(number, None, USUAL_CAP) if parts.capped else number
    window = Window(parts.first, parts.last)
    if parts.least > 1:
        return MinDays(window, parts.least)
    return Active(window, "on_day" if parts.first == parts.last else "window")


def _number(parts: Parts) -> Count | Total | ActiveDays:
    window = Window(parts.first, parts.last)
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
