"""A simulated world as a stored experiment: its log in a store, its arms as exposures, its plan as a row."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from aha.models import AhaMoment
from events.simulation import EXPERIMENT_KEY, Simulation
from experiments.models import Assignment, Experiment, Variant
from tests.experiments.make import do, draft

MOMENT = {
    "key": "friends",
    "name": "3 friends within 7 days",
    "behaviour": "friend_add",
    "times": 3,
    "days": 7,
    "signup_event": "signup",
    "retention": "window:21-27",
}


def stored_experiment(world: Simulation, *, moment: bool = True, stopped: bool = True, **fields: Any) -> Experiment:
    """The world's experiment, started before its first user signed up; stopped today unless said."""
    arms = world.world.arms
    share = 10_000 // len(arms)
    weights = [10_000 - share * (len(arms) - 1), *[share] * (len(arms) - 1)]
    given: dict[str, Any] = {
        "variants": [
            {"key": arm, "value": arm, "weight": weight, "role": "placebo" if arm == "placebo" else "nudge"}
            for arm, weight in zip(arms, weights, strict=True)
        ],
        "primary_metrics": ["window:21-27"],
        "smallest_effect": 0.05,
        "planned_units": world.units,
        "covariates": ["platform", "channel", "country"],
        "expected_take_up": 0.3,
        "moment": AhaMoment.objects.create(**MOMENT) if moment else None,
        **fields,
    }
    draft(EXPERIMENT_KEY, **given)
    experiment = do(EXPERIMENT_KEY, "start")
    signups = world.people.signup
    first = datetime.fromtimestamp(int(signups.min()) / 1e6, UTC) - timedelta(days=1)
    last = datetime.fromtimestamp(int(signups.max()) / 1e6, UTC) + timedelta(days=1)
    backdate(experiment, first)
    if stopped:
        do(EXPERIMENT_KEY, "stop")
        Experiment.objects.filter(pk=experiment.pk).update(stopped_at=last)
    return Experiment.objects.get(pk=experiment.pk)


def backdate(experiment: Experiment, moment: datetime) -> None:
    """Let it have started then, in the row and in its history."""
    Experiment.objects.filter(pk=experiment.pk).update(started_at=moment)
    experiment.history.filter(started_at__isnull=False).update(started_at=moment, history_date=moment)


def assign(experiment: Experiment, units: list[str], arm: str) -> None:
    """Stored assignments past the draw."""
    variant = Variant.objects.get(experiment=experiment, key=arm)
    now = timezone.now()
    Assignment.objects.bulk_create(
        Assignment(unit=unit, experiment=experiment, variant=variant, bucket=0, assigned_at=now) for unit in units
    )
