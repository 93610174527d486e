"""Parse the one-line text form of behaviours, retention and metrics. Pure."""

import re

from events.metrics.definitions import (
    USUAL_CAP,
    Active,
    ActiveDays,
    Behaviour,
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
    Total,
    Value,
)
from events.metrics.line import decimal, split, unescape, whole_number
from events.windows import Window
from reporting.words import say
from runs.refusals import Refused

RETENTION_FORMS = "on_day:7, window:14-20, week:2, unbounded:14, min_days:14-20:2, min_events:EVENT:14-20:3, survival:7"
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
    found = re.fullmatch(rf"{name}(?:\[((?:\\.|[^\\\[\]=])+)=((?:\\.|[^\\\[\]])*)\])?(?:#{name})?", text, re.DOTALL)
    if not found:
        raise Refused("'{given}' is no behaviour. Write EVENT, EVENT[property=value] or EVENT#property.", given=text)
    event, key, value, distinct = found.groups()
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


def metric_lines(text: str) -> list[str]:
    """Split a text into metrics, one per line; an SQL metric continues until a line begins another one."""
    found: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if found and IS_SQL.match(found[-1]) and not BEGINS.match(line):
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


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
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", days, re.ASCII)
    if not found:
        raise Refused("'{given}' needs a window of days such as 14-20, not '{days}'.", given=text, days=days)
    return Window(int(found[1]), int(found[2]))


def _share(text: str, given: str) -> float:
    found = decimal(text, given.removesuffix("%"))
    return round(found / 100, 12) if given.endswith("%") else found
