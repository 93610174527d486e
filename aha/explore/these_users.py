"""The users behind one point of an answer: which points there are, who stands behind one, and how to say it.

A list of them may become a segment. It is read anew from the log: an answer holds numbers and no ids.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aha.explore import answering, groups, queries
from aha.explore.answering import Asked
from aha.explore.levels_by_week import DOWN, FELL, LEVELS_SHOWN, UP, moves, period_name
from aha.explore.question import ACTIVITY, FUNNEL, LEVELS, LIFECYCLE, RETENTION, TIMES, Question
from aha.explore.report_pages import kind_name
from aha.explore.report_parts import Payload, behaviour_name, day, series_of
from aha.explore.retention_triangle import column_key, column_name
from events.metrics import Survival
from events.metrics.levels import HIGH
from events.people.identity import roots_of
from events.warehouse.arm_marks import Among, refuse_arm_marks
from events.warehouse.explore_session import Stop, prepared
from reporting.numbers import count, day_text
from reporting.words import gettext, times_words, week_words
from runs.progress import silent
from runs.refusals import Refused

MOST_TIMES = 20
GROUP, AT, COLUMN, KIND = "group_of", "at", "column", "kind"
STAYED, LEFT, LEAST, FEWER, REACHED, STOPPED = "stayed", "left", "least", "fewer", "reached", "stopped"


@dataclass(frozen=True)
class Pick:
    """One choice that leads to a point.

    Attributes:
        name: of the URL parameter.
        label: in the reader's language.
        options: value and text of each.
        usual: the value where the URL names none.
    """

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    usual: str

    def of(self, given: Mapping[str, str]) -> str:
        """The value that a URL names; the usual one for a value that isn't offered."""
        value = given.get(self.name, "")
        return value if any(value == one for one, _text in self.options) else self.usual


@dataclass(frozen=True)
class Found:
    """The users behind a point.

    Attributes:
        ids: of these users, in order.
        of: how many users the point was chosen from: those whose days are complete, where days decide.
        last_day: the last day of a user's life that decided whether it is one of them; None for unlimited.
    """

    ids: tuple[str, ...]
    of: int
    last_day: int | None


# ── Which points there are ────────────────────────────────────────────────────
def picks(question: Question, payload: Payload) -> tuple[Pick, ...]:
    """The choices that lead to a point of this answer, in the order of a sentence."""
    lines = series_of(payload)
    own = {
        RETENTION: _of_retention,
        ACTIVITY: _of_activity,
        TIMES: _of_times,
        LIFECYCLE: _of_lifecycle,
        LEVELS: _of_levels,
        FUNNEL: _of_funnel,
    }[question.view](question, payload)
    if len(lines) < 2 or question.view == LIFECYCLE:
        return own
    everybody = [] if question.compare else [("", gettext("all groups"))]
    options = (*everybody, *((line.key, line.name) for line in lines))
    return (Pick(GROUP, gettext("Group"), options, options[0][0]), *own)


def _of_retention(question: Question, payload: Payload) -> tuple[Pick, ...]:
    columns = [(column_key(column), column_name(column)) for column in payload["columns"]]
    chosen = next((column_key(column) for column in payload["columns"] if column[3]), columns[-1][0])
    weeks = [(row["week"], f"{day_text(row['week'])} ({count(row['users'])})") for row in payload["weeks"]]
    label = gettext("Month of signup") if question.by == "month" else gettext("Week of signup")
    kinds = ((STAYED, gettext("retained")), (LEFT, gettext("not retained")))
    return (
        Pick(AT, label, (("", gettext("all")), *weeks), ""),
        Pick(COLUMN, gettext("Days since signup"), tuple(columns), chosen),
        Pick(KIND, gettext("Who"), kinds, STAYED),
    )


def _of_activity(question: Question, payload: Payload) -> tuple[Pick, ...]:
    label = {"day": gettext("Date"), "week": gettext("Week"), "month": gettext("Month")}[question.by]
    rows = payload["everybody"]
    options = tuple((row["at"], f"{day_text(row['at'])} ({count(row['users'])})") for row in reversed(rows))
    return (Pick(AT, label, options, options[0][0]),)


def _of_times(question: Question, payload: Payload) -> tuple[Pick, ...]:
    most = max([question.times, *(row[1] for row in payload["everybody"])])
    options = tuple((str(n), times_words(n)) for n in range(1, min(most, max(MOST_TIMES, question.times)) + 1))
    kinds = ((LEAST, gettext("at least so often")), (FEWER, gettext("less often")))
    return (Pick(COLUMN, gettext("Times"), options, str(question.times)), Pick(KIND, gettext("Who"), kinds, LEAST))


def _of_lifecycle(_question: Question, payload: Payload) -> tuple[Pick, ...]:
    weeks = sorted({row["week"] for row in payload["rows"]}, reverse=True)
    options = tuple((week, week_words(day_text(week))) for week in weeks)
    kinds = tuple((kind, kind_name(kind)) for kind in ("new", "current", "returning", "dormant"))
    return (Pick(AT, gettext("Week"), options, options[0][0]), Pick(KIND, gettext("Who"), kinds, "dormant"))


def _of_levels(_question: Question, payload: Payload) -> tuple[Pick, ...]:
    if not payload["periods"]:
        return ()
    options = tuple((first, period_name(payload, first)) for first in reversed(payload["periods"]))
    kinds = tuple((kind, text) for kind, text in moves().items())
    return (Pick(AT, gettext("Period"), options, options[0][0]), Pick(KIND, gettext("Who"), kinds, FELL))


def _of_funnel(question: Question, _payload: Payload) -> tuple[Pick, ...]:
    steps = [behaviour_name(step) for step in question.parsed_steps]
    options = tuple((str(k), f"{k + 1}. {step}") for k, step in enumerate(steps))
    kinds = ((REACHED, gettext("took it")), (STOPPED, gettext("stopped after it")))
    return (Pick(COLUMN, gettext("Step"), options, options[-1][0]), Pick(KIND, gettext("Who"), kinds, REACHED))


# ── Who they are ──────────────────────────────────────────────────────────────
def find(question: Question, point: Mapping[str, str]) -> Found:
    """The users behind a point.

    Args:
        question: a valid question, which has an answer.
        point: a value of each of `picks`.

    Raises:
        Refused: the question or this list would tell the arms of a locked experiment apart, or can't be answered.
    """
    stop = Stop()
    with prepared(day_mode=question.day_mode, stop=stop, progress=silent) as session:
        answering.refuse_marks(question)
        asked = answering.asked_of(session, question)
        asked = _in_group(asked, point.get(GROUP, ""))
        if not asked.sizes:
            return Found((), 0, None)
        with _CHOOSE[question.view](asked, point) as (chosen, last_day, pool):
            ids = session.ids_of(chosen)
            of = int(session.rows(pool.aggregate(users=pool.count()))[0]["users"])
    roots = roots_of(ids)
    ids = sorted({roots.get(unit, unit) for unit in ids})
    refuse_arm_marks({"": (Among(gettext("these users"), lambda: iter(ids)),)}, day_mode=question.day_mode)
    formed = groups.formed_until(question)
    if formed is None or last_day is None:
        return Found(tuple(ids), of, None)
    return Found(tuple(ids), of, max(formed, last_day))


def _in_group(asked: Asked, key: str) -> Asked:
    group = next((one for one in asked.groups if one.key == key), None)
    if not key or group is None:
        return asked
    people = asked.people.filter(asked.people.segment.isin(group.parts))
    sizes = [row for row in asked.sizes if row["segment"] in group.parts]
    return Asked(asked.session, asked.question, people, sizes, [group])


# Their numbers, the last day that decided, and the table of all from whom they were chosen.
type Chosen = tuple[Any, int | None, Any]


@contextmanager
def _retained(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    definition, windows, acts = answering.windows_of(asked)
    places = [place for place, window in enumerate(windows) if column_key([window.first, window.last]) == point[COLUMN]]
    if not places:
        raise Refused("There are no such days in this answer.")
    window = windows[places[0]]
    people = queries.in_columns(asked.people, definition, windows, acts, asked.question.by)
    people = people.filter(people.complete_days >= window.needs)
    if point[AT]:
        import ibis

        people = people.filter(people.week == ibis.literal(day(point[AT])))
    stayed = people[f"_r{places[0]}"]
    chosen = people.filter(stayed if point[KIND] == STAYED else ~stayed)
    yield chosen.select("user_id"), None if isinstance(definition, Survival) else window.last, people


@contextmanager
def _active(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    places = [place for place in answering.places_of(asked, asked.question.by)[0] if place[0] == day(point[AT])]
    acts = queries.placed(answering.acts_of(asked), asked.session.basis, places, asked.question.days)
    yield acts.filter(acts.place == 0).select("user_id").distinct(), None, asked.people


@contextmanager
def _often(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    _judged, needs = answering.judged_after(asked.question)
    people = queries.with_times(asked.people, answering.acts_of(asked), days=asked.question.days, needs=needs)
    least = people.n >= int(point[COLUMN])
    yield people.filter(least if point[KIND] == LEAST else ~least).select("user_id"), asked.question.days - 1, people


@contextmanager
def _in_week(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    kinds = queries.kinds_in(asked.people, asked.session.monday, day(point[AT]))
    yield asked.people.filter(kinds[point[KIND]]).select("user_id"), None, asked.people


@contextmanager
def _at_level(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    levels = asked.question.chosen_levels
    people = queries.at_levels(asked.people, asked.session.monday, day(point[AT]), levels)
    high = queries.LEVEL_CODES.index(HIGH)
    compared = people.before <= high  # users who were new then had no level yet
    kinds = {
        FELL: (people.before == high) & (people.now < high),
        DOWN: compared & (people.now < people.before),
        UP: compared & (people.now > people.before),
        **{level: people.now == queries.LEVEL_CODES.index(level) for level in LEVELS_SHOWN},
    }
    yield people.filter(kinds[point[KIND]]).select("user_id"), None, asked.people


@contextmanager
def _at_step(asked: Asked, point: Mapping[str, str]) -> Iterator[Chosen]:
    step, last = int(point[COLUMN]), len(asked.question.steps) - 1
    with answering.taken_steps(asked) as table:
        users = table.filter(table[f"at_{step}"].notnull())
        if point[KIND] == STOPPED and step < last:
            users = users.filter(users[f"at_{step + 1}"].isnull())
        yield users.select("user_id"), asked.question.days - 1, table


_CHOOSE: dict[str, Callable[[Asked, Mapping[str, str]], Any]] = {
    RETENTION: _retained,
    ACTIVITY: _active,
    TIMES: _often,
    LIFECYCLE: _in_week,
    LEVELS: _at_level,
    FUNNEL: _at_step,
}
