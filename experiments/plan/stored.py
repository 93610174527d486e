"""Read plans from rows: the record, its surroundings, and its history since the start."""

from dataclasses import fields
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from aha.models import AhaMoment
from aha.moments.claims import promised
from events.metrics import plain_name
from experiments.metric_choice.certified import uncertified_sql
from experiments.models import Amendment, Experiment, Prediction, Rollout
from experiments.plan import derived
from experiments.plan.derived import History
from experiments.plan.earlier.predictor import PREDICTED, Predictor
from experiments.plan.lifecycle import LIVE
from experiments.plan.mistakes import Situation
from experiments.plan.planned import Amended, Planned
from experiments.plan.record import (
    AMENDABLE,
    WHOLE,
    WORDS,
    Claim,
    GuardrailRule,
    Plan,
    PlannedRow,
    PlannedVariant,
    Slice,
)
from reporting.document import load

# Fields of the plan whose column has another name; other fields, except `MADE`, are read from their own column.
COLUMNS = {
    "flag": "flag_key",
    "primary": "primary_metrics",
    "secondary": "secondary_metrics",
    "guardrails": "guardrail_metrics",
    "adjustment": "primary",
}
MADE = frozenset({"default", "claim", "variants", "guardrail_rules", "audience", "layer", "holdout"})


def plan_of(experiment: Experiment) -> Plan:
    """The plan in the given row, saved or not, with its stored variants and audience."""
    layer, holdout = experiment.layer, experiment.holdout
    columns = {one.name: COLUMNS.get(one.name, one.name) for one in fields(Plan) if one.name not in MADE}
    return Plan(
        **{name: _tuples(getattr(experiment, column)) for name, column in columns.items()},
        default=experiment.default_value,
        claim=None if experiment.moment is None else claim_of(experiment.moment),
        variants=tuple(
            PlannedVariant(v.key, v.value, v.weight, v.role, v.dose, v.name) for v in experiment.variants.all()
        ),
        guardrail_rules={name: GuardrailRule(**rule) for name, rule in experiment.guardrail_rules.items()},
        audience=tuple(
            PlannedRow(row.segment_key, row.coverage, None if row.weights is None else tuple(row.weights), row.rule)
            for row in experiment.audience.all()
        ),
        layer=None if layer is None else Slice(layer.seed, experiment.layer_low, experiment.layer_high),
        holdout=None if holdout is None else Slice(holdout.seed, holdout.share, WHOLE),
    )


def claim_of(moment: AhaMoment) -> Claim:
    """The claim of a moment, with the promise of its evidence when it was frozen."""
    raw = promised(moment.evidence).raw
    return Claim(
        key=moment.key,
        name=plain_name(moment.name),  # as stored: the plan's hash may not depend on the reader's language
        behaviour=moment.behaviour,
        times=moment.times,
        days=moment.days,
        retention=moment.retention,
        promised=None if raw is None else raw.estimate,
        promised_low=None if raw is None else raw.low,
        promised_high=None if raw is None else raw.high,
    )


def situation_of(experiment: Experiment) -> Situation:
    """Input of the validation beside the plan: the day, enrolment, and other live experiments."""
    others = Experiment.objects.exclude(pk=experiment.pk).filter(status__in=[status.value for status in LIVE])
    layer = experiment.layer
    shipped = Rollout.objects.filter(flag_key=experiment.flag_key).exclude(state=Rollout.State.BACK)
    neighbours = others.filter(layer=layer).order_by("key") if layer is not None else others.none()
    return Situation(
        today=timezone.localdate(),
        enrolment_open=experiment.enrolment_closed_at is None,
        flag_taken_by=others.filter(flag_key=experiment.flag_key).values_list("key", flat=True).first()
        or shipped.exclude(experiment=experiment).values_list("experiment__key", flat=True).first(),
        no_prediction=experiment.is_frozen
        and experiment.primary == PREDICTED
        and predictor_of(experiment, plan_of(experiment)) is None,
        layer_taken=tuple((one.key, one.layer_low, one.layer_high) for one in neighbours),
        rolled_out=experiment.is_frozen and shipped.filter(experiment=experiment).exists(),
        uncertified=() if experiment.is_frozen else uncertified_sql(experiment),
    )


def planned_of(experiment: Experiment) -> Planned:
    """The plan as stored with an analysis today."""
    plan = plan_of(experiment)
    return derived.planned(plan, history_of(experiment), predictor_of(experiment, plan))


def predictor_of(experiment: Experiment, plan: Plan) -> Predictor | None:
    """The stored model that predicts the plan's first outcome from its covariates; None without a matching one."""
    row = Prediction.objects.filter(experiment=experiment).first() if plan.adjustment == PREDICTED else None
    if row is None:
        return None
    found = load(Predictor, row.predictor)
    return found if found.predicts(plan) else None


def history_of(experiment: Experiment) -> History:
    """Start, end and amendments of an experiment."""
    return History(
        started=_local(experiment.started_at) or timezone.localdate(),
        enrolment_ended=_local(experiment.enrolment_closed_at or experiment.stopped_at),
        amendments=_amendments(experiment),
        intact=is_intact(experiment),
    )


def is_intact(experiment: Experiment) -> bool:
    """True when every change of the plan since the start is a logged amendment.

    APIs and forms refuse other changes; this detects changes made directly in the database or the shell.
    """
    started = experiment.history.filter(started_at__isnull=False).order_by("history_date", "history_id").first()
    if started is None:
        return True
    logged: dict[str, Any] = {}
    for changes in (
        Amendment.objects.filter(experiment=experiment).order_by("at", "id").values_list("changes", flat=True)
    ):
        logged |= {name: after for name, (_before, after) in changes.items()}
    return all(
        logged.get(name, _plain(getattr(started, name))) == _plain(getattr(experiment, name))
        for name in AMENDABLE
        if name not in WORDS
    )


def _amendments(experiment: Experiment) -> tuple[Amended, ...]:
    rows = Amendment.objects.filter(experiment=experiment).select_related("by").order_by("at", "id")
    return tuple(
        Amended(
            on=timezone.localdate(row.at),
            by="" if row.by is None else row.by.get_username(),
            why=row.why,
            changes={name: (_said(before), _said(after)) for name, (before, after) in row.changes.items()},
        )
        for row in rows
    )


def _said(value: Any) -> str:
    if isinstance(value, dict):  # rules of guardrails
        value = [f"{name} {' '.join(map(str, rule.values()))}" for name, rule in value.items()]
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _local(moment: datetime | None) -> date | None:
    return None if moment is None else timezone.localdate(moment)
