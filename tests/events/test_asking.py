"""The open warehouse of one analysis."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from events import warehouse
from events.asking import Questions
from events.counting.unit_values import Basis
from events.warehouse import Warehouse
from events.windows import Clock
from runs.refusals import Refused


def test_need_event__several_names__the_log_is_read_once(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE hits AS SELECT unnest([1, 2]) AS user_id, unnest(['play', 'buy']) AS event, "
            "TIMESTAMPTZ '2024-03-01 19:00:00+00' AS time"
        )
    settings.WAREHOUSE_URL = f"duckdb://{tmp_path / 'other.duckdb'}"
    settings.WAREHOUSE_TABLE = "hits"
    run, read = Warehouse.run, []

    def counted(self: Warehouse, question: Any) -> Any:
        read.append(question)
        return run(self, question)

    monkeypatch.setattr(Warehouse, "run", counted)
    with warehouse.connect() as house:
        asked = Questions(house, Basis(Clock(), datetime(2024, 4, 1, tzinfo=UTC), None, house.dialect), 2)
        for name in ("play", "buy", "*"):
            asked.need_event(name)
        with pytest.raises(Refused, match=r"no event 'sell'"):
            asked.need_event("sell")

    assert len(read) == 1
