"""The answers of a launch's form: what, when and for whom, who couldn't meet it, the outcome, since when, the decision.

They are registered before anything is read, and they alone decide which days are compared. Pure.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from events.metrics import (
    Capped,
    Metric,
    Quantile,
    Ratio,
    Survival,
    days_needed,
    first_day,
    is_share,
    outcome_window,
    parse_behaviour,
    parse_metric,
)
from events.metrics.facts import refuse_exposures
from runs.refusals import Refused

WINDOW = 8  # times as many days before as after: with 8 a step of 2 points is found twice as often as with 5
DAYS_AFTER = (7, 56)
USUAL_DAYS = 14
LONGEST_DELAY = 90
MOST_VALUES = 12
LONGEST = {"title": 100, "decision": 500, "trait": 100}
DAY = timedelta(days=1)


class Curve(StrEnum):
    """Which daily curve is judged."""

    NEW_USERS = "new_users"  # a metric of the users who signed up on the day, at a fixed age
    ACTIVE_USERS = "active_users"  # how many users were active on the day
    PER_ACTIVE_USER = "per_active_user"  # how often an active user did something on the day


class Meets(StrEnum):
    """Who met the launch from its date on."""

    EVERYBODY = "everybody"  # also users who were there before
    NEW = "new"  # only those who signed up from then on


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Suggestion(StrEnum):
    """What the curve suggests. Never a verdict: nobody was drawn by lot."""

    GAIN = "SUGGESTS_GAIN"
    LOSS = "SUGGESTS_LOSS"
    CANT_TELL = "CANT_TELL"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Answers:
    """What a launch was, and by what it is judged.

    Attributes:
        title: what was launched.
        began: local date of the site from which it was there.
        meets: who met it then.
        trait, reached, spared: a trait of users, its values for those who could meet it, and its values for those who
            couldn't; "" and empty where everybody could.
        curve: what is measured on each day.
        outcome: a metric of users for `Curve.NEW_USERS`, a behaviour for `Curve.PER_ACTIVE_USER`, else "".
        signup_event: what starts a user's clock; "" where no clock is needed.
        better: which way is better.
        works_after: days after which an effect is expected; those between are judged by nobody.
        days_after: how many days are then judged.
        decision: what hangs on it.
        took_part: a behaviour of those who took part, for the gap that proves nothing; "" for none.
        unmoved: a metric that the launch can't move; "" for none.
    """

    title: str
    began: date
    curve: Curve
    decision: str
    outcome: str = ""
    signup_event: str = ""
    meets: Meets = Meets.EVERYBODY
    trait: str = ""
    reached: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    better: Direction = Direction.HIGHER
    works_after: int = 0
    days_after: int = USUAL_DAYS
    took_part: str = ""
    unmoved: str = ""

    @property
    def metric(self) -> Metric:
        """The outcome of `Curve.NEW_USERS`."""
        return parse_metric(self.outcome)

    @property
    def is_share(self) -> bool:
        """Whether the curve is a share of users."""
        return self.curve is Curve.NEW_USERS and is_share(self.metric)

    @property
    def length(self) -> int:
        """Dates of the site on which the outcome of one day's users may be decided; 1 for curves of calendar days.

        A user who signs up in the evening ends a rolling day on the next date: so there is one date more than days.
        """
        return days_needed(self.metric) + 1 if self.curve is Curve.NEW_USERS else 1

    @property
    def days(self) -> "Days":
        """The days that are compared."""
        works = self.began + self.works_after * DAY
        if self.meets is Meets.NEW:
            last_before, first_after = self.began - DAY, works
        else:  # who signed up shortly before met it on some of the days that count
            youngest = (first_day(self.metric) or 0) if self.curve is Curve.NEW_USERS else 0
            last_before, first_after = self.began - self.length * DAY, works - youngest * DAY
        first_after = max(first_after, last_before + DAY)
        return Days(
            last_before - (WINDOW * self.days_after - 1) * DAY,
            last_before,
            first_after,
            first_after + (self.days_after - 1) * DAY,
            self.length,
        )


@dataclass(frozen=True)
class Days:
    """The days of one comparison, all inclusive; those between `last_before` and `first_after` count nowhere.

    Attributes:
        first: first day before.
        last_before: last day whose users or events the launch can't have touched.
        first_after: first day on which it touches all that is measured.
        last: last day after.
        known_after: days until what began on a day is known.
    """

    first: date
    last_before: date
    first_after: date
    last: date
    known_after: int

    @property
    def readable_from(self) -> date:
        """The date on which the last day's outcome is known."""
        return self.last + self.known_after * DAY

    @property
    def step(self) -> timedelta:
        """From one separate date of the past to the next: they share no day after."""
        return self.last - self.first_after + DAY

    def earlier(self, place: int) -> "Days":
        """The same comparison at a date of the past; at place 0 the newest that shares no day with the launch."""
        back = (self.last - self.last_before) + place * self.step
        return Days(
            self.first - back, self.last_before - back, self.first_after - back, self.last - back, self.known_after
        )


def checked(answers: Answers) -> Answers:
    """The answers with tidy texts and definitions.

    Raises:
        Refused: naming the field.
    """
    tidy = {name: " ".join(getattr(answers, name).split()) for name in LONGEST}
    for name, most in LONGEST.items():
        if len(tidy[name]) > most:
            raise Refused("It has at most {most} letters.", at=name, most=most)
    if not tidy["title"]:
        raise Refused("It needs a title.", at="title")
    if not tidy["decision"]:
        raise Refused("Say what you will do if it worked, and what if it didn't.", at="decision")
    least, most = DAYS_AFTER
    if not least <= answers.days_after <= most:
        raise Refused(
            "from {least} to {most} days, not {given}.",
            at="days_after",
            least=least,
            most=most,
            given=answers.days_after,
        )
    if answers.days_after % 7:
        raise Refused("Whole weeks: 7, 14, 21 and so on, so that each weekday counts alike.", at="days_after")
    if not 0 <= answers.works_after <= LONGEST_DELAY:
        raise Refused(
            "from {least} to {most} days, not {given}.",
            at="works_after",
            least=0,
            most=LONGEST_DELAY,
            given=answers.works_after,
        )
    _check_groups(answers, tidy["trait"])
    outcome, signup = _outcome(answers)
    unmoved = _metric_line(answers.unmoved, "unmoved") if answers.unmoved else ""
    if unmoved and answers.curve is not Curve.NEW_USERS:
        raise Refused("Only a curve of new users has one.", at="unmoved")
    took_part = _behaviour_line(answers.took_part, "took_part") if answers.took_part else ""
    if took_part and answers.curve is not Curve.NEW_USERS:
        raise Refused("Only a curve of new users has one.", at="took_part")
    return replace(
        answers,
        **tidy,  # type: ignore[arg-type]  # each of these fields is a text
        outcome=outcome,
        signup_event=signup,
        unmoved=unmoved,
        took_part=took_part,
    )


def _check_groups(answers: Answers, trait: str) -> None:
    named = {"reached": answers.reached, "spared": answers.spared}
    for name, values in named.items():
        if len(values) > MOST_VALUES:
            raise Refused("It has at most {most} values.", at=name, most=MOST_VALUES)
        if len(set(values)) < len(values) or "" in values:
            raise Refused("Name each value once.", at=name)
    if trait and not answers.reached:
        raise Refused("Name the values of those who could meet it.", at="reached")
    if not trait and (answers.reached or answers.spared):
        raise Refused("Name the trait whose values these are.", at="trait")
    if both := sorted(set(answers.reached) & set(answers.spared)):
        raise Refused("“{value}” can't be among both.", at="spared", value=both[0])


def _outcome(answers: Answers) -> tuple[str, str]:
    if answers.curve is Curve.ACTIVE_USERS:
        if answers.outcome:
            raise Refused("A curve of active users has no outcome of its own.", at="outcome")
        return "", ""
    if not answers.outcome:
        raise Refused("It needs an outcome.", at="outcome")
    if answers.curve is Curve.PER_ACTIVE_USER:
        return _behaviour_line(answers.outcome, "outcome"), ""
    if not answers.signup_event:
        raise Refused("Name the event that starts a user's clock.", at="signup_event")
    return _metric_line(answers.outcome, "outcome"), answers.signup_event


def _metric_line(text: str, at: str) -> str:
    try:
        metric = parse_metric(text)
        refuse_exposures(text)
    except Refused as refusal:
        raise Refused(refusal.message, at=at) from None
    if isinstance(metric, Survival | Quantile):
        raise Refused("Time to churn and quantiles have no mean of a day. Choose a share or a number.", at=at)
    parts = (metric.numerator, metric.denominator) if isinstance(metric, Ratio) else (metric,)
    if any(isinstance(part, Capped) and part.cap is None for part in parts):
        raise Refused("Give the cap as a number: a share of users is another number on each day.", at=at)
    if any(outcome_window(part).end_day is None for part in parts):
        raise Refused("Its days need an end, so that each day's users are measured at the same age.", at=at)
    return str(metric)


def _behaviour_line(text: str, at: str) -> str:
    try:
        behaviour = parse_behaviour(text)
        refuse_exposures(text)
    except Refused as refusal:
        raise Refused(refusal.message, at=at) from None
    if behaviour.distinct is not None:
        raise Refused("Name an event, or an event with a property and its value.", at=at)
    return str(behaviour)


@dataclass(frozen=True)
class Other:
    """Another thing that happened in the days of a comparison.

    Attributes:
        kind, title: of the calendar.
        starts, ends: local dates; `ends` None where it goes on.
    """

    kind: str
    title: str
    starts: date
    ends: date | None


@dataclass(frozen=True)
class LeftOut:
    """What the calendar does to the days.

    Attributes:
        days: whose users or events aren't counted, since something passed over them.
        changes: dates at which something began or ended for good, or for long.
        passing, lasting: the entries behind both.
    """

    days: frozenset[date] = frozenset()
    changes: frozenset[date] = frozenset()
    passing: tuple[Other, ...] = ()
    lasting: tuple[Other, ...] = ()


LONGEST_PASSING = 28  # days; what lasts longer is a change at its beginning and its end
PASSES = ("campaign", "outage", "event")


def left_out(others: tuple[Other, ...], known_after: int, *, new_users: bool) -> LeftOut:
    """Which days aren't counted, and which dates are changes of their own.

    A campaign brings other users: those who signed up on its days aren't counted. An outage or an event in the product
    also meets users who signed up before, on the days at which they are measured.
    """
    days: set[date] = set()
    changes: set[date] = set()
    passing, lasting = [], []
    for one in others:
        ends = one.ends
        if one.kind in PASSES and ends is not None and (ends - one.starts).days < LONGEST_PASSING:
            begins = one.starts - (known_after - 1) * DAY if new_users and one.kind != "campaign" else one.starts
            days |= {begins + place * DAY for place in range((ends - begins).days + 1)}
            passing.append(one)
        else:
            changes |= {one.starts} | ({ends + DAY} if ends is not None and ends > one.starts else set())
            lasting.append(one)
    return LeftOut(frozenset(days), frozenset(changes), tuple(passing), tuple(lasting))
