"""Guess which outcome a person meant by unreadable text: D7, day 14, a misspelt name."""

import re
from collections.abc import Collection
from difflib import get_close_matches

from events.metrics import parse_metric
from runs.refusals import Refused

KINDS = (
    "on_day",
    "window",
    "week",
    "min_days",
    "min_events",
    "active_days",
    "count",
    "sum",
    "capped",
    "quantile",
    "funnel",
)
WEEK = 6


def meant(text: str, events: Collection[str] = ()) -> str:
    """The most similar valid outcome; "" when none is similar.

    Args:
        text: that can't be parsed.
        events: event names in the log.
    """
    plain = re.sub(r"\s+", " ", text.strip().lower())
    for pattern, made in (
        (r"d(?:ay)?[ -]?(\d{1,3})", "on_day:{0}"),
        (r"(\d{1,3})일(?:차)?(?: ?잔존율?| ?리텐션)?", "on_day:{0}"),
        (r"d(?:ays?)?[ -]?(\d{1,3}) ?[-–~] ?d?(\d{1,3})", "window:{0}-{1}"),
        (r"(\d{1,3}) ?[-–~] ?(\d{1,3})일?(?: ?잔존율?)?", "window:{0}-{1}"),
        (r"w(?:eek)?[ -]?(\d{1,2})", "week:{0}"),
        (r"(\d{1,2})주(?:차)?(?: ?잔존율?)?", "week:{0}"),
    ):
        found = re.fullmatch(pattern, plain)
        if found and can_be_read(made.format(*found.groups())):
            return made.format(*found.groups())
    kind, colon, rest = plain.partition(":")
    close = get_close_matches(kind, KINDS, 1, 0.7)
    if colon and close and can_be_read(f"{close[0]}:{rest}"):
        return f"{close[0]}:{rest}"
    event = get_close_matches(text.strip(), list(events), 1, 0.6)
    return f"count:{event[0]}:0-6" if event and can_be_read(f"count:{event[0]}:0-6") else ""


def can_be_read(text: str) -> bool:
    """True for a text that can be parsed as an outcome."""
    try:
        parse_metric(text)
    except Refused:
        return False
    return True


def with_event(metric: str, wrong: str, better: str) -> str:
    """The outcome with another event; "" when the result can't be parsed."""
    made = metric.replace(wrong, better)
    return made if can_be_read(made) else ""


def nearest_outcome(retention: str, *, after: int) -> str:
    """The retention itself where it begins after so many days, else the first week that does."""
    from_day = re.search(r":(\d+)", retention)
    if can_be_read(retention) and from_day is not None and int(from_day[1]) >= after:
        return retention
    return f"window:{after}-{after + WEEK}"
