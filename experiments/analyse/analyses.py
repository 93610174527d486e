"""Request, compute and store analyses; update the experiment with the result. Rows are append-only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from aha.moments.claims import Effect, EffectSet, ExperimentFinding, Itt, TakeUp
from aha.moments.promote import record_verdict
from events.models import IdLink
from events.store.snapshot import StoreFiles
from events.store.time_travel import DataDigest
from events.warehouse.iceberg import TableSnapshots
from events.warehouse.price import price_of as store_price
from events.warehouse.session import WarehouseSession, questions
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.corrected import best_difference, best_effect, of_variant
from experiments.analyse.effects import Comparison, leading
from experiments.analyse.export_findings import code_on_moment, export_findings_of
from experiments.analyse.gather.admission import AdmissionRule
from experiments.analyse.gather.admitting import rule_of
from experiments.analyse.gather.answers import Answers, Audit
from experiments.analyse.gather.gather import gather
from experiments.analyse.gather.readings import readings
from experiments.analyse.health.all_checks import is_doubtful, with_all, without_some
from experiments.analyse.outcome_lock import Cost, cost_of
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.proof import Sources, digest_read, prove
from experiments.analyse.result import AnalysisResult, LookTaken, Opened, decision_facts
from experiments.draw.many_units import arms_drawn
from experiments.models import Analysis, Assignment, Experiment
from experiments.plan import derived
from experiments.plan.analysed import Analysed, same_numbers
from experiments.plan.derived import Question, senders
from experiments.plan.design import Kind
from experiments.plan.fields import Method
from experiments.plan.stored import analysed_of, flag_of, plan_of, with_parts
from experiments.webhooks import announce
from reporting.document import dump, load
from runs.payloads import Unreadable
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress, part, silent
from runs.queue.jobs import tell
from runs.refusals import Refused
from runs.site_zone import site_date
from stats.results import computable

# Main figures of an analysis for lists and page heads, stored as a column so that no list reads a payload. Pure.

type Figures = dict[str, Any]


def figures_of(result: AnalysisResult) -> Figures | None:
    """Figures of the first outcome and the comparison that the verdict rests on; None while the outcome is locked.

    Returns:
        `outcome` (its text), `share` (whether it is one), `control` and `variant` (labels), `levels` (n and mean by
        arm), and `nudge`, `behaviour`, `take_up`: estimate with its limits, each None where it can't be computed. With
        planned looks they are the corrected ones, as in a moment's finding.
    """
    if not isinstance(result, Opened):
        return None
    report = result.report
    first, row = report.outcomes[0], leading(report)
    nudge = best_difference(result, row)
    return {
        "outcome": result.plan.primary[0],
        "share": first.kind is Kind.PROPORTION,
        "control": row.compared_with or report.design.control,
        "variant": row.variant,
        "levels": {
            label: {"n": value.n, "mean": value.mean if computable(value.mean) else None}
            for label, value in first.values.items()
            if not (result.plan.is_lab and label == report.design.control)  # each nudge has other users without it
        },
        "nudge": {"estimate": nudge.estimate, "low": nudge.low, "high": nudge.high} if computable(nudge) else None,
        "behaviour": _behaviour(result, row),
        "take_up": _take_up(row),
    }


def _behaviour(opened: Opened, row: Comparison) -> Figures | None:
    """The behaviour's effect with its set; an unbounded side is None."""
    effect = best_effect(opened, row)
    if row.encouragement is None or not computable(effect):
        return None
    around = row.encouragement.effect_set
    bounded = computable(around) and around.bounded
    return {
        "estimate": effect[0],
        "low": around.low if bounded and computable(around) else None,
        "high": around.high if bounded and computable(around) else None,
    }


def _take_up(row: Comparison) -> Figures | None:
    take_up = None if row.encouragement is None else row.encouragement.take_up
    if take_up is None or not computable(take_up):
        return None
    return {
        "control": take_up.control,
        "variant": take_up.variant,
        "difference": take_up.difference,
        "low": take_up.low,
        "high": take_up.high,
    }


# Recompute the draws of stored assignments: a stored arm that differs was written around our API.

# A sample is precise enough: .1 % of 50,000 assignments are 50.
MOST_AUDITED = 50_000


def audit_of(experiment: Experiment) -> Audit:
    """Recompute the draws of stored assignments (the newest, at most 50,000) and count the assigned units by arm.

    Since 0.5 only units that a server key requested are counted. Units with an override have no row, so every stored
    arm must be the draw's: of the unit, or of the id by which the person drew first.
    """
    keys = dict(experiment.variants.values_list("pk", "key"))
    persons = Assignment.objects.filter(experiment=experiment)
    if experiment.client_new_ids is not None:  # requests for made-up ids create rows of units without exposures
        persons = persons.filter(Q(visit="") | Q(named_at__isnull=False))
    if IdLink.objects.filter(state=IdLink.State.HOLDS).exists():  # a person with two ids has a row for each
        held = IdLink.objects.filter(state=IdLink.State.HOLDS, visitor=OuterRef("unit"))
        persons = persons.filter(~Exists(held))
    counted = persons.values("variant_id").annotate(n=Count("pk"))
    assigned = {keys[row["variant_id"]]: row["n"] for row in counted}
    rows = list(
        Assignment.objects.filter(experiment=experiment)
        .order_by("-pk")
        .values_list(Coalesce("drawn_by", "unit"), "variant_id", "segment_key", "cluster")[:MOST_AUDITED]
    )
    if not rows:
        return Audit(0, 0, assigned)
    flag = flag_of(with_parts([experiment.key]).get())
    units, clusters = [row[0] for row in rows], [row[3] for row in rows]
    by_segment = {row.segment: arms_drawn(flag, row, units, clusters) for row in flag.rows}
    differ = sum(
        row[2] in by_segment and (arm := int(by_segment[row[2]][place])) >= 0 and flag.arms[arm].pk != row[1]
        for place, row in enumerate(rows)
    )
    return Audit(len(rows), differ, assigned)


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
    with transaction.atomic():  # over a budget no row stays
        return enqueue(create_analysis(experiment=experiment, by=by, peek=peek, seed=seed))


def price_of(experiment: Experiment) -> Price:
    """What an analysis of a started experiment would read; unknown for one that can't be read."""
    plan = analysed_of(experiment).plan
    clients = experiment.client_new_ids is not None and bool(senders(plan_of(experiment)))
    question = derived.asked(plan)
    return store_price(
        lambda store: readings(question, store, since=experiment.started_at, clients=clients),
        day_mode=plan.day_mode,
        time_zone=experiment.zone,
    )


def price_of_run(analysis: Analysis) -> Price:
    """What a stored analysis would read."""
    return price_of(analysis.experiment)


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
        if Analysis.objects.filter(experiment=row, status__in=Analysis.OPEN).exists():
            raise Refused("An analysis is waiting or running already.")
        if peek and row.method != Method.FIXED:
            raise Refused(
                "Only a plan with one analysis at its end can be opened early; this one has interim analyses."
            )
        analysed = analysed_of(row)
        inputs = _inputs(row, derived.asked(analysed.plan), analysed)
        analysis = Analysis(experiment=row, peek=peek, seed=seed, created_by=by, inputs=inputs)
        analysis.full_clean(exclude=["inputs"])
        analysis.save()
    return analysis


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


def history_of(experiment: Experiment) -> QuerySet[Analysis]:
    """All its analyses, the newest first, without their payloads."""
    return Analysis.objects.light("created_by").filter(experiment=experiment).order_by("-pk")


def is_peek(analysis: Analysis) -> bool:
    """True for a peek that isn't final: only some readers may see it. Everybody may see a final analysis."""
    return analysis.peek and not analysis.final


def has_final(experiment: Experiment) -> bool:
    """True when the final analysis is stored: no further analysis can be requested."""
    return Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, final=True).exists()


def looks_before(experiment: Experiment, *, pk: int | None = None) -> tuple[LookTaken, ...]:
    """All looks taken, oldest first: before the analysis `pk`, or in all analyses.

    Raises:
        Refused: the last analysis can't be read, so that the alpha spent so far is unknown.
    """
    rows = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE)
    last = (rows if pk is None else rows.filter(pk__lt=pk)).order_by("-pk").first()
    readout = READOUT.of(last)
    if isinstance(readout, Unreadable):
        raise Refused(readout.sentence())
    return () if readout is None else readout.path


def _inputs(experiment: Experiment, question: Question, analysed: Analysed) -> dict[str, Any]:
    return {"asked": dump(question), "version": experiment.version, "definition": analysed.definition}


@dataclass(frozen=True)
class Computed:
    """What an analysis makes: its readout, with the sources for the proof where it may become the final analysis."""

    readout: AnalysisResult
    sources: Sources | None


def _compute(analysis: Analysis, progress: Progress, _early: Early) -> Computed:
    """The readout, with the sources for its proof where it may become the final analysis."""
    experiment = analysis.experiment
    analysed = analysed_of(experiment)
    question, zone = derived.asked(analysed.plan), experiment.zone
    with questions(day_mode=analysed.plan.day_mode, time_zone=zone) as store:
        # The plan may be amended while the analysis waits: store the inputs that are used.
        analysis.inputs = _inputs(experiment, question, analysed)
        Analysis.objects.filter(pk=analysis.pk).update(as_of=store.basis.data_end, inputs=analysis.inputs)
        audit, earlier, today = audit_of(experiment), looks_before(experiment, pk=analysis.pk), site_date(zone=zone)
        readout = readout_of(
            store,
            question,
            analysed,
            rule=rule_of(experiment),
            audit=audit,
            earlier=earlier,
            peek=analysis.peek,
            today=today,
            seed=analysis.seed,
            progress=progress,
        )
        sources = None
        if readout.maturity.final:
            digest = digest_read(store, question)
            house = store.warehouse
            sources = Sources(house.files, house.tables, digest, audit, today.isoformat(), len(earlier))
    progress("statistics", 0.98)
    return Computed(readout, sources)


def readout_of(
    store: WarehouseSession,
    question: Question,
    analysed: Analysed,
    *,
    rule: AdmissionRule,
    audit: Audit,
    earlier: Sequence[LookTaken],
    peek: bool,
    today: date,
    seed: int,
    progress: Progress,
) -> AnalysisResult:
    """The deciding readout; where unverified units matter, with a second result that includes or excludes them."""

    def ask(told: Progress, *, verified: bool) -> Answers:
        return gather(store, question, primary=analysed.plan.primary, rule=rule, verified=verified, progress=told)

    def read(answers: Answers) -> AnalysisResult:
        return analyse_answers(analysed, answers, audit, earlier=earlier, peek=peek, today=today, seed=seed)

    every = ask(part(progress, 0, GATHERED), verified=False)
    if every.apart:
        named = replace(ask(silent, verified=True), unverified=every.unverified)
        return with_all(read(named), read(every))
    readout = read(every)
    if is_doubtful(readout.health):  # in experiments that started before 0.5
        readout = without_some(readout, read(ask(silent, verified=True)))
    return readout


def _conclude(analysis: Analysis, made: Computed) -> None:
    """Finalise the run in its transaction: store verdict and `final`, send webhooks, update the AHA moment.

    Raises:
        Refused: the plan was amended while this ran, or another analysis became the final one.
    """
    readout, sources = made.readout, made.sources
    experiment = (
        Experiment.objects.select_for_update(of=("self",)).select_related("moment").get(pk=analysis.experiment_id)
    )
    if has_final(experiment):
        raise Refused("The final analysis is there and stays as it is. A new question needs a new experiment.")
    now = analysed_of(experiment)
    # As records: an analysis that an older version queued lacks the fields that came since.
    asked = load(Question, analysis.inputs["asked"])
    if asked != derived.asked(now.plan) or not same_numbers(readout.analysed, now):
        raise Refused("The plan was changed while this analysis ran, so it says nothing. Ask for another one.")
    code = "" if readout.verdict is None else str(readout.verdict.code)
    before = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, pk__lt=analysis.pk)
    known = before.order_by("-pk").values_list("verdict", flat=True).first() or ""
    alarmed = any(finding.invalid == "srm" for finding in readout.health)
    # Broken data may still be repaired, so an INVALID analysis becomes final only once a person has concluded.
    lasting = code != "INVALID" or experiment.status == Status.CONCLUDED
    final = readout.maturity.final and isinstance(readout, Opened) and lasting
    # Only the final analysis is signed.
    proof = prove(analysis, readout, READOUT.store(readout), sources) if final and sources is not None else None
    Analysis.objects.filter(pk=analysis.pk).update(verdict=code, final=final, proof=proof, **for_lists(readout))
    facts = {"experiment": experiment.key, "analysis": analysis.pk, "verdict": code}
    if alarmed and known != "INVALID":
        announce("experiment.sample_ratio", facts)
    if final or (code and code not in ("INCONCLUSIVE", known)):
        details = {"final": final, "decision": decision_facts(readout.decision), "estimand": estimand_of(readout)}
        announce("experiment.verdict", {**facts, **details})
    tell("analysed", analysis._meta.label, analysis.pk, "done")  # access is checked above
    if final and experiment.moment is not None:
        export_findings_of(analysis, readout)
        code = code_on_moment(readout, code)
        record_verdict(moment=experiment.moment, code=code, finding=finding_of(analysis, readout))


run_analysis = Computation(Analysis, _compute, lambda made: READOUT.store(made.readout), _conclude)


def estimand_of(readout: AnalysisResult) -> str | None:
    """What a verdict on a behaviour is about: the user's `own` act or `whole_clusters`; None in a plain A/B test."""
    if readout.plan.claim is None:
        return None
    return "whole_clusters" if readout.whole_clusters else "own"


def for_lists(readout: AnalysisResult) -> dict[str, Any]:
    """The readout's figures for lists and overviews, as columns of its analysis."""
    maturity = readout.maturity
    checks = [dump(row) for row in readout.health]
    return {
        "fraction": maturity.fraction,
        "exposed": dict(maturity.exposed),
        "checks": checks,
        "figures": figures_of(readout),
    }


def finding_of(analysis: Analysis, readout: AnalysisResult) -> ExperimentFinding:
    """The finding stored on the AHA moment: the effect with its set, beside what the correlation promised.

    A plan with planned looks gives its corrected effects (`experiments.analyse.corrected`): the plain ones are too
    large.
    """
    claim, today = readout.analysed.plan.claim, site_date(zone=readout.time_zone)
    finding = ExperimentFinding(
        experiment=readout.plan.key,
        analysis=analysis.pk,
        on=today,
        retest_on=_months_later(today, RETEST_MONTHS),
        outcome=readout.plan.primary[0],
        cluster=readout.whole_clusters,
        promised=None if claim is None else claim.promised,
    )
    if not isinstance(readout, Opened):
        return finding
    if readout.plan.is_lab:
        return _finding_of_lab(readout, finding)
    report = readout.report
    row = next(row for row in report.outcomes[0].comparisons if row.variant == report.leading)
    itt = best_difference(readout, row)
    finding = replace(
        finding,
        reason=report.verdict.reason,
        itt=Itt(itt.estimate, itt.low, itt.high, itt.method) if computable(itt) else None,
    )
    if row.encouragement is None:
        return finding
    behaviour, around = row.encouragement, row.encouragement.effect_set
    moved = behaviour.take_up
    return replace(
        finding,
        effect=_behaviour_effect(readout, row),
        effect_set=EffectSet(str(around.shape), around.low, around.high) if computable(around) else None,
        kind=str(report.outcomes[0].kind),
        breakdown=behaviour.breakdown
        if computable(behaviour.breakdown) and "comparator" not in row.verdict.details
        else None,
        take_up=TakeUp(moved.control, moved.variant, moved.difference) if computable(moved) else None,
        as_treated=behaviour.as_treated if computable(behaviour.as_treated) else None,
    )


def _finding_of_lab(readout: Opened, finding: ExperimentFinding) -> ExperimentFinding:
    """What all nudges together say of the behaviour under test; a lab has no nudge's own effect on it."""
    claim = readout.analysed.plan.claim
    rows = () if readout.lab is None or claim is None else readout.lab.behaviours
    same = (one for one in rows if claim is not None and (one.behaviour, one.times) == (claim.behaviour, claim.times))
    row = next(same, None)
    measured = None if row is None else row.place.measured
    if measured is None or not computable(measured.effect) or not computable(measured.effect_set):
        return finding
    around = measured.effect_set
    return replace(
        finding,
        effect=Effect(measured.effect),
        effect_set=EffectSet(str(around.shape), around.low, around.high),
        kind=str(readout.report.outcomes[0].kind),
    )


def _behaviour_effect(opened: Opened, row: Comparison) -> Effect | None:
    effect, behaviour = best_effect(opened, row), row.encouragement
    if behaviour is None or not computable(effect):
        return None
    reported = Effect(*effect)
    if opened.plan.method == "always_valid":
        return replace(reported, caution="optimistic")
    if of_variant(opened, row.variant) is not None and computable(behaviour.effect):
        return replace(reported, caution="corrected", naive=behaviour.effect.estimate)
    return reported


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    return date(day.year + year, month + 1, min(day.day, 28))


# What closing enrolment of a stored experiment would cost its last look; shown before a person confirms it.


def cost(experiment: Experiment) -> Cost | None:
    """The cost of closing today, with the units of the last analysis; None where there is none or it is unknown.

    Before the first analysis no outcome was shown, so closing costs nothing.
    """
    if experiment.method != Method.GROUP_SEQUENTIAL or experiment.started_at is None:
        return None

    readout = READOUT.of(latest_analysis(experiment))
    if readout is None or isinstance(readout, Unreadable):
        return None
    return cost_of(
        analysed_of(experiment), readout.maturity, looks_before(experiment), today=site_date(zone=experiment.zone)
    )


# A final analysis again, from its signed inputs and the store at the version that it read.


def recompute(
    experiment: Experiment,
    signed: dict[str, Any],
    result: AnalysisResult,
    at: StoreFiles | TableSnapshots,
    *,
    progress: Progress = silent,
) -> tuple[AnalysisResult, DataDigest | None]:
    """The result as computed now, and the digest of the data read.

    Assignments and earlier looks are read from the database; plan, questions, seed and dates are the signed ones.

    Args:
        experiment: the row.
        signed: the document of `experiments.analyse.proof`.
        result: stored with it; its plan is used.
        at: the store's files at that version, or the snapshots of Iceberg tables.
        progress: called with the share that is done.
    """
    question = load(Question, signed["asked"])
    with questions(day_mode=result.plan.day_mode, at=at, time_zone=signed["data"]["time_zone"]) as store:
        readout = readout_of(
            store,
            question,
            result.analysed,
            rule=rule_of(experiment),
            audit=load(Audit, signed["assignments"]),
            earlier=looks_before(experiment, pk=signed["analysis"]),
            peek=signed["peek"],
            today=date.fromisoformat(signed["today"]),
            seed=int(signed["seed"]),
            progress=progress,
        )
        return readout, digest_read(store, question)
