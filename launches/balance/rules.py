"""The rules of an event: points for what users do, steps with rewards, days, users, how they respond. Pure.

A file or a stored row holds them as JSON; `read` makes the record of it and names the row and field that is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Any

from events.metrics import LONGEST_LINE, parse_behaviour
from reporting.document import dump
from reporting.words import Message, say
from runs.refusals import Refused

MOST_ROWS, MOST_STEPS, MOST_DAYS = 12, 10, 56
MOST_POINTS, MOST_COST, MOST_STOCK, MOST_TIMES = 1e9, 1e12, 2**31 - 1, 100_000
LONGEST_TITLE, LONGEST_NAME, LONGEST_KEY = 100, 60, 160
MOST_RESPONSE = 9.0  # ten times the activity
MOST_SEED = 2**31 - 1
TITLE, FIRST, DAYS, RULES, STEPS, SEGMENT, RESPONSE, SEED = (
    *("title", "first", "days", "rules", "steps", "segment", "response", "seed"),
)


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # in the order of `date.weekday`


@dataclass(frozen=True)
class PointRule:
    """Points for one behaviour.

    Attributes:
        behaviour: as `parse_behaviour` reads it.
        points: for each time.
        cap_times: times a day that count; None for all.
        cap_points: points of this rule that a user can get in one day, after the multiplier; None for no limit.
        multiplier: of the points on the days below.
        weekdays, dates: the days on which it multiplies.
    """

    behaviour: str
    points: float
    cap_times: int | None = None
    cap_points: float | None = None
    multiplier: float = 1.0
    weekdays: tuple[str, ...] = ()
    dates: tuple[date, ...] = ()

    def times_on(self, day: date) -> float:
        """What the points are multiplied by on a date."""
        return self.multiplier if day in self.dates or WEEKDAYS[day.weekday()] in self.weekdays else 1.0


@dataclass(frozen=True)
class Step:
    """A reward and the points that it takes.

    Attributes:
        name: of the reward.
        points: a user gets it once the points of all days reach this number.
        cost: of one, in the site's own unit.
        stock: how many there are; None for as many as are needed.
    """

    name: str
    points: float
    cost: float = 0.0
    stock: int | None = None


@dataclass(frozen=True)
class Response:
    """How much more users do because of the event: activity times 1 + u.

    Attributes:
        low, middle, high: u, -1 or more: 0.2 is a fifth more than on the past days, -0.1 a tenth less.
    """

    low: float = 0.0
    middle: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Rules:
    """The rules of an event.

    Attributes:
        title: what people call it.
        first: its first date on the site.
        days: how many dates it lasts.
        rules: points for behaviours; what a user gets is their sum.
        steps: rewards by rising points.
        segment: key of a published segment, whose members take part, or of a model, whose segments stand side by side;
            "" for all users.
        response: the range of u.
        seed: of the draws.
    """

    title: str
    first: date
    days: int
    rules: tuple[PointRule, ...]
    steps: tuple[Step, ...]
    segment: str = ""
    response: Response = Response()
    seed: int = 1

    @property
    def last(self) -> date:
        """Its last date."""
        return self.first + timedelta(days=self.days - 1)

    @property
    def dates(self) -> tuple[date, ...]:
        """Its dates in their order."""
        return tuple(self.first + timedelta(days=day) for day in range(self.days))

    @property
    def behaviours(self) -> tuple[str, ...]:
        """What is counted, without repeats."""
        return tuple(dict.fromkeys(rule.behaviour for rule in self.rules))


# ── Reading ───────────────────────────────────────────────────────────────────
def read(document: Any) -> Rules:
    """The rules of a JSON document.

    Raises:
        Refused: one sentence that names the row and the field.
    """
    fields = _Fields(document, "")
    rules = Rules(
        title=fields.text(TITLE, LONGEST_TITLE),
        first=fields.day(FIRST),
        days=fields.whole(DAYS, 1, MOST_DAYS),
        rules=fields.rows(RULES, MOST_ROWS, _read_rule),
        steps=fields.rows(STEPS, MOST_STEPS, _read_step),
        segment=fields.text(SEGMENT, LONGEST_KEY, needed=False),
        response=_read_response(fields.get(RESPONSE, {})),
        seed=fields.whole(SEED, 0, MOST_SEED, 1),
    )
    fields.done()
    _check(rules)
    return rules


def write(rules: Rules) -> dict[str, Any]:
    """The rules as JSON values, as `read` takes them."""
    return dump(rules)


def read_points(text: str) -> list[float]:
    """Numbers with commas between them.

    Raises:
        Refused: a part is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Refused("Write numbers with commas between them, such as 100,250,500.", at="points") from None


def with_points(rules: Rules, points: Sequence[float], response: Mapping[str, float]) -> Rules:
    """The rules with other thresholds and another response, checked as a file's are.

    Raises:
        Refused: names the row that is wrong.
    """
    if len(points) != len(rules.steps):
        raise Refused(
            "One number for each of the {count} steps, not {given}.",
            count=len(rules.steps),
            given=len(points),
            at=STEPS,
        )
    steps = [{**vars(step), "points": at} for step, at in zip(rules.steps, points, strict=True)]
    return read({**write(rules), STEPS: steps, RESPONSE: dict(response)})


def _check(rules: Rules) -> None:
    for number, rule in enumerate(rules.rules, start=1):
        if rule.multiplier != 1.0 and not (rule.weekdays or rule.dates):
            raise _wrong(RULES, number, "weekdays", say("say on which weekdays or dates the multiplier holds."))
        outside = [day for day in rule.dates if not rules.first <= day <= rules.last]
        if outside:
            raise _wrong(RULES, number, "dates", say("{day} isn't a day of the event.", day=outside[0]))
        if rule.cap_points is not None and rule.cap_points < rule.points:
            raise _wrong(RULES, number, "cap_points", say("it is less than the points for one time."))
    for number, (before, step) in enumerate(zip(rules.steps, rules.steps[1:], strict=False), start=2):
        if step.points <= before.points:
            raise _wrong(STEPS, number, "points", say("more points than the step above are needed."))
    u = rules.response
    if not u.low <= u.middle <= u.high:
        raise Refused("Low, middle and high response rise in this order.", at=RESPONSE)


def _read_rule(fields: "_Fields") -> PointRule:
    behaviour = fields.text("behaviour", LONGEST_LINE)
    try:
        parsed = parse_behaviour(behaviour)
    except Refused as refusal:
        raise fields.wrong("behaviour", refusal.message) from None
    if parsed.distinct is not None:
        raise fields.wrong("behaviour", say("name an event, or an event with a property and its value."))
    behaviour = str(parsed)
    return PointRule(
        behaviour,
        fields.number("points", 0.01, MOST_POINTS),
        fields.whole("cap_times", 1, MOST_TIMES, None),
        fields.number("cap_points", 0.01, MOST_POINTS, None),
        fields.number("multiplier", 0.0, 1000.0, 1.0),
        tuple(sorted({fields.weekday(one) for one in fields.listed("weekdays")}, key=WEEKDAYS.index)),
        tuple(sorted({fields.read_day("dates", one) for one in fields.listed("dates")})),
    )


def _read_step(fields: "_Fields") -> Step:
    return Step(
        fields.text("name", LONGEST_NAME),
        fields.number("points", 0.01, MOST_POINTS),
        fields.number("cost", 0.0, MOST_COST, 0.0),
        fields.whole("stock", 0, MOST_STOCK, None),
    )


def _read_response(document: Any) -> Response:
    fields = _Fields(document, RESPONSE)
    middle = fields.number("middle", -1.0, MOST_RESPONSE, 0.0)
    found = Response(
        fields.number("low", -1.0, MOST_RESPONSE, middle), middle, fields.number("high", -1.0, MOST_RESPONSE, middle)
    )
    fields.done()
    return found


def _wrong(name: str, row: int, field: str, what: Message) -> Refused:
    """A refusal of one part of one row; the sentence names both, and `at` says which field of a form shows it."""
    return Refused("{name}, row {row}, {field}: {what}", at=name, name=name, row=row, field=field, what=what)


_NOTHING: Any = object()


class _Fields:
    """The fields of one JSON object; whatever nobody asked for is refused at the end.

    Args:
        document: what was given.
        at: the name of the field of the whole that this is part of; "" for the whole.
        row: its number there; 0 for none.
    """

    def __init__(self, document: Any, at: str, row: int = 0) -> None:
        self.at, self.row = at, row
        if not isinstance(document, Mapping):
            raise self.wrong("", say("it is no JSON object."))
        self.left = dict(document)

    def wrong(self, name: str, what: Message) -> Refused:
        """A refusal of one of the fields; "" is the object itself."""
        if self.row and name:
            return _wrong(self.at, self.row, name, what)
        if self.row:
            return Refused("{name}, row {row}: {what}", at=self.at, name=self.at, row=self.row, what=what)
        if not (name or self.at):
            return Refused(what)
        return Refused("{name}: {what}", at=self.at or name, name=".".join(filter(None, (self.at, name))), what=what)

    def get(self, name: str, default: Any = _NOTHING) -> Any:
        """A value; missing and null ones are the default."""
        value = self.left.pop(name, None)
        if value is None:
            if default is _NOTHING:
                raise self.wrong(name, say("it is missing."))
            return default
        return value

    def done(self) -> None:
        """Refuse fields that don't exist."""
        if self.left:
            raise self.wrong(str(next(iter(self.left)))[:40], say("there is no such field."))

    def text(self, name: str, most: int, *, needed: bool = True) -> str:
        """A text without blanks at its ends."""
        value = self.get(name, _NOTHING if needed else "")
        if not isinstance(value, str):
            raise self.wrong(name, say("it is no text."))
        value = " ".join(value.split())
        if needed and not value:
            raise self.wrong(name, say("it is missing."))
        if len(value) > most:
            raise self.wrong(name, say("it has at most {most} letters.", most=most))
        return value

    def number(self, name: str, least: float, most: float, default: Any = _NOTHING) -> Any:
        """A number between two limits."""
        value = self.get(name, default)
        if value is default:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise self.wrong(name, say("it is no number."))
        if not least <= value <= most:
            raise self.wrong(
                name, say("from {least} to {most}, not {given}.", least=_short(least), most=_short(most), given=value)
            )
        return float(value)

    def whole(self, name: str, least: int, most: int, default: Any = _NOTHING) -> Any:
        """A whole number between two limits."""
        value = self.number(name, least, most, default)
        if value is None or (value is default and isinstance(value, int)):
            return value
        if value != int(value):
            raise self.wrong(name, say("it is no whole number."))
        return int(value)

    def day(self, name: str) -> date:
        """A date."""
        return self.read_day(name, self.get(name))

    def read_day(self, name: str, value: Any) -> date:
        """A date of a list."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.wrong(name, say("“{given}” is no date such as 2027-01-15.", given=str(value)[:40])) from None

    def weekday(self, value: Any) -> str:
        """A day of the week."""
        if value not in WEEKDAYS:
            known = ", ".join(WEEKDAYS)
            raise self.wrong("weekdays", say("“{given}” is none of {known}.", given=str(value)[:40], known=known))
        return str(value)

    def listed(self, name: str) -> Sequence[Any]:
        """A list; none is an empty one."""
        value = self.get(name, ())
        if not isinstance(value, list | tuple):
            raise self.wrong(name, say("it is no list."))
        return value

    def rows[T](self, name: str, most: int, make: Callable[["_Fields"], T]) -> tuple[T, ...]:
        """A list of at least one object."""
        rows = self.listed(name)
        if not rows:
            raise self.wrong(name, say("at least one row is needed."))
        if len(rows) > most:
            raise self.wrong(name, say("at most {most} rows.", most=most))
        made = []
        for number, row in enumerate(rows, start=1):
            fields = _Fields(row, name, number)
            made.append(make(fields))
            fields.done()
        return tuple(made)


def _short(value: float) -> str:
    return f"{value:,.10g}"
