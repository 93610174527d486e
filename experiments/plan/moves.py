"""Change an experiment's state: lock the row, check the lifecycle, write, and make every process reload it."""

from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from aha.moments.promote import begin_test
from aha.moments.reach import of_moment
from aha.study.population import segments_named
from events.metrics import parse_behaviour, parse_metric
from events.warehouse.arm_marks import Condition, Did, Said, of_metric, of_start, refuse_arm_marks
from events.windows import first_days
from experiments.models import ConfigVersion, Experiment, Layer, Prediction
from experiments.plan.audience import freeze_audience
from experiments.plan.caps import measured_caps, use_caps
from experiments.plan.catalogue_metrics import freeze_choices
from experiments.plan.cupac import predictor_for
from experiments.plan.fields import Primary
from experiments.plan.lifecycle import Action, Refusal, Status, refusals, target, words
from experiments.plan.record import Plan, Predictor
from experiments.plan.registration import register
from experiments.plan.review import skip_review, standing_of
from experiments.plan.stored import locked, only_source, plan_of, situation_of
from experiments.webhooks import announce
from reporting.document import dump
from runs.queue.jobs import tell
from runs.refusals import Refused
from segments.published.segment_marks import of_segments

# Queries that a plan implies, for the outcome-lock gate: they must not reveal another experiment's arms.


def refuse_plan_marks(experiment: Experiment) -> None:
    """Refuse the start of a plan whose outcomes, behaviours, covariates or audience would reveal the arms of another
    experiment whose outcome is locked.

    Raises:
        Refused: as `events.warehouse.arm_marks.refuse_arm_marks`.
    """
    asks = list(asks_of(plan_of(experiment)))
    if experiment.moment is not None:
        asks += of_moment(experiment.moment)
    refuse_arm_marks({"": asks}, day_mode=experiment.day_mode)


def asks_of(plan: Plan) -> Iterator[Condition]:
    """Conditions of a plan's outcomes, covariates, other behaviours and audience."""
    start = plan.signup_event or "*"
    yield from of_start(start)
    yield from (Said(name, "" if start == "*" else start) for name in plan.covariates)
    for text in plan.outcomes:
        yield from of_metric(parse_metric(text), start)
    if plan.claim is not None:
        window = first_days(plan.claim.days)
        yield from (Did(parse_behaviour(name), start, window, times) for name, times in plan.measured_beside)
    for row in plan.audience:
        if row.segment:
            try:
                version, segments = segments_named(row.segment)
            except Refused:  # reported by the plan's mistakes
                continue
            yield from of_segments(version, segments)


STAMPS = {
    Action.START: "started_at",
    Action.CLOSE_ENROLMENT: "enrolment_closed_at",
    Action.STOP: "stopped_at",
    Action.CONCLUDE: "concluded_at",
}


def move(
    *, key: str, action: Action, by: User | None = None, why: str = "", without_review: bool = False
) -> Experiment:
    """Apply one action to an experiment, in one transaction.

    Args:
        key: of the experiment.
        action: to apply.
        by: the account; stored in the history with `why`.
        why: a reason, may be empty.
        without_review: start although an approval is missing: for an administrator in an emergency, with a reason,
            which is logged and shown on the report. No effect where nothing is missing.

    Raises:
        Refused: with a sentence for each reason against it; then nothing has changed.
    """
    predictor, caps = None, {}
    if action is Action.START:  # before the row is locked, so that other writers don't wait for the warehouse
        predictor = _predictor(key, without_review)
        _refuse_marks(key)
        caps = measured_caps(Experiment.objects.filter(key=key).first() or Experiment())
    try:
        return _moved(key, action, by, why, predictor, caps, without_review)
    except IntegrityError:
        # Two simultaneous starts on one flag: the database let one through; now the lifecycle gives the reason.
        reasons = refusal(Experiment.objects.get(key=key), action)
        if not reasons:
            raise
        raise Refused(reasons) from None


def _refuse_marks(key: str) -> None:
    """Run the outcome-lock gate before the start of a plan that could start."""
    experiment = Experiment.objects.select_related("moment", "layer", "holdout").filter(key=key).first()
    if experiment is not None and not _refusals(experiment, Action.START, ""):
        refuse_plan_marks(experiment)


@transaction.atomic
def _moved(
    key: str,
    action: Action,
    by: User | None,
    why: str,
    predictor: Predictor | None,
    caps: dict[str, str],
    without_review: bool,
) -> Experiment:
    experiment = locked(key)
    if action is Action.START and experiment.layer_id is not None:
        Layer.objects.select_for_update().get(pk=experiment.layer_id)  # serialises starts that want slices of one layer
    status = Status(experiment.status)
    review = _missing_review(experiment, action)
    reasons = _refusals(experiment, action, "" if without_review else review)
    after = target(status, action)
    if reasons or after is None:
        sentences = " ".join(words(refusal) for refusal in reasons)
        raise Refused(sentences)
    if action is Action.START:
        if review:
            skip_review(experiment, by, why)
        _keep(experiment, predictor)
        freeze_audience(experiment)
        freeze_choices(experiment, caps)
        experiment.sources = experiment.sources or only_source()
        experiment.client_new_ids = settings.CLIENT_NEW_IDS
        experiment.time_zone = experiment.zone
    fields = [
        "status",
        "version",
        "sources",
        "client_new_ids",
        "time_zone",
        *(use_caps(experiment, caps) if action is Action.START else []),
    ]
    experiment.status = after.value
    if stamp := STAMPS.get(action):
        setattr(experiment, stamp, timezone.now())
        fields.append(stamp)
    experiment.version += 1
    experiment._history_user = by  # type: ignore[attr-defined]
    experiment._change_reason = (why or action.value)[:100]  # type: ignore[attr-defined]
    experiment.save(update_fields=fields)
    if action is Action.START:
        register(experiment)
    ConfigVersion.touch()
    _tell(experiment, action, by)
    return experiment


def _predictor(key: str, without_review: bool) -> Predictor | None:
    """Before the start: fit the model of earlier users if the plan needs it and could start.

    It queries the warehouse, so it runs before the transaction that locks the row.
    """
    experiment = Experiment.objects.filter(key=key).first()
    if (
        experiment is None
        or experiment.primary != Primary.LIN_PREDICTED
        or _refusals(experiment, Action.START, "" if without_review else _missing_review(experiment, Action.START))
    ):
        return None
    return predictor_for(plan_of(experiment))


def _keep(experiment: Experiment, predictor: Predictor | None) -> None:
    """Store the prediction model with the start.

    Raises:
        Refused: the plan was changed while the model was fitted.
    """
    if experiment.primary != Primary.LIN_PREDICTED:
        return
    if predictor is None or not predictor.predicts(plan_of(experiment)):
        raise Refused("The plan was changed while it was started. Start it again.")
    Prediction.objects.create(experiment=experiment, predictor=dump(predictor))


def refusal(experiment: Experiment, action: Action) -> str:
    """Why an action would be refused now, "" when it is allowed. Changes nothing."""
    reasons = _refusals(experiment, action, _missing_review(experiment, action))
    return " ".join(words(reason) for reason in reasons)


def _missing_review(experiment: Experiment, action: Action) -> str:
    """Code of what is missing of the review for a start; all ways to start an experiment call this."""
    return standing_of(experiment).missing if action is Action.START else ""


def _refusals(experiment: Experiment, action: Action, review: str) -> tuple[Refusal, ...]:
    situation = replace(situation_of(experiment), review=review)
    return refusals(Status(experiment.status), action, plan_of(experiment), situation)


def _tell(experiment: Experiment, action: Action, by: User | None) -> None:
    """In the same transaction: mark the moment as under test and send the webhook."""
    if action is Action.START and experiment.moment is not None:
        begin_test(moment=experiment.moment)
    kinds = {Action.START: "experiment.started", Action.STOP: "experiment.stopped"}
    if kind := kinds.get(action):
        announce(kind, {"experiment": experiment.key, "flag": experiment.flag_key, "status": experiment.status})
        notice = kind.removeprefix("experiment.")
        tell(notice, experiment._meta.label, experiment.pk, f"{experiment.version}", by=None if by is None else by.pk)
