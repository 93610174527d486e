"""Funnels and SQL metrics on a dozen rows that one can count on fingers, and against a slow and obvious computation."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.metrics import Funnel, parse_behaviour, parse_metric
from events.warehouse import queries
from events.windows import Clock, Window
from tests.events.expressions.hostile import TAIL
from tests.events.test_queries import SCHEMA, Rows, at, basis

NOON = at(1, 12)  # everybody signs up then


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def did(user: str, event: str, hours: float, properties: str = "{}") -> tuple[str, str, datetime, str]:
    return (user, event, NOON + timedelta(hours=hours), properties)


ROWS: Rows = [
    did("ada", "signup", 0),
    did("ada", "open", 1),
    did("ada", "buy", 2, '{"price": 5, "mode": "card"}'),
    did("ada", "buy", 30, '{"price": "7.5"}'),
    did("ben", "signup", 0),
    did("ben", "buy", 1, '{"price": 3, "mode": "cash"}'),  # before he opened: not in order
    did("ben", "open", 2),
    did("cy", "signup", 0),
    did("cy", "open", 3),
    did("cy", "buy", 3, '{"price": "much"}'),  # the same moment: no order
    did("cy", "buy", 24 * 7, '{"price": 100}'),  # day 7, outside of days 0 to 6
    did("dee", "signup", 0),
    did("dee", "Experiment Viewed", 1, '{"price": 1}'),
    ("young", "signup", at(18, 20), "{}"),  # day 6 isn't over
    ("young", "buy", at(18, 21), '{"price": 1}'),
]
SQL = "sql:0-6:SELECT user_id, {} AS value FROM events WHERE event = 'buy' GROUP BY user_id"


@pytest.mark.parametrize(
    ("text", "ada", "ben", "cy", "dee"),
    [
        ("funnel:open:buy:0-6", 1, 0, 0, 0),
        ("funnel:buy:open:0-6", 0, 1, 0, 0),
        ("funnel:signup:open:0-6", 1, 1, 1, 0),
        ("funnel:signup:open:buy:0-6", 1, 0, 0, 0),
        ("funnel:open:buy:0-7", 1, 0, 1, 0),
        ("funnel:open:buy:buy:0-6", 1, 0, 0, 0),
        ("funnel:buy:buy:buy:0-6", 0, 0, 0, 0),
        ("funnel:open:buy[mode=cash]:0-6", 0, 0, 0, 0),
        ("funnel:open:buy:1-6", 0, 0, 0, 0),  # on day 1 she only bought
        (SQL.format("sum(number('price'))"), 12.5, 3, 0, 0),
        (SQL.format("count(*)"), 2, 1, 1, 0),
        (SQL.format("count(property('mode'))"), 1, 1, 0, 0),
        (SQL.format("max(day)"), 1, 0, 0, 0),
        (SQL.format("min(seconds) / 3600"), 2, 1, 3, 0),
        (SQL.format("count(*) / count(property('mode'))"), 2, 1, 0, 0),  # of nothing: no number, so 0
        (SQL.format("first_day + last_day"), 6, 6, 6, 0),
        (f"sql:0-7:SELECT user_id, coalesce(sum(number('price')), -1){TAIL}", 12.5, 3, 100, -1),  # dee signed up
        ("sql:1-6:SELECT user_id, count(*) AS value FROM events GROUP BY user_id", 1, 0, 0, 0),
        ("capped:7:" + SQL.format("sum(number('price'))"), 7, 3, 0, 0),
        (SQL.format("1e20 * 1e20"), 0, 0, 0, 0),  # beyond all amounts
        ("capped:7:sum:buy:price:0-6", 7, 3, 0, 0),
    ],
)
def test_outcomes__dozen_rows__are_what_fingers_count(
    engine: Any, text: str, ada: float, ben: float, cy: float, dee: float
) -> None:
    frame = pd.DataFrame([(u, e, t.replace(tzinfo=None), p) for u, e, t, p in ROWS], columns=list(SCHEMA))
    events = engine.create_table(
        "log", frame.astype({"time": "datetime64[us]"}), schema=ibis.schema(SCHEMA), temp=True, overwrite=True
    )
    b = basis(Clock())
    users = queries.cohort(events, "signup", b)

    definition: Any = parse_metric(text)
    found = engine.to_pandas(queries.outcomes(events, users, b, {"v": definition})).set_index("user_id").v

    assert found[["ada", "ben", "cy", "dee"]].tolist() == [ada, ben, cy, dee]
    assert pd.isna(found["young"])


acts = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from("abx")), max_size=14)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts, st.lists(st.sampled_from("abx"), min_size=2, max_size=4))
def test_funnel__any_log__equals_the_slow_search(
    engine: Any, log: list[tuple[str, int, str]], steps: list[str]
) -> None:
    rows = [(user, "signup", NOON, "{}") for user in "abc"]
    rows += [(user, event, NOON + timedelta(hours=5 * hours), "{}") for user, hours, event in log]
    frame = pd.DataFrame([(u, e, t.replace(tzinfo=None), p) for u, e, t, p in rows], columns=list(SCHEMA))
    events = engine.create_table(
        "log", frame.astype({"time": "datetime64[us]"}), schema=ibis.schema(SCHEMA), temp=True, overwrite=True
    )
    b = basis(Clock())
    funnel = Funnel(tuple(map(parse_behaviour, steps)), Window(0, 0))
    users = queries.cohort(events, "signup", b)

    found = engine.to_pandas(queries.outcomes(events, users, b, {"v": funnel})).set_index("user_id").v

    def through(mine: list[tuple[int, str]], left: list[str], after: int) -> bool:
        """Every way through the steps, tried one by one."""
        return not left or any(e == left[0] and h > after and through(mine, left[1:], h) for h, e in mine)

    for user in "abc":
        mine = [(hours, event) for who, hours, event in log if who == user and 5 * hours < 24]
        assert found[user] == float(through(mine, steps, -1))
