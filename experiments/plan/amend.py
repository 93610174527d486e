"""Amend the plan of a started experiment: logged, with a reason, and only as far as its locks allow."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from experiments.models import Amendment, Analysis, AudienceRow, Experiment
from experiments.plan import validation
from experiments.plan.caps import LISTS, refuse_open_caps
from experiments.plan.catalogue_metrics import keep_choices, take_over
from experiments.plan.lifecycle import LIVE, Status
from experiments.plan.record import AMENDABLE, JUDGING, WHOLE
from experiments.plan.stored import check_sources, locked, plan_of, save_fields, situation_of
from runs.refusals import Refused


def amend(*, key: str, why: str, by: User | None = None, **changes: Any) -> Amendment:
    """Change the plan of a started experiment; the change is logged and shown on the report.

    Raises:
        Refused: a field is frozen, the reason is missing, or the changed plan couldn't be started.
    """
    frozen = sorted(set(changes) - set(AMENDABLE))
    if frozen:
        raise Refused("{field} can't be amended: it is frozen from the start on.", field=frozen[0])
    if "sources" in changes:  # normalised as stored, so that the log shows the stored value
        changes["sources"] = check_sources(changes["sources"])
    with transaction.atomic():
        experiment = _started(key, why)
        taken = take_over(changes, experiment)
        changes = taken.fields
        before = {name: getattr(experiment, name) for name in changes}
        _refuse_after_reading(experiment, [name for name, value in changes.items() if value != before[name]])
        for name, value in changes.items():
            setattr(experiment, name, value)
        refuse_open_caps(text for name in LISTS for text in getattr(experiment, name))
        problems = validation.problems(plan_of(experiment), situation_of(experiment))
        # A planned end that has passed in the meantime isn't this amendment's fault.
        problems = tuple(
            problem for problem in problems if problem.code != "no_planned_end" or "planned_end" in changes
        )
        if problems:
            sentences = " ".join(validation.words(problem) for problem in problems)
            raise Refused(sentences)
        save_fields(experiment, by, why, list(changes))
        keep_choices(experiment, taken.versions)
        return _log(experiment, by, why, {name: [before[name], changes[name]] for name in changes})


def raise_coverage(*, key: str, position: int, coverage: int, why: str, by: User | None = None) -> Amendment:
    """Enrol more units of one row of the audience. Units that are in keep their arm.

    Args:
        key: of the experiment.
        position: of the row.
        coverage: in steps of 0.01 %.
        why: for the log.
        by: the account that changes it.

    Raises:
        Refused: the new coverage isn't larger: units that are in would drop out.
    """
    with transaction.atomic():
        experiment = _started(key, why)
        row = AudienceRow.objects.filter(experiment=experiment, position=position).first()
        if row is None:
            raise Refused("The audience has no row {row}.", row=position)
        if not row.coverage < coverage <= WHOLE:
            raise Refused("Coverage can only grow: from {now} up to 100%.", now=f"{row.coverage / 100:g} %")
        before, row.coverage = row.coverage, coverage
        row.save(update_fields=["coverage"])
        save_fields(experiment, by, why, [])
        return _log(experiment, by, why, {f"coverage of {row}": [before, coverage]})


def _refuse_after_reading(experiment: Experiment, changed: Sequence[str]) -> None:
    """Refuse changes to what decides the verdict once an outcome was read: the change could follow the result.

    Source: docs/methods/comparison.md, "Spending bounds".
    """
    judging = sorted(set(changed) & set(JUDGING))
    if judging and Analysis.objects.filter(experiment=experiment, status="done").exclude(verdict="").exists():
        raise Refused(
            "The outcome has been read, so {field} can't be changed any more: it decides how the outcome is judged.",
            field=judging[0],
        )


def _started(key: str, why: str) -> Experiment:
    if not why.strip():
        raise Refused("An amendment needs a reason.")
    experiment = locked(key)
    if experiment.status not in (*LIVE, Status.STOPPED):
        raise Refused("Only a started experiment that is not closed can be amended.")
    return experiment


def _log(experiment: Experiment, by: User | None, why: str, changes: dict[str, list[Any]]) -> Amendment:
    plain = {name: [_plain(value) for value in pair] for name, pair in changes.items()}
    return Amendment.objects.create(experiment=experiment, at=timezone.now(), by=by, why=why, changes=plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
