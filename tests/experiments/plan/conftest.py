"""A log with events for the planner."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from events.models import Source
from events.outbox.accept import add_to_outbox
from events.schema import EventRecord

START = datetime(2026, 9, 1, 12, tzinfo=UTC)
DAYS = 60  # of signups, ten a day; every second unit comes back on day 3, every fifth adds two friends


@pytest.fixture
def world(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    Source.objects.get_or_create(name="app")
    rows = []
    for n in range(DAYS * 10):
        unit, signup = f"u{n}", START + timedelta(days=n // 10, minutes=n % 10)
        rows.append((unit, "signup", signup))
        if n % 2 == 0:
            rows.append((unit, "play", signup + timedelta(days=3, hours=1)))
        if n % 5 == 0:
            rows += [(unit, "add", signup + timedelta(hours=1)), (unit, "add", signup + timedelta(hours=2))]
    # A late event keeps the data open past the last signup's outcome.
    rows.append(("u0", "play", START + timedelta(days=DAYS + 5)))
    records = [
        EventRecord(user_id=unit, event=event, time=time, properties=_said(unit, event), message_id=f"m{at}")
        for at, (unit, event, time) in enumerate(rows)
    ]
    add_to_outbox(records, prefix="t", received_at=timezone.now())


def _said(unit: str, event: str) -> str:
    """Signups name a class: five units each, all even or all odd, so that its units do alike; unit 3's names none."""
    n = int(unit[1:])
    return json.dumps({"class": f"c{n % 2}-{n // 10}"}) if event == "signup" and n != 599 else "{}"
