"""Earlier users counted in a store, the model that a start keeps, and the size that it saves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Source
from events.outbox.accept import add_to_outbox
from events.schema import EventRecord
from experiments.models import Experiment, Prediction
from experiments.plan import amend, size
from experiments.plan.cupac import earlier_users, worth_of
from experiments.plan.record import Explained
from experiments.plan.stored import analysed_of, plan_of
from experiments.serve import config
from runs.refusals import Refused
from stats.results import computable
from tests.experiments.make import do, draft

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAYS, DAILY = 110, 30
STAY = {"ios": 8, "android": 4, "web": 1}  # of ten users of the platform come back on day 3
NEW: dict[str, Any] = {
    "primary_metrics": ["window:3-4"],
    "primary": "lin_predicted",
    "covariates": ["platform"],
    "enrolment": "new_units",
}


@pytest.fixture
def world(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    Source.objects.get_or_create(name="app")
    rows = []
    for n in range(DAYS * DAILY):
        unit, signup = f"u{n}", START + timedelta(days=n // DAILY, minutes=n % DAILY)
        platform = tuple(STAY)[n % 3]
        rows.append((unit, "signup", signup, f'{{"platform": "{platform}"}}'))
        if n // 3 % 10 < STAY[platform]:
            rows.append((unit, "play", signup + timedelta(days=3, hours=1), "{}"))
    rows.append(("u0", "play", START + timedelta(days=DAYS + 5), "{}"))
    add_to_outbox(
        [
            EventRecord(user_id=unit, event=event, time=time, properties=said, message_id=f"m{at}")
            for at, (unit, event, time, said) in enumerate(rows)
        ],
        prefix="t",
        received_at=timezone.now(),
    )


def r_squared() -> float:
    """Variance between the platforms over the whole variance."""
    shares = [stay / 10 for stay in STAY.values()]
    mean = sum(shares) / 3
    return sum((share - mean) ** 2 for share in shares) / 3 / (mean * (1 - mean))


@pytest.mark.slow
def test_earlier_users__are_those_of_twelve_weeks_whose_outcome_is_known() -> None:
    found = earlier_users(plan_of(draft(**NEW)))

    assert found.n.sum() == 84 * DAILY
    assert found.n[found.newest == 1].sum() == 21 * DAILY
    kept = {label: mean for (label,), mean, new in zip(found.labels, found.means, found.newest, strict=True) if new}
    assert kept == pytest.approx({name: stay / 10 for name, stay in STAY.items()}, abs=0.02)


@pytest.mark.slow
def test_start__keeps_the_model_of_earlier_users_where_no_door_reads_it() -> None:
    draft(**NEW)

    row = do("exp", "start")

    found = analysed_of(row).prediction
    assert found is not None
    assert row.started_at is not None
    assert Prediction.objects.get(experiment=row).made_at.date() == row.started_at.date()
    assert found.explained.r_squared == pytest.approx(r_squared(), abs=0.02)
    assert found.score(("platform",), [("ios",), ("web",)]) == pytest.approx([0.8, 0.1], abs=0.03)
    with CaptureQueriesContext(connection) as asked:
        config.current()
    assert asked
    assert not any("prediction" in one["sql"] for one in asked)


@pytest.mark.slow
def test_start__with_too_few_earlier_users__is_refused_and_changes_nothing() -> None:
    row = draft(**{**NEW, "primary_metrics": ["window:100-101"]})

    with pytest.raises(Refused, match="can't be predicted from what earlier users did"):
        do("exp", "start")

    row.refresh_from_db()
    assert row.status == Experiment.Status.DRAFT
    assert not Prediction.objects.exists()


@pytest.mark.slow
def test_amendment__to_what_no_model_predicts__is_refused() -> None:
    draft(**NEW)
    do("exp", "start")

    with pytest.raises(Refused, match="No model was fitted before the start"):
        amend.amend(key="exp", why="another one", covariates=["country"])


def test_amendment__to_a_prediction_after_the_start__is_refused() -> None:
    draft(**{**NEW, "primary": "lin"})
    do("exp", "start")

    with pytest.raises(Refused, match="No model was fitted before the start"):
        amend.amend(key="exp", why="sharper", primary="lin_predicted")


@pytest.mark.slow
def test_size__of_an_adjusted_plan__needs_fewer_units_and_says_how_many() -> None:
    row = draft(**{**NEW, "smallest_effect": 0.05, "planned_units": None})
    adjusted = size.suggest_size(row, signup_event="signup")
    row.primary = "unadjusted"
    plain = size.suggest_size(row, signup_event="signup")

    worth = adjusted.inflow.explained
    assert isinstance(worth, Explained)
    assert computable(adjusted.planned_units)
    assert computable(plain.planned_units)
    assert adjusted.planned_units / plain.planned_units == pytest.approx(1 - worth.r_squared, abs=0.002)
    assert adjusted.units_saved == plain.planned_units - adjusted.planned_units
    assert isinstance(adjusted.days_saved, int)
    assert adjusted.days_saved > 0
    assert (plain.inflow.explained, plain.units_saved, plain.days_saved) == (None, None, None)


def test_worth__of_days_before__is_known_for_users_who_were_there() -> None:
    plan = plan_of(draft(primary_metrics=["window:3-4"], primary="lin", active_days_before=14))

    found = worth_of(plan)

    assert isinstance(found, Explained)
    assert found.r_squared < 0.1  # most of them begin in these weeks, with no day before
