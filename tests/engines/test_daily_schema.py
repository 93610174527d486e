"""Daily tables in a ClickHouse: the cohorts and event names of the log, by the tables and after late events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pandas as pd
import pytest

from events.warehouse import daily_schema, engine
from events.warehouse.daily_tables import event_names, forget_in_warehouse, refresh
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis
from events.windows import Clock
from runs.site_zone import choose_site_zone

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
FIRST, NOW = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
FORMAT = "%Y-%m-%d %H:%M:%S"


def _answers(*, by_log: bool) -> dict[str, pd.DataFrame]:
    with engine.connect() as warehouse:
        house = replace(warehouse, daily="" if by_log else warehouse.daily)
        whole = WarehouseSession(house, Basis(Clock(), NOW, None, house.dialect), 0)
        if not by_log:
            assert event_names(house) is not None
        found = {"names": whole.run(whole.event_names().order_by("event"))}
        for first, last in ((None, None), (FIRST.date() + timedelta(days=4), FIRST.date() + timedelta(days=6))):
            for anchor in ("signup", "*"):
                table = whole.about(first, last).cohort(anchor)
                found[f"{anchor} {first}"] = whole.units(table.order_by("user_id"))
    return found


def _same(right: dict[str, pd.DataFrame]) -> None:
    for name, frame in _answers(by_log=False).items():
        pd.testing.assert_frame_equal(frame, right[name], check_dtype=False, obj=name)
        assert len(frame), name


def test_answers__on_clickhouse__are_the_log_s_and_need_no_settled_date_of_it(
    clickhouse_address: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_site_zone("Asia/Seoul")
    monkeypatch.setattr(daily_schema, "LATE_SHARE", 0.1)  # of so few events
    backend = ibis.connect(clickhouse_address)
    backend.raw_sql("CREATE DATABASE ours")
    backend.raw_sql(
        "CREATE TABLE seen (uid String, name String, ts DateTime64(6, 'UTC'), got Nullable(DateTime64(6, 'UTC'))) "
        "ENGINE = MergeTree ORDER BY ts"
    )

    def add(*events: tuple[str, str, datetime, datetime]) -> None:
        rows = ", ".join(
            f"('{u}', '{e}', '{at.strftime(FORMAT)}', '{got.strftime(FORMAT)}')" for u, e, at, got in events
        )
        backend.raw_sql(f"INSERT INTO seen VALUES {rows}")

    times = [(f"u{day}", "signup", FIRST + timedelta(days=day)) for day in range(19)]
    times += [
        (f"u{day}", "play", FIRST + timedelta(days=day, hours=7 * k)) for day in range(19) for k in range(day % 4)
    ]
    add(*((user, event, at, at) for user, event, at in times))
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = clickhouse_address, "default.seen"
    settings.WAREHOUSE_COLUMNS = "user_id=uid,event=name,time=ts,received_at=got"
    settings.WAREHOUSE_DAILY_SCHEMA = "ours"

    assert refresh(now=NOW).days == 17
    _same(_answers(by_log=True))
    add(("u9", "signup", FIRST + timedelta(days=5), NOW), ("new", "chat", FIRST - timedelta(days=9), NOW))
    assert refresh(now=NOW + timedelta(hours=1)).days == 2
    right = _answers(by_log=True)
    _same(right)
    backend.raw_sql("DELETE FROM seen WHERE ts < '2026-03-17 15:00:00'")
    _same(right)

    assert forget_in_warehouse(["u9"])
    for name in (daily_schema.DAYS, daily_schema.FIRSTS):
        table = backend.table(name, database="ours")
        assert not backend.to_pandas(table.filter(table.user_id == "u9").count())
    backend.disconnect()
