"""Which plans need old events, from when on, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from experiments.models import Analysis, Experiment
from experiments.status.ending import needed_events
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
STARTED = datetime(2026, 10, 10, 8, tzinfo=UTC)


def started(**fields: Any) -> Experiment:
    row = running()
    Experiment.objects.filter(pk=row.pk).update(started_at=STARTED, **fields)
    return row


@pytest.mark.parametrize(
    ("fields", "since"),
    [
        ({}, "2026-10-09"),
        ({"active_days_before": 28}, "2026-09-11"),
        ({"clock": "signup"}, None),
        ({"covariates": ["platform"]}, None),
        ({"primary": "lin"}, None),
        ({"clock": "signup", "enrolment": "new_units"}, "2026-10-09"),
    ],
)
def test_since__by_plan__is_the_start_or_what_lies_before_it(fields: dict[str, Any], since: str | None) -> None:
    started(**fields)

    (hold,) = needed_events()

    assert (hold.since and hold.since.isoformat()) == since
    assert hold.until == timezone.localdate() + timedelta(days=30 + 20 + 1) or hold.until is not None
    assert hold.url == "/experiments/exp/"


@pytest.mark.parametrize(
    ("status", "final", "holds"),
    [
        ("draft", False, 0), ("running", False, 1), ("paused", False, 1), ("stopped", False, 1),
        ("concluded", False, 1), ("concluded", True, 0), ("archived", False, 0),
    ],
)  # fmt: skip
def test_holds__by_state__until_it_is_judged_finally(status: str, final: bool, holds: int) -> None:
    row = started(status=status)
    Analysis.objects.create(experiment=row, status="done", final=final)

    assert len(list(needed_events())) == holds
