"""One made-up world, a store or a cluster to ask about it, for all tests of this folder."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import ibis
import pytest
from django.test import override_settings

from events.simulation import Simulation, write_files
from events.store import event_table
from events.warehouse import engine
from events.warehouse.columns import COLUMNS
from tests.aha.store import IMPORT, load_file
from tests.conftest import missing
from tests.engines import clickhouse, everything
from tests.events.conftest import file_uris

QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # three short lives on two cores
SPARK = {
    "spark.master": "local-cluster[2,1,1024]",  # two executors, each a process of its own
    "spark.executor.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.locality.wait": "0s",
    "spark.driver.extraJavaOptions": QUICK_JAVA,
    "spark.executor.extraJavaOptions": QUICK_JAVA,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


@dataclass(frozen=True)
class World:
    """A simulated log and where its files lie."""

    made: Simulation
    folder: Path

    @contextmanager
    def stored(self, place: str) -> Iterator[None]:
        """The settings point at a store with the log inside the block."""
        with override_settings(EVENTS_URL=place):
            if not event_table.exists():
                load_file(self.folder / "events.parquet", *IMPORT, "--message-id", "message_id")
            yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = World(everything.world(), tmp_path_factory.mktemp("world"))
    write_files(found.made, found.folder)
    return found


@pytest.fixture(scope="session")
def spark_address(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two processes on this machine, with the world's log as its table `world`."""
    if importlib.util.find_spec("pyspark") is None:
        missing("pyspark, which `make engines` installs,")
    if not shutil.which("java"):
        missing("Java 17")
    place = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        # As a person starts us: nothing of Spark's is set, but where Java and the workers' scratch lie.
        for name in [name for name in os.environ if name.startswith(("PYSPARK_", "SPARK_"))]:
            patch.delenv(name)
        patch.setenv("SPARK_WORKER_DIR", str(place / "work"))
        patch.setenv("SPARK_LOCAL_DIRS", str(place / "scratch"))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("TZ", "Asia/Seoul")  # the machine's zone must not matter
        address = f"pyspark://{place}/tables?{urlencode(SPARK)}"
        session = engine.spark_connect(address)._session
        with world.stored(str(world.folder / "store")):
            session.read.parquet(*file_uris()).createOrReplaceTempView("world")
        yield address
        session.stop()


@pytest.fixture(scope="session")
def clickhouse_address(world: World) -> Iterator[str]:
    """The address of a ClickHouse on this machine, with the world's log as its table `world`."""
    for package in ("chdb", "clickhouse_connect"):
        if importlib.util.find_spec(package) is None:
            missing(f"{package}, which `make engines` installs,")
    with clickhouse.server() as address:
        with world.stored(str(world.folder / "store")):
            parts = [f"SELECT {', '.join(COLUMNS)} FROM file('{path}', 'Parquet')" for path in file_uris()]
        backend = ibis.connect(address)
        columns = (
            "user_id String, event LowCardinality(String), time DateTime64(6, 'UTC'), properties Nullable(String), "
        )
        columns += "message_id Nullable(String), received_at Nullable(DateTime64(6, 'UTC'))"
        backend.raw_sql(f"CREATE TABLE world ({columns}) ENGINE = MergeTree ORDER BY (event, time)")
        backend.raw_sql(f"INSERT INTO world {' UNION ALL '.join(parts)}")
        backend.disconnect()
        yield address
