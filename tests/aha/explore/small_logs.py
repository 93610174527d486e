"""Little logs in an engine of one test, and the clocks by which they are counted."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import pandas as pd

from events.warehouse import queries as warehouse_queries
from events.warehouse.activity_bits import active_days, date_words, day_words, first_monday, people
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, data_end

SCHEMA = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "America/New_York"), Clock(DayMode.CALENDAR, "Asia/Seoul")]
Rows = list[tuple[str, str, datetime]]


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of March 2024; its 4th is a Monday, and on the 10th New York's clocks are put forward."""
    return datetime(2024, 3, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


def table(engine: Any, rows: Rows) -> Any:
    naive = [(user, event, time.replace(tzinfo=None), "{}") for user, event, time in rows]
    frame = pd.DataFrame(naive, columns=list(SCHEMA)).astype({"time": "datetime64[us]"})
    return engine.create_table("log", frame, schema=ibis.schema(SCHEMA), temp=True, overwrite=True)


def basis_of(rows: Rows, clock: Clock) -> Basis:
    return Basis(clock, data_end(max(time for *_, time in rows), clock))


def monday_of(rows: Rows, clock: Clock) -> date:
    dates = [clock.local_date(time) for *_, time in rows]
    return first_monday(max(dates), min(dates))


def people_of(engine: Any, rows: Rows, clock: Clock, signup: str = "signup") -> Any:
    """The table of people, computed and kept."""
    dates = [clock.local_date(time) for *_, time in rows]
    first, last = min(dates), max(dates)
    monday = first_monday(last, first)
    words = {"words": day_words((last - first).days + 1), "weeks_words": date_words(monday, last)}
    log, basis = table(engine, rows), basis_of(rows, clock)
    times = [time.replace(tzinfo=None) for *_, time in rows]
    active = active_days(log, clock.time_zone, oldest=min(times), newest=max(times))
    question = people(warehouse_queries.cohort(log, signup, basis), active, basis, monday=monday, **words)
    made = engine.create_table("people", question, temp=True, overwrite=True)
    return made.mutate(segment=ibis.literal(""))


def acts_of(engine: Any, event: str) -> Any:
    log = engine.table("log")
    return log.filter(log.event == event).select("user_id", "time", value=ibis.null("string"))


def records(engine: Any, question: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.to_pyarrow(question).to_pylist()
    return found


def random_rows(seed: int, *, users: int = 60, days: int = 40, events: Sequence[str] = ("play", "shop")) -> Rows:
    """People of all ages whose events lie on any minute, some before signup and many near midnight."""
    draw = random.Random(seed)
    rows: Rows = []
    for number in range(users):
        name = f"u{number}"
        start = at(1) + timedelta(minutes=draw.randrange(days * 1440))
        rows += [(name, "signup", start)] * draw.choice([1, 1, 2])
        for _ in range(draw.randrange(25)):
            ahead = min(draw.expovariate(1 / 6), days) - 0.3
            moment = start + timedelta(minutes=round(ahead * 1440))
            if draw.random() < 0.2:
                moment = moment.replace(hour=0, minute=0)
            rows.append((name, draw.choice([*events, "Experiment Viewed"]), moment))
    return [row for row in rows if at(1) <= row[2] < at(1 + days)]
