"""Request, compute and store analyses; update the experiment with the result. Rows are append-only."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from aha.moments.claims import Effect, EffectSet, ExperimentFinding, Itt, TakeUp
from aha.moments.promote import record_verdict
from events.asking import Questions, questions
from experiments.analyse import payload_versions
from experiments.analyse.corrected import best_difference, best_effect, of_variant
from experiments.analyse.decision_record import decision_facts
from experiments.analyse.effects import Comparison
from experiments.analyse.gather.admission import AdmissionRule
from experiments.analyse.gather.answers import Answers, Audit
from experiments.analyse.gather.draw_audit import audit_of
from experiments.analyse.gather.gather import gather
from experiments.analyse.gather.sender_rule import rule_of
from experiments.analyse.handed_on.hand_on import hand_on
from experiments.analyse.handed_on.list_figures import figures_of
from experiments.analyse.health.sender_checks import is_doubtful, with_all, without_some
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.proof import Sources, digest_read, prove
from experiments.analyse.read_out import read_out
from experiments.analyse.result import LookTaken, Readout
from experiments.models import Analysis, Experiment
from experiments.plan import derived
from experiments.plan.planned import Planned
from experiments.plan.question import Question
from experiments.plan.stored import plan_of, planned_of
from experiments.webhooks.deliver import announce
from reporting.document import dump
from runs.payloads import Unreadable
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.queue.enqueue import tell
from runs.refusals import Refused
from stats.results import computable

GATHERED = 0.9  # share of an analysis's progress bar that the warehouse queries take
RETEST_MONTHS = 12  # docs/methods/verdict.md: once a behaviour is a target, its effect drifts, so it is tested again
log = structlog.get_logger()
Status = Experiment.Status
ANALYSED = (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.CONCLUDED)


def request_analysis(*, experiment: Experiment, by: User | None = None, peek: bool = False, seed: int = 1) -> Analysis:
    """Store a waiting analysis and queue it for a worker.

    Args:
        experiment: that has started.
        by: the account; None for the nightly schedule.
        peek: see the outcome of a fixed plan before its time; the report then says so in its first line, permanently.
        seed: stored with the result.

    Raises:
        Refused: it hasn't started, its final analysis is done, or another one is waiting or running.
    """
    analysis = create_analysis(experiment=experiment, by=by, peek=peek, seed=seed)
    enqueue(analysis)
    return analysis


def create_analysis(*, experiment: Experiment, by: User | None = None, peek: bool = False, seed: int = 1) -> Analysis:
    """Store a waiting analysis without queueing it.

    Raises:
        Refused: as `request_analysis`.
    """
    with transaction.atomic():
        row = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if row.status not in ANALYSED:
            raise Refused("The experiment hasn't started, so there is nothing to analyse.")
        if has_final(row):
            raise Refused("The final analysis is there and stays as it is. A new question needs a new experiment.")
        if Analysis.objects.filter(
            experiment=row, status__in=(Analysis.Status.QUEUED, Analysis.Status.RUNNING)
        ).exists():
            raise Refused("An analysis is waiting or running already.")
        if peek and row.method != Experiment.Method.FIXED:
            raise Refused("Only a plan with one look at its end can be peeked at; this one has looks of its own.")
        inputs = _inputs(row, derived.asked(plan_of(row)), planned_of(row))
        analysis = Analysis(experiment=row, peek=peek, seed=seed, created_by=by, inputs=inputs)
        analysis.full_clean(exclude=["inputs"])
        analysis.save()
    return analysis


def run_analysis(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a waiting analysis, store it and update its experiment; True when it is done."""
    analysis = Analysis.objects.select_related("experiment__moment").filter(pk=pk).first()
    if analysis is None:
        return False
    made: list[tuple[Readout, Sources | None]] = []  # `_conclude` needs the objects; the run row stores only JSON

    def compute(progress: Progress) -> dict[str, Any]:
        made.append(_compute(analysis, progress))
        return READOUT.store(made[0][0])

    return perform(analysis, compute, listen=listen, then=lambda payload: _conclude(analysis, payload, *made[0]))


def request_due() -> int:
    """Nightly: request an analysis of every started experiment without a final one; returns how many."""
    count = 0
    for experiment in Experiment.objects.filter(status__in=ANALYSED):
        try:
            request_analysis(experiment=experiment)
            count += 1
        except Refused:
            continue
        except Exception:  # one broken experiment must not stop the others
            log.exception("analysis.not_requested", experiment=experiment.key)
    return count


def latest_analysis(experiment: Experiment, *, peeks: bool = True) -> Analysis | None:
    """The latest successful analysis; a failed one never replaces it.

    Args:
        experiment: whose analysis.
        peeks: False for readers who may not see the result of a peek.
    """
    rows = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE).order_by("-pk")
    return (rows if peeks else rows.exclude(peek=True, final=False)).first()


def is_peek(analysis: Analysis) -> bool:
    """True for a peek that isn't final: only some readers may see it. Everybody may see a final analysis."""
    return analysis.peek and not analysis.final


def has_final(experiment: Experiment) -> bool:
    """True when the final analysis is stored: no further analysis can be requested."""
    return Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, final=True).exists()


def read_analysis(analysis: Analysis | None) -> Readout | Unreadable | None:
    """The readout of a done analysis; None when there is none."""
    return None if analysis is None or analysis.payload is None else payload_versions.read(analysis.payload)


def looks_before(experiment: Experiment, *, pk: int | None = None) -> tuple[LookTaken, ...]:
    """All looks taken, oldest first: before the analysis `pk`, or in all analyses.

    Raises:
        Refused: the last analysis can't be read, so that the alpha spent so far is unknown.
    """
    rows = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE)
    last = (rows if pk is None else rows.filter(pk__lt=pk)).order_by("-pk").first()
    readout = read_analysis(last)
    if isinstance(readout, Unreadable):
        raise Refused(readout.sentence())
    return () if readout is None else readout.path


def _inputs(experiment: Experiment, asked: Question, plan: Planned) -> dict[str, Any]:
    return {"asked": dump(asked), "version": experiment.version, "definition": plan.definition}


def _compute(analysis: Analysis, progress: Progress) -> tuple[Readout, Sources | None]:
    """The readout, with the sources for its proof where it may become the final analysis."""
    experiment = analysis.experiment
    plan, asked = planned_of(experiment), derived.asked(plan_of(experiment))
    with questions(day_mode=plan.day_mode) as store:
        # The plan may be amended while the analysis waits: store the inputs that are used.
        analysis.inputs = _inputs(experiment, asked, plan)
        Analysis.objects.filter(pk=analysis.pk).update(as_of=_aware(store.basis.data_end), inputs=analysis.inputs)
        audit, earlier, today = audit_of(experiment), looks_before(experiment, pk=analysis.pk), timezone.localdate()
        readout = readout_of(
            store,
            asked,
            plan,
            rule=rule_of(experiment),
            audit=audit,
            earlier=earlier,
            peek=analysis.peek,
            today=today,
            seed=analysis.seed,
            progress=progress,
        )
        sources = None
        if readout.standing.final:
            digest = digest_read(store, asked)
            sources = Sources(store.warehouse.files, digest, audit, today.isoformat(), len(earlier))
    progress("statistics", 0.98)
    return readout, sources


def readout_of(
    store: Questions,
    asked: Question,
    plan: Planned,
    *,
    rule: AdmissionRule,
    audit: Audit,
    earlier: Sequence[LookTaken],
    peek: bool,
    today: date,
    seed: int,
    progress: Progress,
) -> Readout:
    """The deciding readout; where unverified units matter, with a second result that includes or excludes them."""

    def ask(told: Progress, *, verified: bool) -> Answers:
        return gather(store, asked, primary=plan.primary, rule=rule, verified=verified, progress=told)

    def read(answers: Answers) -> Readout:
        return read_out(plan, answers, audit, earlier=earlier, peek=peek, today=today, seed=seed)

    every = ask(part(progress, 0, GATHERED), verified=False)
    if every.apart:
        named = replace(ask(silent, verified=True), unverified=every.unverified)
        return with_all(read(named), read(every))
    readout = read(every)
    if is_doubtful(readout.health):  # in experiments that started before 0.5
        readout = without_some(readout, read(ask(silent, verified=True)))
    return readout


def _conclude(analysis: Analysis, payload: dict[str, Any], readout: Readout, sources: Sources | None) -> None:
    """Finalise the run in its transaction: store verdict and `final`, send webhooks, update the AHA moment.

    Raises:
        Refused: the plan was amended while this ran, or another analysis became the final one.
    """
    experiment = (
        Experiment.objects.select_for_update(of=("self",)).select_related("moment").get(pk=analysis.experiment_id)
    )
    if has_final(experiment):
        raise Refused("The final analysis is there and stays as it is. A new question needs a new experiment.")
    asked = dump(derived.asked(plan_of(experiment)))
    if analysis.inputs["asked"] != asked or not derived.same_numbers(readout.plan, planned_of(experiment)):
        raise Refused("The plan was changed while this analysis ran, so it says nothing. Ask for another one.")
    code = "" if readout.verdict is None else str(readout.verdict.code)
    before = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, pk__lt=analysis.pk)
    known = before.order_by("-pk").values_list("verdict", flat=True).first() or ""
    alarmed = any(finding.invalid == "srm" for finding in readout.health)
    # Broken data may still be repaired, so an INVALID analysis becomes final only once a person has concluded.
    lasting = code != "INVALID" or experiment.status == Status.CONCLUDED
    final = readout.standing.final and readout.report is not None and lasting
    # Only the final analysis is signed.
    proof = prove(analysis, readout, payload, sources) if final and sources is not None else None
    Analysis.objects.filter(pk=analysis.pk).update(verdict=code, final=final, proof=proof, **for_lists(readout))
    facts = {"experiment": experiment.key, "analysis": analysis.pk, "verdict": code}
    if alarmed and known != "INVALID":
        announce("experiment.sample_ratio", facts)
    if final or (code and code not in ("INCONCLUSIVE", known)):
        told = {"final": final, "decision": decision_facts(readout.decision), "estimand": estimand_of(readout)}
        announce("experiment.verdict", {**facts, **told})
    tell("analysed", analysis._meta.label, analysis.pk, "done")  # access is checked above
    if final and experiment.moment is not None:
        hand_on(analysis, readout)
        record_verdict(moment=experiment.moment, code=code, finding=finding_of(analysis, readout))


def estimand_of(readout: Readout) -> str | None:
    """What a verdict on a behaviour is about: the user's `own` act or `whole_clusters`; None in a plain A/B test."""
    if readout.plan.claim is None:
        return None
    return "whole_clusters" if readout.whole_clusters else "own"


def for_lists(readout: Readout) -> dict[str, Any]:
    """The readout's figures for lists and overviews, as columns of its analysis."""
    standing = readout.standing
    checks = [dump(row) for row in readout.health]
    return {
        "fraction": standing.fraction,
        "exposed": dict(standing.exposed),
        "checks": checks,
        "figures": figures_of(readout),
    }


def finding_of(analysis: Analysis, readout: Readout) -> ExperimentFinding:
    """The finding stored on the AHA moment: the effect with its set, beside what the correlation promised.

    A plan with planned looks gives its corrected effects (`experiments.analyse.corrected`): the plain ones are too
    large.
    """
    report, claim, today = readout.report, readout.plan.claim, timezone.localdate()
    found = ExperimentFinding(
        experiment=readout.plan.key,
        analysis=analysis.pk,
        on=today,
        retest_on=_months_later(today, RETEST_MONTHS),
        outcome=readout.plan.primary[0],
        cluster=readout.whole_clusters,
        promised=None if claim is None else claim.promised,
    )
    if report is None:
        return found
    row = next(row for row in report.outcomes[0].comparisons if row.variant == report.leading)
    itt = best_difference(readout, row)
    found = replace(
        found,
        reason=report.verdict.reason,
        itt=Itt(itt.estimate, itt.low, itt.high, itt.method) if computable(itt) else None,
    )
    if row.encouragement is None:
        return found
    one, around = row.encouragement, row.encouragement.effect_set
    moved = one.take_up
    return replace(
        found,
        effect=_behaviour_effect(readout, row),
        effect_set=EffectSet(str(around.shape), around.low, around.high) if computable(around) else None,
        kind=str(report.outcomes[0].kind),
        breakdown=one.breakdown if computable(one.breakdown) and "comparator" not in row.verdict.details else None,
        take_up=TakeUp(moved.control, moved.variant, moved.difference) if computable(moved) else None,
        as_treated=one.as_treated if computable(one.as_treated) else None,
    )


def _behaviour_effect(readout: Readout, row: Comparison) -> Effect | None:
    effect, one = best_effect(readout, row), row.encouragement
    if one is None or not computable(effect):
        return None
    found = Effect(*effect)
    if readout.plan.method == "always_valid":
        return replace(found, caution="optimistic")
    if of_variant(readout, row.variant) is not None and computable(one.effect):
        return replace(found, caution="corrected", naive=one.effect.estimate)
    return found


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    return date(day.year + year, month + 1, min(day.day, 28))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
