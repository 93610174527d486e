"""Analyses: ask for one, compute it, keep it, say what came of it. Rows are only ever added."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from aha.services.moments import record_verdict
from events.services.asking import questions
from experiments.models import Analysis, Experiment
from experiments.services.admission import rule_of
from experiments.services.planned import WORDS, asked_of, audit_of, planned_of
from experiments.services.webhooks import announce
from reporting.document import dump
from runs.perform import enqueue, perform
from runs.progress import Progress, part, silent
from runs.refusals import Refused
from stats.results import computable

if TYPE_CHECKING:
    from experiments.readout import LookTaken, Planned, Readout

TASK = "experiments.tasks.run_analysis"
GATHERED = 0.9  # share of an analysis that the questions take
RETEST_MONTHS = 12  # METHODS 5: a behaviour that has become a target drifts
log = structlog.get_logger()
Status = Experiment.Status
ANALYSED = (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.CONCLUDED)


def request_analysis(*, experiment: Experiment, by: User | None = None, peek: bool = False, seed: int = 1) -> Analysis:
    """Keep an analysis that waits for a worker, and hand it over.

    Args:
        experiment: that has started.
        by: who asks; None for the nightly schedule.
        peek: see the outcome of a fixed plan before its time; the report then says so in its first line, for good.
        seed: stored with the result.

    Raises:
        Refused: it hasn't started, its final analysis is there, or another one is waiting or running.
    """
    analysis = create_analysis(experiment=experiment, by=by, peek=peek, seed=seed)
    enqueue(analysis, TASK)
    return analysis


def create_analysis(*, experiment: Experiment, by: User | None = None, peek: bool = False, seed: int = 1) -> Analysis:
    """Keep an analysis that waits.

    Raises:
        Refused: as `request_analysis`.
    """
    with transaction.atomic():
        row = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if row.status not in ANALYSED:
            raise Refused(gettext("The experiment hasn't started, so there is nothing to analyse."))
        if final_analysis(row) is not None:
            raise Refused(
                gettext("The final analysis is there and stays as it is. A new question needs a new experiment.")
            )
        if Analysis.objects.filter(
            experiment=row, status__in=(Analysis.Status.QUEUED, Analysis.Status.RUNNING)
        ).exists():
            raise Refused(gettext("An analysis is waiting or running already."))
        if peek and row.method != Experiment.Method.FIXED:
            raise Refused(
                gettext("Only a plan with one look at its end can be peeked at; this one has looks of its own.")
            )
        analysis = Analysis(experiment=row, peek=peek, seed=seed, created_by=by, inputs=_inputs(row, planned_of(row)))
        analysis.full_clean(exclude=["inputs"])
        analysis.save()
    return analysis


def run_analysis(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a waiting analysis and write its consequences; True when it is done."""
    analysis = Analysis.objects.select_related("experiment__moment").filter(pk=pk).first()
    if analysis is None:
        return False
    return perform(
        analysis,
        lambda progress: _compute(analysis, progress),
        listen=listen,
        then=lambda payload: _conclude(analysis, payload),
    )


def request_due() -> int:
    """Each night: an analysis of every started experiment that has no final one yet; returns how many."""
    count = 0
    for experiment in Experiment.objects.filter(status__in=ANALYSED):
        try:
            request_analysis(experiment=experiment)
            count += 1
        except Refused:
            continue
        except Exception:  # one broken experiment must not cost the others their night
            log.exception("analysis.not_requested", experiment=experiment.key)
    return count


def latest_analysis(experiment: Experiment) -> Analysis | None:
    """The last good analysis: a failed one never takes the place of what is known."""
    return Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE).order_by("-pk").first()


def final_analysis(experiment: Experiment) -> Analysis | None:
    """The analysis that holds all that the experiment can say."""
    return Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, final=True).first()


def read_analysis(analysis: Analysis | None) -> "Readout | None":
    """The readout of a done analysis."""
    from experiments.report_io import read

    return None if analysis is None or analysis.payload is None else read(analysis.payload)


def looks_before(experiment: Experiment, *, pk: int | None = None) -> "tuple[LookTaken, ...]":
    """All looks that were taken, oldest first; before one analysis, or all."""
    rows = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE)
    last = (rows if pk is None else rows.filter(pk__lt=pk)).order_by("-pk").first()
    readout = read_analysis(last)
    return () if readout is None else readout.path


def _inputs(experiment: Experiment, plan: "Planned") -> dict[str, Any]:
    return {
        "asked": dump(asked_of(experiment, plan)),
        "version": experiment.version,
        "definition": plan.definition,
    }


def _compute(analysis: Analysis, progress: Progress) -> dict[str, Any]:
    from experiments.analysis import read_out
    from experiments.live_senders import beside, is_doubtful
    from experiments.services.gathering import gather

    experiment = analysis.experiment
    plan = planned_of(experiment)
    asked = asked_of(experiment, plan)
    with questions(day_mode=plan.day_mode) as store:
        # The plan may have been amended while this waited: what is kept is what was asked.
        Analysis.objects.filter(pk=analysis.pk).update(
            as_of=_aware(store.basis.data_end), inputs=_inputs(experiment, plan)
        )
        rule, audit, earlier = rule_of(experiment), audit_of(experiment), looks_before(experiment, pk=analysis.pk)

        def read(told: Progress, *, verified: bool) -> "Readout":
            answers = gather(store, asked, primary=plan.primary, rule=rule, verified=verified, progress=told)
            return read_out(
                plan, answers, audit, earlier=earlier, peek=analysis.peek, today=timezone.localdate(),
                seed=analysis.seed,
            )  # fmt: skip

        readout = read(part(progress, 0, GATHERED), verified=False)
        if is_doubtful(readout.health):
            readout = beside(readout, read(silent, verified=True))
    progress("statistics", 0.98)
    return dump(readout)


def _conclude(analysis: Analysis, payload: dict[str, Any]) -> None:
    """In the transaction that makes it done: verdict and finality, messages to who listens, the claim's new status.

    Raises:
        Refused: the plan was amended while this ran, or another analysis became the final one.
    """
    from experiments.report_io import read

    readout = read(payload)
    experiment = (
        Experiment.objects.select_for_update(of=("self",)).select_related("moment").get(pk=analysis.experiment_id)
    )
    if final_analysis(experiment) is not None:
        raise Refused(gettext("The final analysis is there and stays as it is. A new question needs a new experiment."))
    if _deciding(payload["plan"]) != _deciding(dump(planned_of(experiment))):
        raise Refused(gettext("The plan was changed while this analysis ran, so it says nothing. Ask for another one."))
    code = "" if readout.verdict is None else str(readout.verdict.code)
    before = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, pk__lt=analysis.pk)
    known = before.order_by("-pk").values_list("verdict", flat=True).first() or ""
    alarmed = any(finding.invalid == "srm" for finding in readout.health)
    # What makes data broken may still be mended, so such an analysis freezes only what a person has concluded.
    lasting = code != "INVALID" or experiment.status == Status.CONCLUDED
    final = readout.standing.final and readout.report is not None and lasting
    Analysis.objects.filter(pk=analysis.pk).update(verdict=code, final=final)
    facts = {"experiment": experiment.key, "analysis": analysis.pk, "verdict": code}
    if alarmed and known != "INVALID":
        announce("experiment.sample_ratio", facts)
    if final or (code and code not in ("INCONCLUSIVE", known)):
        announce("experiment.verdict", {**facts, "final": final})
    if final and experiment.moment is not None:
        record_verdict(moment=experiment.moment, code=code, finding=finding_of(analysis, readout))


def _deciding(plan: dict[str, Any]) -> dict[str, Any]:
    """What a change of the plan would change; that enrolment has ended since is no change of it."""
    return {name: value for name, value in plan.items() if name not in WORDS | {"enrolment_ended", "definition"}}


def finding_of(analysis: Analysis, readout: "Readout") -> dict[str, Any]:
    """What goes back to the AHA moment: the effect with its set, beside what the correlation promised.

    Of a plan with planned looks the corrected effects (`experiments.corrected`): the plain ones are too large.
    """
    from experiments.corrected import best_difference, best_effect, of_variant

    report, claim = readout.report, readout.plan.claim
    found: dict[str, Any] = {
        "experiment": readout.plan.key,
        "analysis": analysis.pk,
        "on": timezone.localdate().isoformat(),
        "retest_on": _months_later(timezone.localdate(), RETEST_MONTHS).isoformat(),
        "outcome": readout.plan.primary[0],
        "promised": None if claim is None else claim.promised,
    }
    if report is None:
        return found
    row = next(row for row in report.outcomes[0].comparisons if row.variant == report.leading)
    found["reason"] = report.verdict.reason
    effect = best_difference(readout, row)
    if computable(effect):
        found["itt"] = {"estimate": effect.estimate, "low": effect.low, "high": effect.high, "method": effect.method}
    if row.encouragement is None:
        return found
    one = row.encouragement
    behaviour = best_effect(readout, row)
    if computable(behaviour):
        found["effect"] = {"estimate": behaviour[0], "standard_error": behaviour[1]}
        if readout.plan.method == "always_valid":
            found["effect"]["caution"] = "optimistic"
        elif of_variant(readout, row.variant) is not None and computable(one.effect):
            found["effect"] |= {"caution": "corrected", "naive": one.effect.estimate}
    if computable(one.effect_set):
        found["effect_set"] = {"shape": one.effect_set.shape, "low": one.effect_set.low, "high": one.effect_set.high}
    found["kind"] = str(report.outcomes[0].kind)
    if computable(one.breakdown) and "comparator" not in row.verdict.details:
        found["breakdown"] = one.breakdown
    if computable(one.take_up):
        found["take_up"] = {
            "control": one.take_up.control,
            "variant": one.take_up.variant,
            "difference": one.take_up.difference,
        }
    if computable(one.as_treated):
        found["as_treated"] = one.as_treated
    return found


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    return date(day.year + year, month + 1, min(day.day, 28))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
