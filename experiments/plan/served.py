"""Read a stored plan, and the rows that it needs, as a flag for the evaluation APIs."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch

from experiments.draw.evaluation import Flag
from experiments.models import Experiment, Override
from experiments.plan import derived
from experiments.plan.derived import Serving
from experiments.plan.stored import plan_of


def flag_of(experiment: Experiment) -> Flag:
    """A stored experiment as the flag that is served."""
    arms = tuple(variant.pk for variant in experiment.variants.all())
    overrides = list(experiment.overrides.all())
    serving = Serving(
        pk=experiment.pk,
        arms=arms,
        version=experiment.version,
        state=experiment.status,
        started=experiment.started_at,
        enrolment_open=experiment.enrolment_closed_at is None,
        overrides={one.unit: arms.index(one.variant_id) for one in overrides if one.unit is not None},
        forced=tuple((one.rule, arms.index(one.variant_id)) for one in overrides if one.rule is not None),
    )
    return derived.flag(plan_of(experiment), serving)


def with_parts(keys: Iterable[str] | None = None) -> Any:
    """Experiments with all rows that `flag_of` reads, in few queries."""
    rows = (
        Experiment.objects.select_related("layer", "holdout", "moment", "rollout")
        .defer("moment__evidence")
        .prefetch_related("variants", "audience", Prefetch("overrides", Override.objects.order_by("id")))
    )
    return rows if keys is None else rows.filter(key__in=keys)
