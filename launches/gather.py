"""Ask the warehouse for the daily curve of a launch: of those who could meet it, and of those who couldn't."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from aha.explore.groups import values_of_trait
from events.metrics import Count, parse_behaviour, parse_metric
from events.warehouse.arm_marks import Among, Condition, Did, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession, span_of
from events.windows import Window
from launches import queries
from launches.answers import DAY, Answers, Curve
from launches.judge import OUTCOME, UNMOVED, Daily, Gap, Gathered
from launches.queries import GROUP, TOOK_PART
from runs import site_zone
from runs.progress import Progress
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_BLOCKS = 60  # dates of the past: beyond them the error rate is known to two points
SETTLES = 28  # days at a log's beginning on which whoever comes seems new, without an event that says so


def gather(store: WarehouseSession, answers: Answers, progress: Progress) -> Gathered:
    """The daily curves of a launch, from as far back as its error rate needs to the last day after.

    Args:
        store: the open warehouse.
        answers: as registered.
        progress: called with the share done.

    Raises:
        Refused: the days after aren't over, the log lacks an event or a value, or a condition would tell the arms of
            a locked experiment apart.
    """
    days, end = answers.days, site_zone.site_date(store.basis.data_end)
    if end < days.readable_from:
        raise Refused(
            "The days after aren't over: it can be read from {day} on, and the data end on {end}.",
            day=days.readable_from,
            end=end,
        )
    _check_events(store, answers)
    refuse_arm_marks({"": _conditions(answers)}, store=store)
    oldest = site_zone.site_date(span_of(store.warehouse, store.basis.clock).oldest) + DAY  # the first whole day
    if answers.signup_event == "*":
        oldest += SETTLES * DAY
    first = max(oldest, days.earlier(MOST_BLOCKS).first)
    groups = _groups(store, answers)
    progress("curve", 0.1)
    rows = _rows(store, answers, first, days.last, groups)
    progress("curve", 0.7)
    gap = _gap(store, answers, groups)
    of = _active if answers.curve is Curve.ACTIVE_USERS else tuple
    return Gathered(
        {name: of(_daily(rows, name, answers.reached)) for name in _outcomes(answers)},
        {value: of(_daily(rows, OUTCOME, (value,))) for value in answers.spared},
        first,
        gap,
    )


def _check_events(store: WarehouseSession, answers: Answers) -> None:
    if answers.curve is Curve.NEW_USERS:
        store.need_event(answers.signup_event, "--signup-event")
    if answers.curve is Curve.PER_ACTIVE_USER:
        store.need_event(parse_behaviour(answers.outcome).event, "--outcome")


def _conditions(answers: Answers) -> Iterator[Condition]:
    """What would tell users apart, to be held against the outcome lock."""
    if answers.curve is Curve.NEW_USERS:
        yield from of_start(answers.signup_event)
        for line in filter(None, (answers.outcome, answers.unmoved)):
            yield from of_metric(parse_metric(line), answers.signup_event)
    if answers.curve is Curve.PER_ACTIVE_USER:
        yield Did(parse_behaviour(answers.outcome))
    if answers.took_part:
        yield Did(parse_behaviour(answers.took_part))
    for value in (*answers.reached, *answers.spared):
        yield Among(f"{answers.trait} = {value}", _having(answers.trait, value))


def _having(trait: str, value: str) -> Any:
    return lambda: (unit for unit, text in values_of_trait(trait) if text == value)


def _groups(store: WarehouseSession, answers: Answers) -> "ir.Table | None":
    """``user_id, launch_group`` of the users with one of the named values; None where the launch names no trait."""
    if not answers.trait:
        return None
    import ibis
    import pyarrow as pa

    named = {*answers.reached, *answers.spared}
    pairs = [(unit, text) for unit, text in values_of_trait(answers.trait) if text in named]
    if missing := sorted(named - {text for _unit, text in pairs}):
        raise Refused("No user has “{value}” as {trait}.", value=missing[0], trait=answers.trait, at="--reached")
    units, texts = zip(*pairs, strict=True)
    table = pa.table({"user_id": pa.array(units, pa.string()), GROUP: pa.array(texts, pa.string())})
    return store.warehouse.keyed(ibis.memtable(table))


def _outcomes(answers: Answers) -> tuple[str, ...]:
    return (OUTCOME, UNMOVED) if answers.unmoved else (OUTCOME,)


def _rows(
    store: WarehouseSession, answers: Answers, first: date, last: date, groups: "ir.Table | None", *, gap: bool = False
) -> list[dict[str, Any]]:
    start, end = _midnights(first, last)
    if answers.curve is not Curve.NEW_USERS:
        done = parse_behaviour(answers.outcome) if answers.curve is Curve.PER_ACTIVE_USER else None
        question = queries.calendar_days(store.log, store.basis, done, start=start, end=end, groups=groups)
    else:
        about = store.about(first - DAY, last + DAY)
        took_part = None
        if gap:
            took_part = Count(parse_behaviour(answers.took_part), Window(0, answers.length - 2))
        lines = {OUTCOME: answers.outcome, **({UNMOVED: answers.unmoved} if answers.unmoved else {})}
        question = queries.new_users(
            about.log,
            about.cohort(answers.signup_event),
            about.basis,
            {name: parse_metric(line) for name, line in lines.items()},
            start=start,
            end=end,
            groups=groups,
            took_part=took_part,
        )
    rows: list[dict[str, Any]] = store.warehouse.arrow(question).to_pylist()
    return rows


def _midnights(first: date, last: date) -> tuple[datetime, datetime]:
    """The UTC moments between which these dates of the site lie."""
    return site_zone.midnight(first), site_zone.midnight(last + DAY)


def _daily(rows: Iterable[dict[str, Any]], name: str, values: tuple[str, ...]) -> tuple[Daily, ...]:
    """The curve of all users with one of these values; of everybody without any."""
    sums: dict[date, list[float]] = {}
    for row in rows:
        if values and row[GROUP] not in values:
            continue
        known = sums.setdefault(_date(row["day"]), [0.0, 0.0, 0.0])
        for place, number in enumerate(_numbers(row, name)):
            known[place] += number
    return tuple(
        Daily(day, int(n), above / below if below else None) for day, (n, above, below) in sorted(sums.items())
    )


def _active(daily: Iterable[Daily]) -> tuple[Daily, ...]:
    """The curve of how many there are."""
    return tuple(replace(row, value=float(row.n)) for row in daily)


def _numbers(row: dict[str, Any], name: str) -> tuple[float, float, float]:
    """Users, and what is divided by what."""
    users = float(row["users"])
    if "acts" in row:
        return users, float(row["acts"]), users
    return users, float(row[f"{name}_above"] or 0), float(row[f"{name}_below"] or 0)


def _date(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _gap(store: WarehouseSession, answers: Answers, groups: "ir.Table | None") -> Gap | None:
    """Users of the days after who took part, against those who didn't."""
    if not answers.took_part:
        return None
    rows = _rows(store, answers, answers.days.first_after, answers.days.last, groups, gap=True)
    sides = []
    for side in (1, 0):
        mine = [
            row for row in rows if row[TOOK_PART] == side and (not answers.reached or row[GROUP] in answers.reached)
        ]
        n, above, below = (
            (sum(column) for column in zip(*(_numbers(row, OUTCOME) for row in mine), strict=True))
            if mine
            else (0, 0, 0)
        )
        sides.append((int(n), above / below if below else None))
    return Gap(*sides[0], *sides[1])
