"""Inputs of a study: validated once, stored with the run, shown with the result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from aha.study.level_before import LevelBefore, parse_level
from events.metrics import Behaviour, Retention, outcome_window, parse_behaviour, parse_retention, written_out
from events.metrics.facts import refuse_exposures
from events.windows import DayMode, Window
from runs.refusals import Refused

MAX_DAYS = 90
MAX_TIMES = 1_000
MAX_BEHAVIOURS = 60
# Errors name the option of the command; forms and the API show them at the field.
FIELD_OF = {
    "signup-event": "signup_event",
    "days": "days",
    "max-times": "max_times",
    "gap": "gap",
    "choose": "choose",
    "day-mode": "day_mode",
    "behaviours": "behaviours",
    "inert": "inert",
    "from": "first_date",
    "to": "last_date",
    "from to": "last_date",
    "retention": "retention",
    "retention days": "days",
    "segment": "segment",
    "level": "level",
}
RULES = ("j", "phi", "youden", "pareto")


@dataclass(frozen=True)
class Inputs:
    """Inputs of a study.

    Attributes:
        signup_event: the event whose first occurrence starts a unit's clock; ``*`` takes the first of any kind.
        days: the Y values of "within Y days", ascending.
        retention: the outcome, as a SPEC.
        behaviours: what to count, as they are written; empty takes every event name.
        max_times: the largest Z; None for 1 to 10, or the deciles of frequent behaviours.
        segment: key of a published segment (only its units count) or of a segment model (its segments are compared).
        first_date: first signup date (ISO) that belongs to the cohort; None for no bound.
        last_date: last such date, inclusive.
        choose: the rule by which a cell is chosen: j, phi, youden or pareto.
        gap: whole days between the behaviour's window and the retention window.
        day_mode: ``rolling`` or ``calendar``.
        inert: behaviours that can't cause retention: negative controls.
        level: only users at this level of activity on the last days before retention is measured, as `parse_level`
            reads it; None for all.
    """

    signup_event: str
    days: tuple[int, ...]
    retention: str
    behaviours: tuple[str, ...] = ()
    max_times: int | None = None
    segment: str | None = None
    first_date: str | None = None
    last_date: str | None = None
    choose: str = "j"
    gap: int = 0
    day_mode: str = "rolling"
    inert: tuple[str, ...] = ()
    level: str | None = None

    @property
    def definition(self) -> Retention:
        """The parsed retention."""
        return parse_retention(self.retention)

    @property
    def listed(self) -> tuple[Behaviour, ...]:
        """The parsed behaviours, each once; the inert ones are counted too."""
        if not self.behaviours:
            return ()
        return tuple(dict.fromkeys(parse_behaviour(text) for text in (*self.behaviours, *self.inert)))

    @property
    def largest_times(self) -> int:
        """The largest Z that any behaviour can have."""
        return MAX_TIMES if self.max_times is None else self.max_times

    @property
    def window(self) -> Window:
        """The days on which retention is measured.

        Raises:
            ValueError: for `survival`, which studies don't support.
        """
        return outcome_window(self.definition)

    @property
    def level_before(self) -> LevelBefore | None:
        """The parsed level."""
        return None if self.level is None else parse_level(self.level, self.window)

    @property
    def dates(self) -> tuple[date | None, date | None]:
        """First and last signup date of the cohort."""
        first, last = (None if text is None else date.fromisoformat(text) for text in (self.first_date, self.last_date))
        return first, last


def check_inputs(inputs: Inputs) -> Inputs:
    """Validate inputs as far as possible without the data; return them unchanged.

    Raises:
        Refused: names the invalid option.
    """
    from aha.study.window_guard import valid_windows

    if not inputs.signup_event:
        raise Refused("name the start event (day 0), or * for each user's first event.", at="signup-event")
    if not inputs.days or not all(1 <= y <= MAX_DAYS for y in inputs.days):
        raise Refused("whole numbers from 1 to {most}, for example 1 3 7.", most=MAX_DAYS, at="days")
    if list(inputs.days) != sorted(set(inputs.days)):
        raise Refused("each number once, in ascending order.", at="days")
    if inputs.max_times is not None and not 1 <= inputs.max_times <= MAX_TIMES:
        raise Refused("from 1 to {most}, not {given}.", most=MAX_TIMES, given=inputs.max_times, at="max-times")
    if inputs.choose not in RULES:
        raise Refused(
            "{names} or {last}, not {given}.",
            names=", ".join(RULES[:-1]),
            last=RULES[-1],
            given=inputs.choose,
            at="choose",
        )
    if inputs.gap < 0:
        raise Refused("0 days or more, not {given}.", given=inputs.gap, at="gap")
    if inputs.day_mode not in list(DayMode):
        raise Refused("rolling or calendar, not {given}.", given=inputs.day_mode, at="day-mode")
    _named("behaviours", lambda: [parse_behaviour(text) for text in inputs.behaviours])
    _named("inert", lambda: [parse_behaviour(text) for text in inputs.inert])
    refuse_exposures(*inputs.behaviours, *inputs.inert, at="behaviours")
    refuse_exposures(inputs.signup_event, at="signup-event")
    refuse_exposures(inputs.retention, at="retention")
    if len(inputs.listed) > MAX_BEHAVIOURS:
        raise Refused("at most {most}, not {count}.", most=MAX_BEHAVIOURS, count=len(inputs.listed), at="behaviours")
    _check_dates(inputs)
    definition = _named("retention", lambda: parse_retention(inputs.retention))
    _named("retention days", lambda: valid_windows(inputs.days, definition, gap=inputs.gap))
    _named("level", lambda: inputs.level_before)
    return inputs


def in_full(inputs: Inputs) -> Inputs:
    """Checked inputs as they are stored: what they take of a published segmentation is written out."""
    level = inputs.level_before
    return replace(inputs, retention=written_out(inputs.retention), level=None if level is None else str(level))


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


def _named[T](option: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except Refused as refusal:
        refusal.at = option
        raise
