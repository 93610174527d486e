"""Users by level of activity, period by period, and how they move between levels. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from aha.explore.question import Question
from aha.explore.report_parts import Cell, Payload, Ratio, Shown, day, series_of, share_of_users, top_of, who
from events.metrics.levels import HIGH, LEVELS, LOW, MID
from events.metrics.sentences import level_name
from reporting.charts import BLUE, GREEN, GREY, PURPLE, YELLOW, date_ticks, reading
from reporting.numbers import count, day_text, level_text
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext, week_words

NONE, NEW = "none", "new"
FELL, DOWN, UP = "fell", "down", "up"
LEVELS_SHOWN = (HIGH, MID, LOW, NONE)
FROM = (*LEVELS_SHOWN, NEW)
COLOURS = {HIGH: BLUE, MID: PURPLE, LOW: YELLOW, NEW: GREEN, NONE: GREY}


def state_name(state: str) -> str:
    """A level, or what a user without one is."""
    return {NONE: gettext("not active"), NEW: gettext("new")}.get(state) or level_name(state)


def moves() -> dict[str, str]:
    """The lists of users that a period offers."""
    names = {level: gettext("at level {level}").format(level=level_name(level)) for level in LEVELS}
    return {
        FELL: gettext("fell from the high level"),
        DOWN: gettext("moved down"),
        UP: gettext("moved up"),
        **dict(reversed(names.items())),
        NONE: gettext("not active"),
    }


def period_name(payload: Payload, first: str) -> str:
    """A period: a week by its Monday, a longer one by its first and last date."""
    days = payload["levels"]["days"]
    if days == 7:
        return week_words(day_text(first))
    last = day(first) + timedelta(days=days - 1)
    return f"{day_text(first)} – {day_text(last)}"


def shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    levels, periods = payload["levels"], payload["periods"]
    note = gettext(
        "Levels of {model}, version {number}, by active days in {days}: low up to {low}, middle up to {mid}, high "
        "more. In the period of their signup users are new; then they are compared with the period before."
    ).format(**{**levels, "days": days_words(levels["days"])})
    flows = {first: _flows(payload, first) for first in periods}
    tables = () if not periods else (_moves_table(payload, periods[-1], flows[periods[-1]]), _table(payload, flows))
    return Shown(
        finding=_finding(payload, flows),
        notes=(note, *who(question, payload)),
        sheets=(_chart(payload, flows),) if periods else (),
        tables=tables,
        names=("period", "segment", "before", "now", "users"),
        rows=tuple(_file_rows(payload)),
        opened=1,
    )


type Flows = Counter[tuple[str, str]]


def _flows(payload: Payload, first: str) -> Flows:
    """Users by level before and now, of all segments."""
    flows: Flows = Counter()
    for row in payload["rows"]:
        if row["week"] == first:
            flows[row["before"], row["now"]] += row["users"]
    return flows


def _at(flows: Flows, now: str) -> int:
    return sum(users for (_before, after), users in flows.items() if after == now)


def _was(flows: Flows, before: str) -> int:
    return sum(users for (earlier, now), users in flows.items() if earlier == before and now != NEW)


def _finding(payload: Payload, flows: dict[str, Flows]) -> str:
    if not flows:
        return gettext("No period is complete yet.")
    first, last = next(reversed(flows.items()))
    text = gettext(
        "{period}: {high} users at the high level, {mid} at the middle, {low} at the low. Of the middle ones before, "
        "{rose} moved up; of the high ones, {fell} fell."
    )
    fell = Ratio(_was(last, HIGH) - last[HIGH, HIGH], _was(last, HIGH))
    rose = Ratio(last[MID, HIGH], _was(last, MID))
    sizes = {level: count(_at(last, level)) for level in LEVELS}
    return text.format(period=period_name(payload, first), rose=rose, fell=fell, **sizes)


def _chart(payload: Payload, flows: dict[str, Flows]) -> Sheet:
    stacked = (HIGH, MID, LOW, NEW)
    high = top_of([sum(_at(one, state) for state in stacked) for one in flows.values()])
    sheet = Sheet("levels", gettext("Users by level"), (-0.6, len(flows) - 0.4), (0.0, high))
    sheet.count_axis(gettext("users"))
    firsts = [day(first) for first in flows]
    sheet.x_axis(gettext("first day of the period"), date_ticks(firsts))
    for place, (first, one) in enumerate(flows.items()):
        base = 0.0
        for state in stacked:
            users = _at(one, state)
            title = f"{period_name(payload, first)}, {state_name(state)}: {count(users)}"
            with sheet.named(state_name(state)):
                sheet.bar((place - 0.38, place + 0.38), (base, base + users), COLOURS[state], title)
            base += users
    sheet.legend([(state_name(state), COLOURS[state]) for state in reversed(stacked)])
    said = [(place, _said(payload, first, one)) for place, (first, one) in enumerate(flows.items())]
    days = timedelta(days=payload["levels"]["days"] - 1)
    sheet.readings(said, [f"at={first}" for first in flows], [(first, first + days) for first in firsts])
    return sheet


def _said(payload: Payload, first: str, flows: Flows) -> str:
    rows = [(state_name(state), count(_at(flows, state))) for state in (NEW, *LEVELS_SHOWN)]
    return reading(period_name(payload, first), rows)


def _moves_table(payload: Payload, first: str, flows: Flows) -> Table:
    """Of the newest period: where the users of each level went."""
    rows: list[Row] = []
    for before in FROM:
        whole = _was(flows, before)
        ratios = [Ratio(flows[before, now], whole) for now in LEVELS_SHOWN]
        cells = [share_of_users(one) if one.is_tiny else str(one) for one in ratios] if whole else ["–"] * len(ratios)
        rows.append((state_name(before), count(whole), *cells))
    columns = (
        gettext("level before"),
        gettext("users"),
        *(gettext("now {level}").format(level=state_name(now)) for now in LEVELS_SHOWN),
    )
    title = gettext("Where the users of each level went, {period}").format(period=period_name(payload, first))
    return Table(
        title,
        columns,
        tuple(rows),
        gettext("Shares of the users in the row, with intervals of {level}.").format(level=level_text(0.95)),
    )


def _table(payload: Payload, flows: dict[str, Flows]) -> Table:
    """Users and moves of each period."""
    rows: list[Row] = []
    for first, one in reversed(flows.items()):
        sizes = [count(_at(one, state)) for state in (NEW, *LEVELS_SHOWN)]
        up, down = _moved(one)
        rows.append((period_name(payload, first), *sizes, count(up), count(down)))
    states = (state_name(state) for state in (NEW, *LEVELS_SHOWN))
    columns = (gettext("period"), *states, gettext("moved up"), gettext("moved down"))
    return Table(gettext("Users by level in numbers"), columns, tuple(rows))


def _moved(flows: Flows) -> tuple[int, int]:
    """How many users are at a higher level than before, and at a lower one; new ones had none before."""
    order = LEVELS_SHOWN[::-1]
    known = [
        (order.index(now) - order.index(before), n) for (before, now), n in flows.items() if NEW not in (before, now)
    ]
    return sum(n for step, n in known if step > 0), sum(n for step, n in known if step < 0)


def _file_rows(payload: Payload) -> Sequence[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    return [
        (row["week"], names.get(row["segment"], row["segment"]), row["before"], row["now"], row["users"])
        for row in payload["rows"]
    ]
