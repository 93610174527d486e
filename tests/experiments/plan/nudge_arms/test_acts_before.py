"""What users do without a nudge, counted on fingers: by number of acts, for everyone and by segment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from events.models import Source
from events.outbox.accept import add_to_outbox
from events.schema import EventRecord
from experiments.plan.baseline_frequency import Subject, baseline_acts
from runs.refusals import Refused

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 12, tzinfo=UTC)
DAYS = 60
SUBJECT = Subject("add", 2, 2, "window:3-4", "signup")


@pytest.fixture
def world(settings: Any, tmp_path: Path) -> None:
    """Ten signups a day: unit n adds n % 4 friends on the first day; those with two or more come back on day 3."""
    settings.EVENTS_URL = str(tmp_path / "store")
    Source.objects.get_or_create(name="app")
    rows = []
    for n in range(DAYS * 10):
        unit, signup = f"u{n}", START + timedelta(days=n // 10, minutes=n % 10)
        rows.append((unit, "signup", signup))
        rows += [(unit, "add", signup + timedelta(hours=1 + act)) for act in range(n % 4)]
        if n % 4 >= 2:
            rows.append((unit, "play", signup + timedelta(days=3, hours=1)))
    rows.append(("u0", "play", START + timedelta(days=DAYS + 5)))
    records = [
        EventRecord(user_id=unit, event=event, time=time, properties="{}", message_id=f"m{at}")
        for at, (unit, event, time) in enumerate(rows)
    ]
    add_to_outbox(records, prefix="t", received_at=timezone.now())


@pytest.mark.usefixtures("world")
def test_acts__of_everyone__have_their_shares_and_their_outcome() -> None:
    found = baseline_acts(SUBJECT)[""]

    assert (found.units, found.per_day, found.last_day, found.sd) == (280, 10.0, 4, None)
    assert found.acts.times == (0, 1, 2, 3)
    assert found.acts.shares == pytest.approx((0.25, 0.25, 0.25, 0.25))
    assert found.acts.means == (0.0, 0.0, 1.0, 1.0)
    assert found.acts.variances == (0.0, 0.0, 0.0, 0.0)
    assert (found.base, found.reach(2), found.reach(3)) == pytest.approx((0.5, 0.5, 0.25))


@pytest.mark.usefixtures("world")
def test_acts__by_segment__are_those_of_its_units() -> None:
    members = {f"u{n}": "keen" for n in range(DAYS * 10) if n % 4 == 3}

    found = baseline_acts(SUBJECT, members)

    assert set(found) == {"", "keen"}
    assert (found[""].units, found["keen"].units) == (280, 70)
    assert found["keen"].acts.times == (3,)
    assert (found["keen"].base, found["keen"].per_day) == (1.0, 2.5)


@pytest.mark.usefixtures("world")
def test_acts__of_a_mean_per_unit__have_its_standard_deviation() -> None:
    found = baseline_acts(Subject("add", 2, 2, "count:add:0-1", "signup"))[""]
    assert found.base == pytest.approx(1.5, abs=0.02)
    assert found.sd == pytest.approx(1.25**0.5, abs=0.02)


@pytest.mark.usefixtures("world")
def test_acts__unknown_behaviour__is_refused_by_name() -> None:
    with pytest.raises(Refused, match="no event 'nothing'"):
        baseline_acts(Subject("nothing", 2, 2, "window:3-4", "signup"))
