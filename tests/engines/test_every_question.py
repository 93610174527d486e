"""Every question of the queries modules: none forgotten, compiled for every engine, the same cells on Spark."""

from types import SimpleNamespace

import ibis
import ibis.expr.types as ir
import pytest
from django.test import override_settings
from ibis.common.exceptions import OperationNotDefinedError

from events import warehouse
from events.counting.unit_values import Basis
from events.user_numbers.naming import text_of
from events.windows import Clock, DayMode
from tests.engines import questions
from tests.engines.conftest import World
from tests.engines.same import assert_same_cells
from tests.events.test_queries import DIALECTS

CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "America/New_York")]
END = questions.SINCE.replace(month=4)
FEW = "u0000200"  # the users before this one
LOG = ibis.table(warehouse.COLUMNS, name="events")


def test_list__of_questions__forgets_none() -> None:
    listed = set(questions.asked(LOG, Basis(Clock(), END)))

    assert questions.functions() - listed == questions.ON_NUMBERS_ONLY


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_questions__every_engine__compile(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ibis fills this option only where PySpark is installed, but its compiler asks for it.
    spark = SimpleNamespace(pyspark=SimpleNamespace(treat_nan_as_null=False))
    monkeypatch.setattr("ibis.backends.sql.compilers.pyspark.options", spark)
    asked = questions.asked(LOG, Basis(CLOCKS[1], END, dialect=dialect))
    for name, question in asked.items():
        if dialect == "trino" and name in questions.WITH_A_HASH:
            with pytest.raises(OperationNotDefinedError, match="Hash"):
                ibis.to_sql(question, dialect=dialect)
            continue
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect)), name


def by_id(house: warehouse.Warehouse) -> ir.Table:
    """The events with the users' ids, as other engines have them; `test_same_answers` asks by number."""
    return house.events.mutate(user_id=text_of(house.events))


@pytest.mark.engines
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.usefixtures("db")
def test_questions__on_spark__give_the_cells_of_duckdb(world: World, spark_address: str, clock: Clock) -> None:
    with world.stored(str(world.folder / "store")), warehouse.connect() as house:
        few = by_id(house).filter(ibis._.user_id < FEW)
        asked = questions.asked(few, Basis(clock, END, dialect=house.dialect))
        right = {name: house.run(question) for name, question in asked.items()}

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"), warehouse.connect() as house:
        few = by_id(house).filter(ibis._.user_id < FEW)
        found = questions.asked(few, Basis(clock, END, dialect=house.dialect))
        assert house.dialect == "pyspark"
        assert found.keys() == right.keys()
        for name, question in found.items():
            assert_same_cells(house.run(question), right[name], name)
    # Nobody claims an arm or speaks of one in this world: these two are compared as empty tables.
    assert [name for name, frame in right.items() if not len(frame)] == ["gather.heard", "gather.claims"]
