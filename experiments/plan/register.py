"""Take the registered text at the start, and find it again."""

from typing import Any

from experiments.models import Amendment, Experiment, Registration
from experiments.plan.record import FROZEN
from experiments.plan.registration_text import changed_fields, hash_of, record_in, record_of, text_of
from experiments.plan.stored import COLUMNS, plan_of


def register(experiment: Experiment) -> Registration:
    """Keep the text of a plan that starts now, as its rows are."""
    text = text_of(plan_of(Experiment.objects.get(pk=experiment.pk)))
    return Registration.objects.create(experiment=experiment, text=text, sha256=hash_of(text))


def registration_of(experiment: Experiment) -> Registration | None:
    """What was registered at its start; None for a draft, and for one that an older version has started."""
    return Registration.objects.filter(experiment=experiment).first()


def preregistration(experiment: Experiment) -> tuple[str, str]:
    """The text and its hash: the registered one, or as the plan is now, where nothing was registered."""
    row = registration_of(experiment)
    if row is not None:
        return row.text, row.sha256
    text = text_of(plan_of(experiment))
    return text, hash_of(text)


def changed_since(experiment: Experiment, text: str) -> dict[str, tuple[Any, Any]]:
    """Fields of the plan that aren't as they were registered, and that no logged amendment has changed."""
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
