"""The question of a segmentation, as a person asked it: checked once, stored with the run, printed with the result."""

from dataclasses import dataclass
from datetime import date

from events.metrics import MinEvents, Retention, Survival, is_display_only, parse_behaviour, parse_retention
from events.windows import DayMode, Window
from runs.refusals import Refused

MAX_WINDOW_DAYS = 366
MAX_CLUSTERS = 10


@dataclass(frozen=True)
class Inputs:
    """The question of a segmentation.

    Attributes:
        signup_event: the event whose first occurrence starts a unit's clock; ``*`` takes the first of any kind.
        first_day: first day of the window whose play is looked at.
        last_day: its last day, inclusive.
        retention: the outcome that profiles show, as a SPEC; None for none.
        behaviours: what to count; empty takes every event name.
        clusters: a number of clusters that a person wants; None lets the data choose.
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
        """The days whose play is looked at."""
        return Window(self.first_day, self.last_day)

    @property
    def definition(self) -> Retention | None:
        """The parsed retention."""
        return None if self.retention is None else parse_retention(self.retention)

    @property
    def outcome_event(self) -> str | None:
        """The event that the outcome counts, so that it can't be a feature as well."""
        definition = self.definition
        return definition.event if isinstance(definition, MinEvents) else None

    @property
    def dates(self) -> tuple[date | None, date | None]:
        """Bounds of the cohort."""
        first, last = (None if text is None else date.fromisoformat(text) for text in (self.first_date, self.last_date))
        return first, last


def check_inputs(inputs: Inputs) -> Inputs:
    """The same inputs when they make sense.

    Raises:
        Refused: with one sentence that names the option.
    """
    window = inputs.window
    if not inputs.signup_event:
        raise Refused("--signup-event: name the event that starts a user's clock, or * for the first of any kind.")
    if len(window) > MAX_WINDOW_DAYS:
        raise Refused(f"--window: at most {MAX_WINDOW_DAYS} days, not {len(window)}.")
    if inputs.clusters is not None and not 2 <= inputs.clusters <= MAX_CLUSTERS:
        raise Refused(f"--clusters: from 2 to {MAX_CLUSTERS}, not {inputs.clusters}.")
    if inputs.day_mode not in list(DayMode):
        raise Refused(f"--day-mode: rolling or calendar, not {inputs.day_mode}.")
    if not 0 <= inputs.activity_weight <= 10:
        raise Refused(f"--activity-weight: from 0 to 10, not {inputs.activity_weight:g}.")
    for behaviour in inputs.behaviours:
        parse_behaviour(behaviour)
    _check_dates(inputs)
    _check_retention(inputs)
    return inputs


def _check_dates(inputs: Inputs) -> None:
    for option, text in (("--from", inputs.first_date), ("--to", inputs.last_date)):
        try:
            if text is not None:
                date.fromisoformat(text)
        except ValueError:
            raise Refused(f"{option}: write a date as 2026-01-31, not {text}.") from None
    first, last = inputs.dates
    if first is not None and last is not None and last < first:
        raise Refused("--to: the last date lies before the first.")


def _check_retention(inputs: Inputs) -> None:
    definition = inputs.definition
    if definition is None:
        return
    if is_display_only(definition):
        raise Refused("--retention: unbounded grows as the data age, so groups can't be judged by it.")
    if not isinstance(definition, Survival) and definition.window.start_day <= inputs.last_day:
        raise Refused(
            f"--retention: {inputs.retention} begins on day {definition.window.start_day}, inside the window of play "
            f"{inputs.window}; what forms the groups would also be their outcome."
        )
