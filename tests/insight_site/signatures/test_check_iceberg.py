"""A final analysis of Iceberg tables is computed again from the snapshot that it read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pytest_django import Settings

from events.warehouse import engine
from events.warehouse.columns import COLUMNS, text_of
from experiments.models import Analysis
from insight_site.exports.check_final import EXPIRED, MismatchKind, State, sentences
from tests.insight_site.signatures.test_check_final import check, document_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def lake(site: Path, settings: Settings) -> Any:
    """The site's events as an Iceberg table, which the settings name in the place of its store."""
    with engine.connect() as house:
        log = house.events.mutate(user_id=text_of(house.events)).select(*COLUMNS)
        rows = house.arrow(log.mutate(time=log.time.cast("timestamp('UTC')")))
    place = {"type": "sql", "uri": f"sqlite:///{site / 'catalog.db'}", "warehouse": f"file://{site / 'lake'}"}
    catalog = load_catalog("lake", **place)
    catalog.create_namespace("shop")
    rows = pa.table({name: rows[name].cast(_micro(rows[name].type)) for name in COLUMNS})
    table = catalog.create_table("shop.events", schema=rows.schema)
    table.append(rows)
    settings.WAREHOUSE_URL = "iceberg://lake?" + "&".join(f"{name}={value}" for name, value in place.items())
    settings.WAREHOUSE_TABLE, settings.WAREHOUSE_COLUMNS = "shop.events", ""
    return table


def _micro(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind


def test_final__of_an_iceberg_table__is_equal_at_its_snapshot_until_that_expires(
    lake: Any, final: Callable[..., Analysis]
) -> None:
    row = final()
    snapshot = lake.metadata.current_snapshot_id
    signed = document_of(row)["signed"]["data"]
    lake.append(lake.scan(limit=50).to_arrow())  # doubled rows would change the numbers

    found = check(row)

    assert (signed["store_version"], signed["snapshots"]) == (None, {"shop.events": str(snapshot)})
    assert signed["units"] > 0
    assert (found.state, found.findings) == (State.EQUAL, ())

    rewritten = lake.scan(snapshot_id=snapshot).to_arrow().slice(1)
    lake.overwrite(rewritten)
    lake.maintenance.expire_snapshots().by_id(snapshot).commit()
    gone = check(row)
    assert (gone.state, gone.reason) == (State.GONE, EXPIRED)
    assert "has expired" in sentences(gone)[0]


def test_final__of_a_warehouse_without_versions__says_what_it_cant_prove(
    lake: Any, final: Callable[..., Analysis], settings: Settings, site: Path
) -> None:
    import duckdb

    rows = lake.scan().to_arrow()
    with duckdb.connect(str(site / "plain.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE events AS SELECT * FROM rows")
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = f"duckdb://{site / 'plain.duckdb'}", "events"
    assert len(rows)

    found = check(final())

    assert found.state is State.OUTSIDE
    assert "can't be proved" in sentences(found)[0]
    assert MismatchKind.NUMBER not in {one.kind for one in found.findings}
