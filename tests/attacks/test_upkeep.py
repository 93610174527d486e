"""S16: one damaged file of the store ends neither the retention in the database nor the removal of other files."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from events.models import MessageId, Rejected
from events.outbox import flush
from events.store import event_table, ownership
from events.tasks import maintain_store
from tests.attacks.doors import event, key_of, send
from tests.events.conftest import file_uris

pytestmark = pytest.mark.django_db


@pytest.fixture
def _full_store(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    key = key_of("server")
    for number in range(3):
        send(key, {"batch": [event(messageId=str(number))]})
        flush.flush_events()
    old = timezone.now() - timedelta(days=60)
    MessageId.objects.create(key=uuid4(), received_at=old)
    Rejected.objects.create(received_at=old, code="bad_text", message="m", payload="{}")


def old_rows() -> int:
    before = timezone.now() - timedelta(days=50)
    return sum(model.objects.filter(received_at__lt=before).count() for model in (MessageId, Rejected))


@pytest.mark.usefixtures("_full_store")
def test_upkeep__with_a_damaged_file__fails_loudly_and_does_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(file_uris()[0]).write_bytes(b"PAR1 damaged")
    vacuumed: list[int] = []
    real = event_table.vacuum

    def vacuum(**options: Any) -> int:
        vacuumed.append(real(**options))
        return vacuumed[-1]

    monkeypatch.setattr(event_table, "vacuum", vacuum)

    with pytest.raises(Exception, match=r"(?i)parquet|file"):
        maintain_store()

    assert (old_rows(), vacuumed) == (0, [0])


@pytest.mark.usefixtures("_full_store")
def test_upkeep__with_a_damaged_log__fails_loudly_and_keeps_the_database_small() -> None:
    last = max((Path(event_table.url()) / "_delta_log").glob("*.json"))
    last.write_bytes(last.read_bytes()[:50])

    with pytest.raises(ownership.StoreRefused):
        maintain_store()

    assert old_rows() == 0  # both rows stayed before
