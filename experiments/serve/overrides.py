"""Overrides: give a tester an arm regardless of the draw."""

from typing import Any

from django.db import transaction

from experiments.models import Experiment, Override, Variant
from experiments.plan.stored import locked, save_fields
from experiments.serve.assign import unit_problem
from runs.refusals import Refused

MAX_OVERRIDES = 1_000  # every process caches them


def set_override(*, key: str, variant: str, unit: str | None = None, rule: Any = None) -> Override:
    """Give an arm to one unit, or to callers whose context matches a rule. It exposes no unit.

    Raises:
        Refused: for an unknown variant, neither or both of unit and rule, or too many overrides.
    """
    with transaction.atomic():
        experiment = locked(key)
        arm = Variant.objects.filter(experiment=experiment, key=variant).first()
        if arm is None:
            raise Refused("There is no group '{key}'.", key=variant)
        if (unit is None) == (rule is None):
            raise Refused("An override needs a user or a rule.")
        if unit is not None and (problem := unit_problem(unit)):
            worded = str(problem)
            raise Refused(f"{worded[0].upper()}{worded[1:]}.")
        if Override.objects.filter(experiment=experiment).count() >= MAX_OVERRIDES:
            raise Refused("An experiment may have at most {most} overrides.", most=MAX_OVERRIDES)
        if unit is None:
            row = Override.objects.create(experiment=experiment, rule=rule, variant=arm)
        else:
            row, _new = Override.objects.update_or_create(experiment=experiment, unit=unit, defaults={"variant": arm})
        save_fields(experiment, None, "override", [])
    return row


def remove_override(*, override: Override) -> None:
    """Remove an override, so that the draw decides again."""
    with transaction.atomic():
        experiment = Experiment.objects.select_for_update().get(pk=override.experiment_id)
        override.delete()
        save_fields(experiment, None, "override", [])
