"""What a holdout report is asked, frozen when it is planned, and when its outcome may be read. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from events.metrics import Capped, Metric, Quantile, Ratio, Survival, days_needed, outcome_window, parse_metric
from events.metrics.facts import refuse_exposures
from events.windows import Clock
from experiments.plan.record import WHOLE
from experiments.plan.validation import METHODS
from runs.refusals import Refused

# The question of a holdout report: frozen when it is planned, and stored with each reading. Pure.
#
# The population must not depend on what was shipped, or both sides would hold different people. Units of the holdout
# have no exposures, so no exposure may select units: docs/methods/pooling.md, "Holdout report".

MOST_READINGS = 10
FEWEST_PLANNED = 100


class Population(StrEnum):
    """Which units count, and what starts their day 0."""

    SIGNUP = "signup"  # first signup at or after the date; day 0 begins with it
    FIRST_SEEN = "first_seen"  # first event of any kind at or after the date; day 0 begins with it
    KNOWN_BEFORE = "known_before"  # any event before the date; day 0 begins with the date for all units


@dataclass(frozen=True)
class HoldoutQuestion:
    """One plan of a holdout report.

    Attributes:
        holdout: key; `seed` of its draws; `share` of units held out, in steps of 0.01 %.
        since: local date from which shipped changes count.
        population: which units count.
        signup_event: for `signup`; "" otherwise.
        outcome: metric text.
        day_mode: `rolling` or `calendar`.
        alpha: two-sided error rate over all readings together.
        method: `fixed`, `group_sequential` or `always_valid`.
        readings: local dates, ascending; each reads the data up to the beginning of its date. The last is the end.
        planned_units: mature units of both sides that are expected at the end; None with one reading.
        spending: function that divides the error rate between planned readings.
    """

    holdout: str
    seed: str
    share: int
    since: date
    population: Population
    signup_event: str
    outcome: str
    day_mode: str
    alpha: float
    method: str
    readings: tuple[date, ...]
    planned_units: int | None
    spending: str

    @property
    def end(self) -> date:
        """Date of the last reading."""
        return self.readings[-1]

    @property
    def shares(self) -> dict[str, float]:
        """Planned share of each side."""
        return {HELD: self.share / WHOLE, REST: 1 - self.share / WHOLE}


HELD, REST = "holdout", "rest"  # the sides' names in payloads


def check_question(question: HoldoutQuestion, today: date) -> None:
    """Refuse a question that can't be answered, or that would read the outcome before it was planned.

    Raises:
        Refused: naming the field.
    """
    metric = _outcome(question.outcome)
    if question.population is Population.SIGNUP and not question.signup_event:
        raise Refused("Name the event that says that somebody signed up.", at="signup_event")
    if not 0 < question.alpha <= 0.2:
        raise Refused("Alpha lies above 0 and is at most 20%.", at="alpha")
    if question.method not in METHODS:
        raise Refused("The method is one of {methods}.", methods=", ".join(METHODS), at="method")
    _check_readings(question, today, days_needed(metric))
    repeated = question.method != "fixed"
    if repeated and (question.planned_units is None or question.planned_units < FEWEST_PLANNED):
        raise Refused(
            "Say how many users of both sides are expected at the end, {least} or more: several readings share one "
            "error rate by it.",
            least=FEWEST_PLANNED,
            at="planned_units",
        )


def definitions(outcome: str) -> dict[str, Any]:
    """The outcome as metric columns: `v`, and `w` for the denominator of a ratio."""
    metric = parse_metric(outcome)
    return {"v": metric.numerator, "w": metric.denominator} if isinstance(metric, Ratio) else {"v": metric}


def _outcome(text: str) -> Metric:
    try:
        metric = parse_metric(text)
    except Refused as refusal:
        raise Refused(refusal.message, at="outcome") from None
    if isinstance(metric, Survival | Quantile) or any(
        _has_no_cap(definition) for definition in definitions(text).values()
    ):
        raise Refused(
            "A holdout report reads retention, a count, a sum, active days, or a ratio of them; a cap is a number.",
            at="outcome",
        )
    for definition in definitions(text).values():
        if outcome_window(definition).end_day is None:
            raise Refused("The outcome needs a last day, or nobody's outcome is ever known.", at="outcome")
    refuse_exposures(text, at="outcome")
    return metric


def _has_no_cap(metric: object) -> bool:
    return isinstance(metric, Capped) and metric.cap is None


def _check_readings(question: HoldoutQuestion, today: date, needed: int) -> None:
    readings: Sequence[date] = question.readings
    if not readings:
        raise Refused("Name the date of the reading.", at="readings")
    planned = question.method == "group_sequential"
    if planned and not 2 <= len(readings) <= MOST_READINGS:
        raise Refused("Planned readings are 2 to {most} dates.", most=MOST_READINGS, at="readings")
    if not planned and len(readings) != 1:
        raise Refused("One date is wanted: the end. Several dates need the method of planned readings.", at="readings")
    if any(first >= second for first, second in pairwise(readings)):
        raise Refused("The dates of the readings rise, each once.", at="readings")
    if readings[0] <= today:
        raise Refused("A reading is planned for a day to come: one of today would be too early.", at="readings")
    if readings[0] < question.since + timedelta(days=needed + 1):
        raise Refused(
            "The first reading comes too early: the outcome takes {days} days from {since} on.",
            days=needed,
            since=question.since.isoformat(),
            at="readings",
        )


# When the outcome of a holdout may be read: only on the planned dates. Pure.
#
# A reading uses only the data up to its date, whenever it is computed. So a missed reading can be computed later, and
# computing one twice shows nothing new.

WAITING, OPEN = "waiting", "open"


@dataclass(frozen=True)
class Due:
    """The reading that is due, or why none is.

    Attributes:
        state: `open` or `waiting`.
        why: `before` the first reading, `between` readings, `done` after the last, `due`, `any_time`.
        until: moment up to which the data are read.
        reading: date of the reading that is due; None while waiting.
        next_on: date of the next reading; None after the last, and where every day is a reading.
        final: True for the last reading.
    """

    state: str
    why: str
    until: datetime
    reading: date | None
    next_on: date | None
    final: bool


def due(question: HoldoutQuestion, clock: Clock, data_end: datetime, taken: Collection[date]) -> Due:
    """Whether the outcome may be read.

    Args:
        question: the plan.
        clock: defines when its days begin.
        data_end: of the log.
        taken: dates of the readings already computed.
    """
    over = [day for day in question.readings if clock.midnight(day) <= data_end]
    final = question.end in over
    if question.method == "always_valid":
        until = min(data_end, clock.midnight(question.end))
        if question.end in taken:
            return Due(WAITING, "done", until, None, None, final=True)
        return Due(OPEN, "any_time", until, question.end if final else clock.local_date(until), None, final)
    next_on = next((day for day in question.readings if day not in over), None)
    if not over:
        return Due(WAITING, "before", data_end, None, next_on, final=False)
    latest = over[-1]
    if taken and max(taken) >= latest:
        return Due(
            WAITING, "done" if final else "between", min(data_end, clock.midnight(question.end)), None, next_on, final
        )
    return Due(OPEN, "due", clock.midnight(latest), latest, next_on, final)
