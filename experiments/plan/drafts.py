"""Write plans: drafts freely, started experiments only by logged amendments. Every change reaches the doors."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from events.reasons import Refused
from experiments.models import (
    Amendment,
    Analysis,
    AudienceRow,
    Experiment,
    Holdout,
    Override,
    Variant,
)
from experiments.plan import rules
from experiments.plan.lifecycle import LIVE, Status
from experiments.plan.record import AMENDABLE, JUDGING, WHOLE
from experiments.plan.stored import plan_of, situation_of
from experiments.services import config
from experiments.services.admission import check_sources
from experiments.services.assign import unit_problem

MAX_OVERRIDES = 1_000  # they are kept in every process


def create_draft(
    *,
    key: str,
    variants: Sequence[Mapping[str, Any]],
    audience: Sequence[Mapping[str, Any]] = (),
    by: User | None = None,
    **fields: Any,
) -> Experiment:
    """Make a draft, with the active holdout unless `holdout` is given.

    Args:
        key: of the experiment; also of its flag unless `flag_key` is given.
        variants: fields of `Variant` in order, the control first; `position` is added, weights are in steps of 0.01 %.
        audience: fields of `AudienceRow` in order; none means everyone.
        by: who makes it.
        fields: of `Experiment`.

    Raises:
        Refused: for a field that can't hold its value, or a key that exists.
    """
    if "holdout" not in fields:
        fields["holdout"] = Holdout.objects.filter(active=True).first()
    experiment = Experiment(**{"key": key, "flag_key": key, "name": key, "created_by": by, **fields})
    with transaction.atomic():
        _save(experiment, by, "created")
        _replace(experiment, variants, audience)
    return experiment


def update_draft(
    *,
    key: str,
    variants: Sequence[Mapping[str, Any]] | None = None,
    audience: Sequence[Mapping[str, Any]] | None = None,
    by: User | None = None,
    **fields: Any,
) -> Experiment:
    """Change a draft; None leaves variants or audience as they are.

    Raises:
        Refused: when it isn't a draft, or a field can't hold its value.
    """
    with transaction.atomic():
        experiment = locked(key)
        if experiment.status != Status.DRAFT:
            raise Refused(_("The experiment has started: its plan can only be amended, with a reason."))
        for name, value in fields.items():
            setattr(experiment, name, value)
        experiment.version += 1
        _save(experiment, by, "changed")
        _replace(experiment, variants, audience)
    return experiment


def amend(*, key: str, why: str, by: User | None = None, **changes: Any) -> Amendment:
    """Change the plan of a started experiment; the change is logged and stands on the report.

    Raises:
        Refused: for what is frozen, for a reason left out, and for a plan that could not have been started.
    """
    frozen = sorted(set(changes) - set(AMENDABLE))
    if frozen:
        raise Refused(_("%(field)s can't be amended: it is frozen from the start on.") % {"field": frozen[0]})
    if "sources" in changes:  # as it is stored, so that the log says the same
        changes["sources"] = check_sources(changes["sources"])
    with transaction.atomic():
        experiment = _started(key, why)
        before = {name: getattr(experiment, name) for name in changes}
        _refuse_after_reading(experiment, [name for name, value in changes.items() if value != before[name]])
        for name, value in changes.items():
            setattr(experiment, name, value)
        found = rules.problems(plan_of(experiment), situation_of(experiment))
        # A planned end that has gone by in the meantime is no fault of this amendment.
        found = tuple(one for one in found if one.code != "no_planned_end" or "planned_end" in changes)
        if found:
            raise Refused(" ".join(rules.words(problem, _) for problem in found))
        _bump(experiment, by, why, list(changes))
        return _log(experiment, by, why, {name: [before[name], changes[name]] for name in changes})


def raise_coverage(*, key: str, position: int, coverage: int, why: str, by: User | None = None) -> Amendment:
    """Let more units of one row of the audience in. Nobody who is in is moved.

    Args:
        key: of the experiment.
        position: of the row.
        coverage: in steps of 0.01 %.
        why: for the log.
        by: who asks.

    Raises:
        Refused: when it would not grow: units that are in would fall out.
    """
    with transaction.atomic():
        experiment = _started(key, why)
        row = AudienceRow.objects.filter(experiment=experiment, position=position).first()
        if row is None:
            raise Refused(_("The audience has no row %(row)s.") % {"row": position})
        if not row.coverage < coverage <= WHOLE:
            raise Refused(
                _("Coverage can only grow: from %(now)s %% up to 100 %%.") % {"now": f"{row.coverage / 100:g}"}
            )
        before, row.coverage = row.coverage, coverage
        row.save(update_fields=["coverage"])
        _bump(experiment, by, why, [])
        return _log(experiment, by, why, {f"coverage of {row}": [before, coverage]})


def set_override(*, key: str, variant: str, unit: str | None = None, rule: Any = None) -> Override:
    """Give an arm to one unit, or to callers whose context meets a rule. Nobody is exposed by it.

    Raises:
        Refused: for an unknown variant, neither or both of unit and rule, or too many overrides.
    """
    with transaction.atomic():
        experiment = locked(key)
        arm = Variant.objects.filter(experiment=experiment, key=variant).first()
        if arm is None:
            raise Refused(_("There is no variant '%(key)s'.") % {"key": variant})
        if (unit is None) == (rule is None):
            raise Refused(_("An override needs a unit or a rule."))
        if unit is not None and (problem := unit_problem(unit)):
            raise Refused(f"{problem[0].upper()}{problem[1:]}.")
        if Override.objects.filter(experiment=experiment).count() >= MAX_OVERRIDES:
            raise Refused(_("An experiment may have at most %(count)s overrides.") % {"count": MAX_OVERRIDES})
        if unit is None:
            row = Override.objects.create(experiment=experiment, rule=rule, variant=arm)
        else:
            row, _new = Override.objects.update_or_create(experiment=experiment, unit=unit, defaults={"variant": arm})
        _bump(experiment, None, "override", [])
    return row


def remove_override(*, override: Override) -> None:
    """Let the draw decide again."""
    with transaction.atomic():
        experiment = Experiment.objects.select_for_update().get(pk=override.experiment_id)
        override.delete()
        _bump(experiment, None, "override", [])


def locked(key: str) -> Experiment:
    """The row of an experiment, locked until the end of the transaction.

    Raises:
        Refused: when there is none.
    """
    experiment = Experiment.objects.select_for_update().filter(key=key).first()
    if experiment is None:
        raise Refused(_("There is no experiment '%(key)s'.") % {"key": key})
    return experiment


def _refuse_after_reading(experiment: Experiment, changed: Sequence[str]) -> None:
    """What judges an outcome may not be chosen by who has seen it, nor be tuned between looks (METHODS 4.8)."""
    judging = sorted(set(changed) & set(JUDGING))
    if judging and Analysis.objects.filter(experiment=experiment, status="done").exclude(verdict="").exists():
        text = _(
            "The outcome has been read, so %(field)s can't be changed any more: it decides how the outcome is judged."
        )
        raise Refused(text % {"field": judging[0]})


def _started(key: str, why: str) -> Experiment:
    if not why.strip():
        raise Refused(_("An amendment needs a reason."))
    experiment = locked(key)
    if experiment.status not in (*LIVE, Status.STOPPED):
        raise Refused(_("Only a started experiment that is not concluded can be amended."))
    return experiment


def _save(experiment: Experiment, by: User | None, why: str) -> None:
    experiment._history_user = by  # type: ignore[attr-defined]
    experiment._change_reason = why[:100]  # type: ignore[attr-defined]
    experiment.sources = check_sources(experiment.sources)
    try:
        experiment.full_clean()
    except ValidationError as error:
        raise Refused(" ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())) from None
    experiment.save()


def _bump(experiment: Experiment, by: User | None, why: str, fields: list[str]) -> None:
    experiment.version += 1
    experiment._history_user = by  # type: ignore[attr-defined]
    experiment._change_reason = why[:100]  # type: ignore[attr-defined]
    experiment.save(update_fields=[*fields, "version"])
    config.touch()


def _log(experiment: Experiment, by: User | None, why: str, changes: dict[str, list[Any]]) -> Amendment:
    plain = {name: [_plain(value) for value in pair] for name, pair in changes.items()}
    return Amendment.objects.create(experiment=experiment, at=timezone.now(), by=by, why=why, changes=plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _replace(
    experiment: Experiment, variants: Sequence[Mapping[str, Any]] | None, audience: Sequence[Mapping[str, Any]] | None
) -> None:
    if variants is not None:
        experiment.variants.all().delete()
        rows = [Variant(**{**fields, "experiment": experiment, "position": at}) for at, fields in enumerate(variants)]
        if len({row.key for row in rows}) < len(rows):
            raise Refused(_("Two variants have the same key."))
        Variant.objects.bulk_create(rows)
    if audience is not None:
        experiment.audience.all().delete()
        AudienceRow.objects.bulk_create(
            AudienceRow(**{**fields, "experiment": experiment, "position": at}) for at, fields in enumerate(audience)
        )
