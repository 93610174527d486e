"""Read plans from rows (the record, its surroundings, its history since the start), and save changed rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet

from aha.models import AhaMoment
from aha.moments.claims import promised
from events.metrics import plain_name
from events.models import Source
from experiments.draw.evaluation import Flag
from experiments.models import Amendment, ConfigVersion, Experiment, Override, Prediction, Rollout
from experiments.plan import derived
from experiments.plan.analysed import Amended, Analysed, History, analysed
from experiments.plan.catalogue_metrics import uncertified_sql
from experiments.plan.derived import Serving
from experiments.plan.fields import ExperimentKind
from experiments.plan.lab import flags_of
from experiments.plan.lifecycle import LIVE
from experiments.plan.record import (
    AMENDABLE,
    FIELDS,
    PREDICTED,
    WHOLE,
    WORDS,
    Claim,
    GuardrailRule,
    Plan,
    PlannedNudge,
    PlannedOther,
    PlannedRow,
    PlannedVariant,
    Predictor,
    Slice,
)
from experiments.plan.validation import Situation
from reporting.document import load
from runs.refusals import Refused
from runs.site_zone import site_date

# Fields of the plan that aren't simply the value of a column.
MADE = frozenset(
    {"default", "claim", "variants", "guardrail_rules", "audience", "layer", "holdout", "others", "nudges"}
)
# Columns of the others, by field.
COLUMNS = {field.plan: field.column for field in FIELDS.values() if field.lock is not None and field.plan not in MADE}


def plan_of(experiment: Experiment) -> Plan:
    """The plan in the given row, saved or not, with its stored variants and audience."""
    layer, holdout = experiment.layer, experiment.holdout
    return Plan(
        **{name: _tuples(getattr(experiment, column)) for name, column in COLUMNS.items()},
        default=experiment.default_value,
        claim=None if experiment.moment is None else claim_of(experiment.moment),
        variants=tuple(
            PlannedVariant(v.key, v.value, v.weight, v.role, v.dose, v.name) for v in experiment.variants.all()
        ),
        guardrail_rules={name: GuardrailRule(**rule) for name, rule in experiment.guardrail_rules.items()},
        others=tuple(PlannedOther(**row) for row in experiment.other_behaviours),
        nudges=tuple(PlannedNudge(**row) for row in experiment.nudges),
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
    shipped = Rollout.objects.exclude(state=Rollout.State.BACK)
    neighbours = others.filter(layer=layer).order_by("key") if layer is not None else others.none()
    return Situation(
        today=site_date(zone=experiment.zone),
        enrolment_open=experiment.enrolment_closed_at is None,
        flags_taken=_flags_taken(experiment, others, shipped.exclude(experiment=experiment)),
        no_prediction=experiment.is_frozen
        and experiment.primary == PREDICTED
        and predictor_of(experiment, plan_of(experiment)) is None,
        layer_taken=tuple((neighbour.key, neighbour.layer_low, neighbour.layer_high) for neighbour in neighbours),
        rolled_out=experiment.is_frozen and shipped.filter(experiment=experiment).exists(),
        uncertified=() if experiment.is_frozen else uncertified_sql(experiment),
    )


def _flags_taken(
    experiment: Experiment, others: QuerySet[Experiment], shipped: QuerySet[Rollout]
) -> tuple[tuple[str, str], ...]:
    """The flags of an experiment that other live or rolled-out ones have, with the keys of those."""
    own = flags_of(experiment.flag_key, nudge_keys(experiment.nudges))
    around = others.filter(Q(flag_key__in=own) | Q(kind=ExperimentKind.LAB.value)).order_by("key")
    rolled_out = shipped.filter(Q(flag_key__in=own) | Q(experiment__kind=ExperimentKind.LAB.value))
    taken: dict[str, str] = {}
    for key, flag, nudges in (
        *rolled_out.values_list("experiment__key", "flag_key", "experiment__nudges"),
        *around.values_list("key", "flag_key", "nudges"),
    ):
        taken |= dict.fromkeys(flags_of(flag, nudge_keys(nudges)), key)
    return tuple((flag, taken[flag]) for flag in own if flag in taken)


def nudge_keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys of a row's nudges."""
    return [str(row["key"]) for row in rows]


def analysed_of(experiment: Experiment) -> Analysed:
    """The plan as stored with an analysis today."""
    plan = plan_of(experiment)
    return analysed(plan, history_of(experiment), predictor_of(experiment, plan))


def predictor_of(experiment: Experiment, plan: Plan) -> Predictor | None:
    """The stored model that predicts the plan's first outcome from its covariates; None without a matching one."""
    row = Prediction.objects.filter(experiment=experiment).first() if plan.adjustment == PREDICTED else None
    if row is None:
        return None
    predictor = load(Predictor, row.predictor)
    return predictor if predictor.predicts(plan) else None


def history_of(experiment: Experiment) -> History:
    """Start, end and amendments of an experiment, by the dates of its own zone."""
    ended = experiment.enrolment_closed_at or experiment.stopped_at
    return History(
        started=site_date(experiment.started_at, experiment.zone),  # of a draft, today
        enrolment_ended=None if ended is None else site_date(ended, experiment.zone),
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
            on=site_date(row.at, experiment.zone),
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


# Read a stored plan, and the rows that it needs, as a flag for the evaluation APIs.


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
        overrides={
            override.unit: arms.index(override.variant_id) for override in overrides if override.unit is not None
        },
        forced=tuple(
            (override.rule, arms.index(override.variant_id)) for override in overrides if override.rule is not None
        ),
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


# Common steps of every change to a stored plan: lock the row, store history, make every process reload it.


# Sources of events that may show an experiment: list and validate them.


def only_source() -> list[int]:
    """The only source of a site that has one; with several, none: a person must choose."""
    sources = list(Source.objects.values_list("pk", flat=True)[:2])
    return sources if len(sources) == 1 else []


def check_sources(numbers: Sequence[int]) -> list[int]:
    """The numbers of sources, sorted and without duplicates.

    Raises:
        Refused: for a number that no source has.
    """
    known = set(Source.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    strange = sorted(set(numbers) - known)
    if strange:
        raise Refused("There is no source {number}.", number=strange[0])
    return sorted(known)


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
