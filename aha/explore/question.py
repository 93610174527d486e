"""The query of an Explore view: one record, stored entirely in the URL. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from events.metrics import Active, Behaviour, Retention, Survival, parse_behaviour, parse_retention
from events.windows import guard

RETENTION, ACTIVITY, TIMES, LIFECYCLE, FUNNEL = VIEWS = ("retention", "activity", "times", "lifecycle", "funnel")
MOST_WITHIN = 90  # days
MOST_STEPS = 5
# Names of URL parameters that differ from the record's: those of the study form, which accepts the same URL.
NAMES = {"signup": "signup_event", "first": "first_date", "last": "last_date"}


@dataclass(frozen=True)
class Question:
    """Parameters of one Explore query.

    Attributes:
        view: one of `VIEWS`.
        signup: the event whose first occurrence starts a user's clock; ``*`` for the first of any kind.
        day_mode: ``rolling`` or ``calendar``.
        first, last: dates of signup, inclusive; None for no bound.
        segment: key of a published segment (only its users) or of a segment model (its segments side by side); "".
        retention: a SPEC; "" where the view needs none.
        behaviour: as it is written; "" where the view needs none.
        steps: of a funnel, in order.
        days: "within Y days" of signup.
        times: Z, the least number of times.
        by: ``day`` or ``week``: what a point of `activity` is.
    """

    view: str
    signup: str
    day_mode: str = "rolling"
    first: date | None = None
    last: date | None = None
    segment: str = ""
    retention: str = ""
    behaviour: str = ""
    steps: tuple[str, ...] = ()
    days: int = 7
    times: int = 1
    by: str = "day"

    @property
    def definition(self) -> Retention | None:
        """The parsed retention."""
        return parse_retention(self.retention) if self.retention else None

    @property
    def parsed_behaviour(self) -> Behaviour:
        """The parsed behaviour."""
        return parse_behaviour(self.behaviour)

    @property
    def parsed_steps(self) -> tuple[Behaviour, ...]:
        """The parsed steps."""
        return tuple(parse_behaviour(step) for step in self.steps)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of events that must be in the log, without duplicates."""
        found = [] if self.signup == "*" else [self.signup]
        found += [parse_behaviour(text).event for text in (self.behaviour, *self.steps) if text]
        if (definition := self.definition) is not None and (event := getattr(definition, "event", "")):
            found.append(event)
        return tuple(dict.fromkeys(found))

    def key(self) -> str:
        """Cache key: equal for equal questions."""
        return repr(sorted(asdict(self).items()))


FIELDS = {
    RETENTION: ("signup", "first", "last", "segment", "retention", "day_mode"),
    ACTIVITY: ("behaviour", "by", "days", "signup", "first", "last", "segment", "day_mode"),
    TIMES: ("behaviour", "days", "times", "retention", "signup", "first", "last", "segment", "day_mode"),
    LIFECYCLE: ("signup", "first", "last", "segment", "day_mode"),
    FUNNEL: ("steps", "days", "signup", "first", "last", "segment", "day_mode"),
}


def address(question: Question, **other: Any) -> str:
    """The question as a query string; `other` adds or replaces parameters."""
    return urlencode(_parameters(question, FIELDS[question.view]) | other, doseq=True)


def study_address(question: Question) -> str:
    """The same population, behaviours and retention as the query string of the form for a new study."""
    found = _parameters(question, ("signup", "first", "last", "segment", "retention", "day_mode"))
    behaviours = [question.behaviour] if question.behaviour else list(question.steps)
    if behaviours:
        found["behaviours"] = [text for text in behaviours if text != question.signup]
        found["days"] = question.days
    return urlencode(found, doseq=True)


def _parameters(question: Question, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(question, name)
        if value not in (None, "", ()):
            found[NAMES.get(name, name)] = value.isoformat() if isinstance(value, date) else value
    return found


def can_judge(definition: Retention, days: int) -> bool:
    """Whether the behaviour's days end before this retention is measured: only then are the two compared."""
    if isinstance(definition, Survival) or (isinstance(definition, Active) and definition.window.end_day is None):
        return False
    return guard(days, definition.window)
