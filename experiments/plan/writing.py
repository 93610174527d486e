"""Common steps of every change to a stored plan: lock the row, store history, make every process reload it."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from experiments.models import ConfigVersion, Experiment
from experiments.plan.event_sources import check_sources
from runs.refusals import Refused


def locked(key: str) -> Experiment:
    """The row of an experiment, locked until the end of the transaction.

    Raises:
        Refused: there is no such experiment.
    """
    experiment = Experiment.objects.select_for_update().filter(key=key).first()
    if experiment is None:
        raise Refused("There is no experiment '{key}'.", key=key)
    return experiment


def save_plan(experiment: Experiment, by: User | None, why: str) -> None:
    """Save all fields of a draft.

    Raises:
        Refused: for a field that can't hold its value.
    """
    experiment._history_user = by  # type: ignore[attr-defined]
    experiment._change_reason = why[:100]  # type: ignore[attr-defined]
    experiment.sources = check_sources(experiment.sources)
    try:
        experiment.full_clean()
    except ValidationError as error:
        sentences = " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        raise Refused(sentences) from None
    experiment.save()


def save_fields(experiment: Experiment, by: User | None, why: str, fields: list[str]) -> None:
    """Save some fields of a started experiment as its next version, and make the APIs reload it."""
    experiment.version += 1
    experiment._history_user = by  # type: ignore[attr-defined]
    experiment._change_reason = why[:100]  # type: ignore[attr-defined]
    experiment.save(update_fields=[*fields, "version"])
    ConfigVersion.touch()
