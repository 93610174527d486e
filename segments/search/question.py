"""Inputs of a segmentation: validated once, stored with the run, shown with the result."""

from dataclasses import dataclass
from datetime import date

from events.metrics import MinEvents, Retention, Survival, is_display_only, parse_behaviour, parse_retention
from events.metrics.facts import refuse_exposures
from events.windows import DayMode, Window
from runs.refusals import Refused

MAX_WINDOW_DAYS = 366
MAX_CLUSTERS = 10

# Errors name the option of the command; forms and the API show them at the field.
FIELD_OF = {
    "signup-event": "signup_event",
    "window": "last_day",
    "behaviours": "behaviours",
    "clusters": "clusters",
    "retention": "retention",
    "day-mode": "day_mode",
    "activity-weight": "activity_weight",
    "from": "first_date",
    "to": "last_date",
}


@dataclass(frozen=True)
class Inputs:
    """Inputs of a segmentation.

    Attributes:
        signup_event: the event whose first occurrence starts a unit's clock; ``*`` takes the first of any kind.
        first_day: first day of the window of play.
        last_day: its last day, inclusive.
        retention: the outcome that profiles show, as a SPEC; None for none.
        behaviours: what to count; empty takes every event name.
        clusters: a fixed number of clusters; None chooses it from the data.
        day_mode: ``rolling`` or ``calendar``.
        first_date: first signup date (ISO) that belongs to the cohort; None for no bound.
        last_date: last such date, inclusive.
        activity_weight: weight of the activity block in the distance, 0 or more.
    """

    signup_event: str
    first_day: int
    last_day: int
    retention: str | None = None
    behaviours: tuple[str, ...] = ()
    clusters: int | None = None
    day_mode: str = "rolling"
    first_date: str | None = None
    last_date: str | None = None
    activity_weight: float = 0.0

    @property
    def window(self) -> Window:
        """The window of play."""
        return Window(self.first_day, self.last_day)

    @property
    def definition(self) -> Retention | None:
        """The parsed retention."""
        return None if self.retention is None else parse_retention(self.retention)

    @property
    def outcome_event(self) -> str | None:
        """The event that the outcome counts, which can't be a feature as well."""
        definition = self.definition
        return definition.event if isinstance(definition, MinEvents) else None

    @property
    def dates(self) -> tuple[date | None, date | None]:
        """First and last signup date of the cohort."""
        first, last = (None if text is None else date.fromisoformat(text) for text in (self.first_date, self.last_date))
        return first, last


def check_inputs(inputs: Inputs) -> Inputs:
    """Validate inputs; return them unchanged.

    Raises:
        Refused: names the invalid option.
    """
    window = inputs.window
    if not inputs.signup_event:
        raise Refused("name the start event (day 0), or * for each user's first event.", at="signup-event")
    if len(window) > MAX_WINDOW_DAYS:
        raise Refused("at most {most} days, not {count}.", most=MAX_WINDOW_DAYS, count=len(window), at="window")
    if inputs.clusters is not None and not 2 <= inputs.clusters <= MAX_CLUSTERS:
        raise Refused("from 2 to {most}, not {given}.", most=MAX_CLUSTERS, given=inputs.clusters, at="clusters")
    if inputs.day_mode not in list(DayMode):
        raise Refused("rolling or calendar, not {given}.", given=inputs.day_mode, at="day-mode")
    if not 0 <= inputs.activity_weight <= 10:
        raise Refused("from 0 to 10, not {given:g}.", given=inputs.activity_weight, at="activity-weight")
    for behaviour in inputs.behaviours:
        parse_behaviour(behaviour)
    refuse_exposures(inputs.behaviours, at="behaviours")
    refuse_exposures(inputs.signup_event, at="signup-event")
    _check_dates(inputs)
    _check_retention(inputs)
    return inputs


def _check_dates(inputs: Inputs) -> None:
    for option, text in (("--from", inputs.first_date), ("--to", inputs.last_date)):
        try:
            if text is not None:
                date.fromisoformat(text)
        except ValueError:
            raise Refused("write a date as 2026-01-31, not {given}.", given=text, at=option) from None
    first, last = inputs.dates
    if first is not None and last is not None and last < first:
        raise Refused("the last date lies before the first.", at="to")


def _check_retention(inputs: Inputs) -> None:
    definition = inputs.definition
    if definition is None:
        return
    refuse_exposures(inputs.retention, at="retention")
    if is_display_only(definition):
        raise Refused("unbounded grows as the data age, so groups can't be judged by it.", at="retention")
    if not isinstance(definition, Survival) and definition.window.start_day <= inputs.last_day:
        raise Refused(
            "{retention} begins on day {day}, inside the window of play {window}; what forms the groups would also be "
            "their outcome.",
            retention=inputs.retention,
            day=definition.window.start_day,
            window=inputs.window,
            at="retention",
        )
