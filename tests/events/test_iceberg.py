"""Iceberg tables on disk, written by PyIceberg: what is read, which files, at which snapshot, and what is refused."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.transforms import DayTransform
from pyiceberg.types import StringType
from pytest_django import Settings

from events.warehouse import engine, iceberg
from events.warehouse.columns import bounded
from runs.refusals import Refused

FIRST = datetime(2026, 3, 1, 5, tzinfo=UTC)
DAYS = 6


def rows(day: int) -> pa.Table:
    """Events of one date: everybody plays twice."""
    times = [FIRST + timedelta(days=day, hours=hour) for hour in (0, 0, 9, 9)]
    return pa.table(
        {
            "uid": ["a", "b", "a", "b"],
            "name": ["play"] * 4,
            "ts": pa.array(times, pa.timestamp("us", tz="UTC")),
        }
    )  # fmt: skip


@pytest.fixture
def hits(settings: Settings, tmp_path: Path) -> Any:
    """A table parted by day, a file a date, that the settings name."""
    place = {"type": "sql", "uri": f"sqlite:///{tmp_path / 'catalog.db'}", "warehouse": f"file://{tmp_path / 'lake'}"}
    catalog = load_catalog("lake", **place)
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.hits", schema=rows(0).schema)
    with table.update_spec() as spec:
        spec.add_field("ts", DayTransform(), "day")
    for day in range(DAYS):
        table.append(rows(day))
    settings.WAREHOUSE_URL = "iceberg://lake?" + "&".join(f"{name}={value}" for name, value in place.items())
    settings.WAREHOUSE_TABLE, settings.WAREHOUSE_COLUMNS = "shop.hits", "user_id=uid,event=name,time=ts"
    return table


def test_table__parted_by_day__is_the_log(hits: Any) -> None:
    with engine.connect(memory="500MB") as house:
        frame = house.run(house.events).sort_values(["time", "user_id"])

    assert house.tables is not None
    assert house.tables.of == {"shop.hits": str(hits.metadata.current_snapshot_id)}
    assert len(frame) == 4 * DAYS
    first = frame.iloc[0]
    assert (first.user_id, first.event, first.time.isoformat()) == ("a", "play", "2026-03-01T05:00:00")


def test_bounds__of_two_dates__open_their_files_alone(hits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A part has as many dates as files: 6 parts, 3 of two dates, and 2 of three. Dates 2 and 3, of which the latter
    # lie on both sides of the border of 2 parts.
    since, until = FIRST + timedelta(days=2), FIRST + timedelta(days=3, hours=12)
    for parts, files in ((iceberg.MEMBERS, 2), (3, 2), (2, 6)):
        monkeypatch.setattr(iceberg, "MEMBERS", parts)
        with engine.connect() as house:
            some = bounded(house.events, since, until)
            assert len(house.run(some)) == 8
            plan = house.backend.raw_sql(f"EXPLAIN ANALYZE {house.backend.compile(some)}").fetchall()[0][1]
            assert sum(map(int, re.findall(r"Total Files Read: (\d+)", plan))) == files, parts


def test_table__renamed_and_grown_since__has_its_old_rows(hits: Any, settings: Settings) -> None:
    with hits.update_schema() as change:
        change.rename_column("uid", "player")
        change.add_column("props", StringType())
    settings.WAREHOUSE_COLUMNS = "user_id=player,event=name,time=ts,properties=props"

    with engine.connect() as house:
        frame = house.run(house.events)

    assert len(frame) == 4 * DAYS
    assert set(frame.user_id) == {"a", "b"}
    assert frame.properties.isna().all()


def test_snapshot__of_before__is_read_again_and_an_expired_one_is_refused(hits: Any, settings: Settings) -> None:
    with engine.connect() as house:
        before = house.tables
    hits.append(rows(DAYS))

    with engine.connect(at=before) as house:
        then = len(house.run(house.events))
    with engine.connect() as house:
        now = len(house.run(house.events))

    assert (then, now) == (4 * DAYS, 4 * DAYS + 4)
    for gone in ({"shop.hits": "17"}, {}):
        with pytest.raises(iceberg.SnapshotGone), engine.connect(at=iceberg.TableSnapshots(gone)):
            pass
    settings.WAREHOUSE_URL = ""
    with pytest.raises(iceberg.SnapshotGone), engine.connect(at=before):
        pass


def test_table__without_any_snapshot__is_an_empty_log(hits: Any, settings: Settings) -> None:
    hits.catalog.create_table("shop.empty", schema=rows(0).schema)
    settings.WAREHOUSE_TABLE = "shop.empty"

    with engine.connect() as house:
        assert house.run(house.events).empty
        assert house.tables == iceberg.TableSnapshots({"shop.empty": ""})


def test_table__whose_files_alone_say_something_else__is_refused(hits: Any, settings: Settings) -> None:
    task = next(iter(hits.scan().plan_files()))
    task.delete_files.add(task.file)
    with pytest.raises(Refused, match=r"shop.hits has deletes"):
        iceberg._refuse_what_cant_be_read("shop.hits", hits, [task])
    with hits.transaction() as change:
        change.set_properties({iceberg.NAME_MAPPING: "[]"})
    with pytest.raises(Refused, match=r"shop.hits has files that were written without Iceberg"), engine.connect():
        pass
    settings.WAREHOUSE_TABLE = "shop.nowhere"
    with pytest.raises(Refused, match=r"there is no table shop.nowhere"), engine.connect():
        pass
    settings.WAREHOUSE_URL = "iceberg://lake?type=nosuch"
    with pytest.raises(Refused, match="WAREHOUSE_URL"), engine.connect():
        pass
