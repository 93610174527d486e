"""What is set on Spark before its first question, by us."""

import os
import sys
from datetime import date

import pytest
from django.test import override_settings

from events.warehouse import engine


def test_conf__of_an_address__has_ours_and_its_own_and_always_utc() -> None:
    with override_settings(SPARK_DRIVER_MEMORY="3g"):
        found = engine.conf(
            "pyspark:///lake/tables?spark.master=spark://host:7077&spark.sql.session.timeZone=Asia/Seoul"
        )

    assert found["spark.master"] == "spark://host:7077"
    assert found["spark.sql.warehouse.dir"] == "/lake/tables"
    assert found["spark.driver.memory"] == "3g"
    assert found["spark.sql.session.timeZone"] == "UTC"
    assert engine.conf("pyspark://?spark.driver.memory=9g")["spark.driver.memory"] == "9g"
    assert "spark.sql.warehouse.dir" not in engine.conf("pyspark://")


@pytest.mark.engines
@pytest.mark.django_db
def test_session__as_a_person_starts_it__is_ours(spark_address: str) -> None:
    import ibis

    with override_settings(WAREHOUSE_URL=spark_address, WAREHOUSE_TABLE="world"):
        with engine.connect() as house:
            session = house.backend._session
            executors = session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1  # without the driver
            asked = {name: session.sparkContext.getConf().get(name) for name in engine.OURS}
            listed = ibis.memtable({"name": ["a", "b"], "one_in": [1, 2]})
            with house.kept(listed.mutate(more=listed.one_in + 1)) as kept:
                assert sorted(house.run(kept).more) == [2, 3]
                (name,) = ours = [name for name in house.backend.list_tables() if name.startswith("insight_")]
                assert session.catalog.isCached(name)
            assert not set(ours) & set(house.backend.list_tables())
            weeks = ibis.memtable({"on": [date(2026, 1, 7)]}).mutate(week=lambda table: table.on.truncate("W"))
            with house.kept(weeks) as kept:
                assert house.arrow(kept)["week"].to_pylist() == [date(2026, 1, 5)]  # and no moment
        with engine.connect() as again:
            assert again.backend._session is session  # one for the process

    assert executors == 2
    assert asked == engine.OURS
    assert os.environ["PYSPARK_PYTHON"] == os.environ["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert session.conf.get("spark.sql.session.timeZone") == "UTC"
