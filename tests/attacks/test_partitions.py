"""S7: events of very many days make neither very many files nor a slow flush."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from django.utils import timezone

from events.models import OutboxEvent, Rejected
from events.outbox import flush
from events.store import event_table
from events.store.snapshot import CONFIGURATION
from tests.attacks.doors import event, key_of, send
from tests.events.conftest import file_uris, stored_ids

pytestmark = pytest.mark.django_db
DAYS = 2_000  # the review's 20,000 took 93 s


def one_a_day(days: int) -> list[dict[str, Any]]:
    now = timezone.now()
    return [event(messageId=f"d{n}", timestamp=(now - timedelta(days=n)).isoformat()) for n in range(days)]


@pytest.fixture(autouse=True)
def _own_store(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import"])
def test_public_key__dates_events_years_back__may_go_back_thirty_days(path: str) -> None:
    answer = send(key_of("client"), {"batch": one_a_day(DAYS)}, path).json()
    flush.flush_events()

    assert (answer["accepted"], {row["code"] for row in answer["rejected"]}) == (30, {"too_old"})
    assert Rejected.objects.filter(code="too_old").count() == 500
    assert len(file_uris()) <= 31  # 2,000 before


def test_server_key__dates_events_years_back__makes_one_file_a_month() -> None:
    answer = send(key_of("server"), {"batch": one_a_day(DAYS)}, "/v1/import").json()
    flush.flush_events()
    files = file_uris()

    assert answer["accepted"] == DAYS
    assert len(files) <= DAYS / 28 + 32  # 2,000 before
    assert len(stored_ids()) == DAYS
    assert not OutboxEvent.objects.exists()


@pytest.mark.slow
def test_late_events__of_many_flushes__are_joined_by_compaction() -> None:
    key, now = key_of("server"), timezone.now()
    for day in range(40, 52):
        send(key, {"batch": [event(messageId=str(day), timestamp=(now - timedelta(days=day)).isoformat())]})
        flush.flush_events()

    event_table.compact()

    assert len(file_uris()) <= 2  # one for each month; 12 before
    assert len(stored_ids()) == 12


def test_older_store__with_a_partition_for_each_day__goes_on() -> None:
    moments = [datetime(2020, 3, day, 12, tzinfo=UTC) for day in (1, 15, 31)]
    columns: dict[str, Any] = {
        "user_id": ["u"] * 3, "event": ["a"] * 3, "time": moments, "properties": ["{}"] * 3,
        "message_id": ["x", "y", "z"], "received_at": [timezone.now()] * 3,
        "event_date": [one.date() for one in moments],
    }  # fmt: skip
    table = pa.table(columns, schema=event_table.SCHEMA)
    write_deltalake(event_table.url(), table, partition_by=[event_table.PARTITION], configuration=CONFIGURATION)

    event_table.append(
        table.drop_columns([event_table.PARTITION]).set_column(
            4, event_table.SCHEMA.field("message_id"), pa.array(["p", "q", "r"])
        ),
        app_id="w",
        version=1,
    )
    before = len(file_uris())
    event_table.compact()

    assert (before, len(file_uris())) == (4, 3)  # the new ones lie with those of the month's first day
    assert stored_ids() == dict.fromkeys("xyzpqr", 1)
