"""The query of an Explore view: one record, stored entirely in the URL. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from events.metrics import Active, Behaviour, Retention, Survival, parse_behaviour, parse_retention
from events.metrics.levels import Levels, levels_of, parse_model
from events.windows import guard
from runs.refusals import Refused

RETENTION, ACTIVITY, TIMES, LIFECYCLE, LEVELS, FUNNEL = VIEWS = (
    *("retention", "activity", "times", "lifecycle", "levels", "funnel"),
)
MOST_WITHIN = 90  # days
MOST_STEPS = 5
PERIODS = {"day": 1, "week": 7, "month": 30}  # days since signup; by the calendar a month has its own days
PRESETS = ("7", "30", "90")  # last days of the data
BY_CALENDAR = (ACTIVITY, LIFECYCLE, LEVELS)  # the dates are those that are shown; elsewhere those of signup
# Names of URL parameters that differ from the record's: those of the study form, which accepts the same URL.
NAMES = {"signup": "signup_event", "first": "first_date", "last": "last_date"}


@dataclass(frozen=True)
class Question:
    """Parameters of one Explore query.

    Attributes:
        view: one of `VIEWS`.
        signup: the event whose first occurrence starts a user's clock; ``*`` for the first of any kind.
        day_mode: ``rolling`` or ``calendar``.
        dates: one of `PRESETS`, or "" for `first` to `last`.
        first, last: dates, inclusive; None for no bound. See `BY_CALENDAR`.
        segment: key of a published segment (only its users) or of a segment model (its segments side by side); "".
        compare: key of a second segment, which stands beside `segment`; "".
        group: what the users are grouped by: ``trait:NAME``, ``segments:MODEL``, ``experiment:KEY`` or "".
        retention: a SPEC; "" where the view needs none.
        behaviour: as it is written; "" where the view needs none.
        steps: of a funnel, in order.
        days: "within Y days" of signup.
        times: Z, the least number of times.
        by: one of `PERIODS`: what a point of `activity` is, or a column of `retention`.
        levels: the segmentation whose levels are shown, as ``loyal@2`` or ``loyal``; "" where the view needs none.
    """

    view: str
    signup: str
    day_mode: str = "rolling"
    dates: str = ""
    first: date | None = None
    last: date | None = None
    segment: str = ""
    compare: str = ""
    group: str = ""
    retention: str = ""
    behaviour: str = ""
    steps: tuple[str, ...] = ()
    days: int = 7
    times: int = 1
    by: str = "day"
    levels: str = ""

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
    def chosen_levels(self) -> Levels:
        """The levels of activity that are shown.

        Raises:
            Refused: the segmentation isn't published, has no levels, or not those of whole weeks.
        """
        try:
            key, number = parse_model(self.levels)
            found = levels_of(key, number)
            if found.days % PERIODS["week"]:
                raise Refused(
                    "The levels of '{key}' are those of {days} days: here they have to be of whole weeks.",
                    key=found.model,
                    days=found.days,
                )
        except Refused as refusal:
            refusal.at = "levels"
            raise
        return found

    @property
    def events(self) -> tuple[str, ...]:
        """Names of events that must be in the log, without duplicates."""
        names = [] if self.signup == "*" else [self.signup]
        names += [parse_behaviour(text).event for text in (self.behaviour, *self.steps) if text]
        if (definition := self.definition) is not None and (event := getattr(definition, "event", "")):
            names.append(event)
        return tuple(dict.fromkeys(names))

    def days_from(self, newest: date) -> tuple[date | None, date | None]:
        """The first and last date that count in data whose newest event is of this date."""
        if self.dates:
            return newest - timedelta(days=int(self.dates) - 1), newest
        return self.first, self.last

    def key(self) -> str:
        """Cache key: equal for equal questions."""
        return repr(sorted(asdict(self).items()))


WHO = ("signup", "dates", "first", "last", "segment")
SHARED = (*WHO, "compare", "group", "day_mode")  # what all views that compare groups ask alike
FIELDS = {
    RETENTION: (*WHO, "compare", "retention", "by", "group", "day_mode"),
    ACTIVITY: ("behaviour", "by", "days", *SHARED),
    TIMES: ("behaviour", "days", "times", "retention", *SHARED),
    LIFECYCLE: (*WHO, "day_mode"),
    LEVELS: ("levels", *WHO, "day_mode"),
    FUNNEL: ("steps", "days", *SHARED),
}


def address(question: Question, **other: Any) -> str:
    """The question as a query string; `other` adds or replaces parameters."""
    return urlencode(_parameters(question, FIELDS[question.view]) | other, doseq=True)


def shared_address(question: Question) -> str:
    """What another view takes over of the question, as a query string."""
    return urlencode(_parameters(question, SHARED), doseq=True)


def study_address(question: Question) -> str:
    """The same population, behaviours and retention as the query string of the form for a new study."""
    parameters = _parameters(question, ("signup", "first", "last", "segment", "retention", "day_mode"))
    behaviours = [question.behaviour] if question.behaviour else list(question.steps)
    if behaviours:
        parameters["behaviours"] = [text for text in behaviours if text != question.signup]
        parameters["days"] = question.days
    return urlencode(parameters, doseq=True)


def _parameters(question: Question, names: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name in names:
        value = getattr(question, name)
        usual = name == "by" and value == "day" and question.view == RETENTION
        if value not in (None, "", ()) and not usual:
            parameters[NAMES.get(name, name)] = value.isoformat() if isinstance(value, date) else value
    return parameters


def can_judge(definition: Retention, days: int) -> bool:
    """Whether the behaviour's days end before this retention is measured: only then are the two compared."""
    if isinstance(definition, Survival) or (isinstance(definition, Active) and definition.window.end_day is None):
        return False
    return guard(days, definition.window)
