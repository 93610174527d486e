"""Store the registered text of a plan at the start, and read it."""

from typing import Any

from experiments.models import Amendment, Experiment, Registration
from experiments.plan.record import FROZEN
from experiments.plan.registration_text import changed_fields, hash_of, record_in, record_of, text_of
from experiments.plan.stored import COLUMNS, plan_of


def register(experiment: Experiment) -> Registration:
    """Store the text of a plan that starts now, from its rows."""
    text = text_of(plan_of(Experiment.objects.get(pk=experiment.pk)))
    return Registration.objects.create(experiment=experiment, text=text, sha256=hash_of(text))


def registration_of(experiment: Experiment) -> Registration | None:
    """The registration at the start; None for a draft, and for an experiment started by an older version."""
    return Registration.objects.filter(experiment=experiment).first()


def preregistration(experiment: Experiment) -> tuple[str, str]:
    """The text and its hash: the registered one, or that of the current plan where nothing was registered."""
    row = registration_of(experiment)
    if row is not None:
        return row.text, row.sha256
    text = text_of(plan_of(experiment))
    return text, hash_of(text)


def changed_since(experiment: Experiment, text: str) -> dict[str, tuple[Any, Any]]:
    """Fields of the plan that differ from the registered text without a logged amendment."""
    found = changed_fields(record_in(text), record_of(plan_of(experiment)))
    amended = {name for changes in _changes(experiment) for name in changes}
    columns = {name: COLUMNS.get(name, name) for name in found}
    rows = any(name.startswith("coverage of ") for name in amended)
    return {
        name: pair
        for name, pair in found.items()
        if columns[name] not in amended - set(FROZEN) and not (name == "audience" and rows)
    }


def _changes(experiment: Experiment) -> list[dict[str, Any]]:
    return list(Amendment.objects.filter(experiment=experiment).values_list("changes", flat=True))
