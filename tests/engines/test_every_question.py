"""Every question of the queries modules: none forgotten, compiled for every engine, the same cells on Spark."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest
from django.test import override_settings
from ibis.common.exceptions import OperationNotDefinedError

from events.catalogue import queries as catalogue
from events.warehouse import columns, engine
from events.warehouse.columns import PART_DATE, PART_DAY, PART_TIME, text_of
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode
from tests.engines import questions
from tests.engines.conftest import World
from tests.engines.same import assert_same_cells
from tests.events.test_queries import DIALECTS
from tests.marks import first_in_ci

CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "America/New_York")]
END = questions.SINCE.replace(month=4)
FEW = "u0000200"  # the users before this one
RUN_HERE = ("duckdb", "pyspark")  # asked every question below
OFTEN = ("bigquery",)  # compiled by `.ci/run` too; the others by `make test`
LOG = ibis.table(columns.COLUMNS, name="events")


@pytest.mark.slow
def test_list__of_questions__forgets_none() -> None:
    listed = set(questions.asked(LOG, Basis(Clock(), END)))

    assert questions.functions() - listed == questions.ON_NUMBERS_ONLY | questions.NOT_BY_THEMSELVES


@pytest.mark.slow
@pytest.mark.parametrize(
    "dialect",
    [
        name if name in OFTEN else pytest.param(name, marks=pytest.mark.proof)
        for name in DIALECTS
        if name not in RUN_HERE
    ],
)
def test_questions__every_engine_that_is_not_here__compile(dialect: str) -> None:
    asked = questions.asked(LOG, Basis(CLOCKS[1], END, dialect=dialect))
    for name, question in asked.items():
        if dialect == "trino" and name in questions.WITH_A_HASH:
            with pytest.raises(OperationNotDefinedError, match="Hash"):
                ibis.to_sql(question, dialect=dialect)
            continue
        # Laid out for reading, it takes three times as long.
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect, pretty=False)), name


@contextmanager
def few_users(clock: Clock, *, select: bool = True) -> Iterator[tuple[engine.Warehouse, dict[str, ir.Table]]]:
    """An open warehouse, and every question about a few users by their ids; `test_same_answers` asks by number.

    Tables of units are kept where an analysis keeps them: Spark plans each question from the log on for seconds.
    """
    with engine.connect() as house, ExitStack() as stack:
        parts = [name for name in (PART_TIME, PART_DATE, PART_DAY) if name in house.events.columns]
        events = house.events.mutate(user_id=text_of(house.events)).select(*columns.COLUMNS, *parts)
        log = stack.enter_context(house.kept(events.filter(events.user_id < FEW)))
        basis = Basis(clock, END, dialect=house.dialect)
        asked = questions.asked(log, basis, lambda table: stack.enter_context(house.kept(table)), select=select)
        # Each engine's log is parted by a column of its own, which no answer needs.
        yield (
            house,
            {name: table.drop(*(part for part in parts if part in table.columns)) for name, table in asked.items()},
        )


@pytest.mark.engines
@pytest.mark.timeout(1800)  # two minutes alone, eleven beside two other stages of .ci/run
# The jobs of test_same_answers ask most of them in rolling days: here `.ci/run` asks every third, in calendar days.
@pytest.mark.parametrize(("clock", "every"), first_in_ci([(CLOCKS[1], 3), (CLOCKS[1], 1), (CLOCKS[0], 1)]), ids=str)
@pytest.mark.usefixtures("db")
def test_questions__on_spark__give_the_cells_of_duckdb(
    world: World, spark_address: str, clock: Clock, every: int
) -> None:
    with world.stored(str(world.folder / "store")), few_users(clock) as (house, asked):
        right = {name: house.run(question) for name, question in asked.items()}

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"), few_users(clock) as (house, asked):
        assert house.dialect == "pyspark"
        assert asked.keys() == right.keys()
        for name in [*asked][::every]:
            assert_same_cells(house.run(asked[name]), right[name], name)
    # No client key claims an arm or speaks of one in this world: these are compared as empty tables.
    nobody = ["gather.heard", "gather.claims", "gather.past", "gather.refused"]
    assert [name for name, frame in right.items() if not len(frame)] == nobody


@pytest.mark.engines
@pytest.mark.usefixtures("db")
def test_properties__texts_that_some_engine_takes_for_numbers__are_the_same_on_spark(spark_address: str) -> None:
    texts = ["7d", "30f", "1.5D", "5. d", "1e3", "-2", ".5", "+5", " 8 ", "inf", "0x10", "", "true", "{}", None]
    rows = {"event": ["a"] * len(texts), "user_id": "u", "property": list("abcdefghijklmno"), "value": texts}
    members = ibis.memtable(pd.DataFrame(rows), schema=dict.fromkeys(rows, "string"))
    asked = {"properties": catalogue.properties(members, 40), "values": catalogue.values(members, 10)}
    with engine.connect() as house:
        right = {name: house.run(question) for name, question in asked.items()}

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"), engine.connect() as house:
        found = {name: house.run(question) for name, question in asked.items()}

    numbers = right["properties"].set_index("property").numbers
    assert [numbers[name] for name in "abcd"] == [0, 0, 0, 0]
    for name, frame in found.items():
        assert_same_cells(frame, right[name], name)
