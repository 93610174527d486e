"""What a holdout report is asked: frozen when it is planned, and stored with each of its readings. Pure.

Who counts must not depend on what was shipped, or both sides would hold different people. Units of the holdout have no
exposures, so nothing that an exposure says may choose them: docs/methods/pooling.md, "Holdout report".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from events.metrics import Capped, Metric, Quantile, Ratio, Survival, days_needed, outcome_window, parse_metric
from events.metrics.exposures import refuse_exposures
from experiments.plan.mistakes import METHODS
from experiments.plan.record import WHOLE
from runs.refusals import Refused

MOST_READINGS = 10
FEWEST_PLANNED = 100


class Population(StrEnum):
    """Who counts, and what begins day 0."""

    SIGNUP = "signup"  # whose first signup lies at or after the date; day 0 begins with it
    FIRST_SEEN = "first_seen"  # whose first event of all lies at or after the date; day 0 begins with it
    KNOWN_BEFORE = "known_before"  # who was seen before the date; day 0 begins with the date, for all alike


@dataclass(frozen=True)
class HoldoutQuestion:
    """One plan of a holdout report.

    Attributes:
        holdout: key; `seed` of its draws; `share` of units held out, in steps of 0.01 %.
        since: local date from which on things were shipped.
        population: who counts.
        signup_event: for `signup`; "" otherwise.
        outcome: metric text.
        day_mode: `rolling` or `calendar`.
        alpha: two-sided error rate over all readings together.
        method: `fixed`, `group_sequential` or `always_valid`.
        readings: local dates, rising: data up to the beginning of each. The last is the end.
        planned_units: mature units of both sides that are expected at the end; None with one reading.
        spending: how planned readings share the error rate.
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
        """The last reading."""
        return self.readings[-1]

    @property
    def shares(self) -> dict[str, float]:
        """Planned share of each side."""
        return {HELD: self.share / WHOLE, REST: 1 - self.share / WHOLE}


HELD, REST = "holdout", "rest"  # the sides, as payloads name them


def check_question(asked: HoldoutQuestion, today: date) -> None:
    """Refuse what can't be answered, or would read the outcome before anything was planned.

    Raises:
        Refused: with the field.
    """
    metric = _outcome(asked.outcome)
    if asked.population is Population.SIGNUP and not asked.signup_event:
        raise Refused("Name the event that says that somebody signed up.", at="signup_event")
    if not 0 < asked.alpha <= 0.2:
        raise Refused("Alpha lies above 0 and is at most 20%.", at="alpha")
    if asked.method not in METHODS:
        raise Refused("The method is one of {methods}.", methods=", ".join(METHODS), at="method")
    _check_readings(asked, today, days_needed(metric))
    repeated = asked.method != "fixed"
    if repeated and (asked.planned_units is None or asked.planned_units < FEWEST_PLANNED):
        raise Refused(
            "Say how many users of both sides are expected at the end, {least} or more: several readings share one "
            "error rate by it.",
            least=FEWEST_PLANNED,
            at="planned_units",
        )


def definitions(outcome: str) -> dict[str, Any]:
    """The outcome as columns of a question: `v`, and `w` for the denominator of a ratio."""
    metric = parse_metric(outcome)
    return {"v": metric.numerator, "w": metric.denominator} if isinstance(metric, Ratio) else {"v": metric}


def _outcome(text: str) -> Metric:
    try:
        metric = parse_metric(text)
    except Refused as refusal:
        raise Refused(refusal.message, at="outcome") from None
    if isinstance(metric, Survival | Quantile) or any(_has_no_cap(one) for one in definitions(text).values()):
        raise Refused(
            "A holdout report reads retention, a count, a sum, active days, or a ratio of them; a cap is a number.",
            at="outcome",
        )
    for one in definitions(text).values():
        if outcome_window(one).end_day is None:
            raise Refused("The outcome needs a last day, or nobody's outcome is ever known.", at="outcome")
    refuse_exposures(text, at="outcome")
    return metric


def _has_no_cap(metric: object) -> bool:
    return isinstance(metric, Capped) and metric.cap is None


def _check_readings(asked: HoldoutQuestion, today: date, needed: int) -> None:
    readings: Sequence[date] = asked.readings
    if not readings:
        raise Refused("Name the date of the reading.", at="readings")
    planned = asked.method == "group_sequential"
    if planned and not 2 <= len(readings) <= MOST_READINGS:
        raise Refused("Planned readings are 2 to {most} dates.", most=MOST_READINGS, at="readings")
    if not planned and len(readings) != 1:
        raise Refused("One date is wanted: the end. Several dates need the method of planned readings.", at="readings")
    if any(first >= second for first, second in pairwise(readings)):
        raise Refused("The dates of the readings rise, each once.", at="readings")
    if readings[0] <= today:
        raise Refused("A reading is planned for a day to come: one of today would be a peek.", at="readings")
    if readings[0] < asked.since + timedelta(days=needed + 1):
        raise Refused(
            "The first reading comes too early: the outcome takes {days} days from {since} on.",
            days=needed,
            since=asked.since.isoformat(),
            at="readings",
        )
