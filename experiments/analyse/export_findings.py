"""Export the findings of final analyses to the behaviour that they tested, as moments of a comparison."""

from dataclasses import replace
from datetime import date
from math import sqrt
from typing import Any

import structlog
from django.db.models import CharField, Exists, OuterRef, QuerySet
from django.db.models.functions import Cast

from aha.evidence.findings import Definition, OutcomeMoments, PastFinding, outcome_moments
from aha.evidence.store_findings import add_plain, keep_findings, lacking_plain
from aha.models import Finding
from aha.moments.claims import Promised, PromisedDifference, promised
from aha.moments.promote import say_of_clusters
from experiments.analyse.codes import Code
from experiments.analyse.corrected import best_difference, of_variant
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, NudgeMoments, Opened
from experiments.analyse.verdict import WHOLE_CLUSTERS
from experiments.models import Analysis
from runs.payloads import Unreadable
from stats.instrument.causes import State
from stats.iv_moments import IvMoments
from stats.results import computable

# The five moments of a comparison stored in findings: as measured for pools, and corrected for planned looks.
#
# Pure.

Z = 1.959963984540054  # the evidence ladder's intervals have level .95
VERDICTS = {State.CAUSES: Code.CAUSES, State.HARMS: Code.HARMS, State.NO_MATERIAL_EFFECT: Code.NO_MATERIAL_EFFECT}
NO_ITT = 1e-9  # in standard errors: below it the Wald error doesn't determine the covariance


def findings_of(result: AnalysisResult, promise: Promised) -> list[PastFinding]:
    """Finding of each arm that nudges, on the first outcome; empty without a moment under test.

    Args:
        result: of the final analysis.
        promise: the effect promised by the moment's evidence.
    """
    plan = result.plan
    if plan.is_lab:
        return lab_findings(result, promise)
    if not isinstance(result, Opened) or plan.claim is None:
        return []
    claim, outcome = plan.claim, result.report.outcomes[0]
    definition = Definition(claim.behaviour, claim.times, claim.days, outcome.name)
    about_this = Definition(claim.behaviour, claim.times, claim.days, claim.retention).same == definition.same
    best = promise.adjusted
    findings, place = [], 0
    for row in outcome.comparisons:
        if row.variant == plan.placebo_arm:
            continue
        place += 1
        moments = measured_moments(result, outcome, row)
        if moments is None:
            continue
        entry = finding(outcome, row, definition, place, moments, plan.arms[0])
        findings.append(
            replace(
                entry,
                name=plan.name or plan.key,
                origin="experiment",
                source=plan.key,
                placebo=entry.comparator == plan.placebo_arm,
                caution="optimistic" if plan.method == "always_valid" else "",
                started=result.analysed.history.started,
                ended=date.fromisoformat(result.data_end[:10]),
                promised=best.estimate if best is not None and about_this else None,
                promised_error=error_of(best) if best is not None and about_this else None,
                corrected=corrected_moments(result, row, moments),
                outcomes=every_outcome(result, row.variant, (claim.behaviour, claim.times)),
            )
        )
    return findings


def lab_findings(result: AnalysisResult, promise: Promised) -> list[PastFinding]:
    """Finding of each nudge of a lab on its own behaviour, with all behaviours beside it.

    Each nudge has a source of its own, the key of its flag: it is an instrument of its own, since nudges that are
    drawn by themselves share users without sharing errors (docs/methods/joint.md, "Experiments that share users").
    With at most M nudges at once their errors covary, which findings can't hold: such a lab has none.
    """
    plan, claim = result.plan, result.analysed.plan.claim
    few = plan.most_nudges is not None and plan.most_nudges < len(plan.nudges)
    if not isinstance(result, Opened) or result.lab is None or claim is None or few:
        return []
    first, states = result.report.outcomes[0], _codes(result)
    findings = []
    for nudge in plan.nudges:
        led = nudge.behaviour, nudge.times
        outcomes = tuple(_of_lab(result, row, led) for row in result.lab.moments if row.nudge == nudge.key)
        row = next(row for row in first.comparisons if row.variant == nudge.key)
        if not outcomes or outcomes[0].outcome != first.name:
            continue
        moments = _own_moments(outcomes[0])
        about = Definition(*led, claim.days, first.name)
        claimed = Definition(claim.behaviour, claim.times, claim.days, claim.retention).same == about.same
        best = promise.adjusted if claimed else None
        stage = next((stage.take_up for stage in result.first_stage if stage.variant == nudge.key), None)
        findings.append(
            PastFinding(
                name=f"{plan.name or plan.key} · {nudge.name or nudge.key}",
                origin="experiment",
                source=f"{plan.key}.{nudge.key}",
                variant=nudge.key,
                comparator=plan.arms[0],
                definition=about,
                kind=str(first.kind),
                moments=moments,
                verdict=states[led],
                started=result.analysed.history.started,
                ended=date.fromisoformat(result.data_end[:10]),
                reach=stage.control if stage is not None and computable(stage) else None,
                promised=None if best is None else best.estimate,
                promised_error=None if best is None else error_of(best),
                corrected=corrected_moments(result, row, moments),
                outcomes=outcomes,
            )
        )
    return findings


def _codes(result: Opened) -> dict[tuple[str, int], str]:
    """The verdict on each behaviour of a lab that its state amounts to."""
    rows = () if result.lab is None else result.lab.behaviours
    return {(row.behaviour, row.times): str(VERDICTS.get(row.place.state, Code.INCONCLUSIVE)) for row in rows}


def code_on_moment(result: AnalysisResult, code: str) -> str:
    """The verdict on the behaviour under test; of a lab that of its joint reading, not that of a nudge.

    Args:
        result: of the final analysis.
        code: of its verdict.
    """
    claim = result.analysed.plan.claim
    if not isinstance(result, Opened) or result.lab is None or claim is None:
        return code
    return _codes(result).get((claim.behaviour, claim.times), str(Code.INCONCLUSIVE))


def _of_lab(result: Opened, row: NudgeMoments, led: tuple[str, int]) -> OutcomeMoments:
    """A nudge's moments on one outcome with its own behaviour first."""
    acts = [] if result.lab is None else [(one.behaviour, one.times) for one in result.lab.behaviours]
    order = [acts.index(led), *(place for place, act in enumerate(acts) if act != led)]
    places = [0, *(1 + place for place in order)]
    kinds = {outcome.name: str(outcome.kind) for outcome in result.report.outcomes}
    return OutcomeMoments(
        row.outcome,
        kinds[row.outcome],
        tuple(acts[place][0] for place in order),
        tuple(acts[place][1] for place in order),
        tuple(row.effects[place] for place in places),
        tuple(tuple(row.covariance[one][other] for other in places) for one in places),
        row.n_control,
        row.n_variant,
    )


def _own_moments(row: OutcomeMoments) -> IvMoments:
    (v_r, c_rd), v_d = row.covariance[0][:2], row.covariance[1][1]
    return IvMoments(row.effects[0], row.effects[1], v_r, v_d, c_rd, row.n_control, row.n_variant)


def every_outcome(result: Opened, variant: str, own: tuple[str, int]) -> tuple[OutcomeMoments, ...]:
    """What a variant did to every registered outcome and all measured behaviours, as measured; for joint readings."""
    registered = {other.behaviour: other for other in result.plan.others}
    found = []
    for outcome in result.report.outcomes:
        row = next((row for row in outcome.comparisons if row.variant == variant), None)
        moments = None if row is None else measured_moments(result, outcome, row)
        if row is None or row.encouragement is None or moments is None:
            continue
        stored = row.encouragement.other_moments
        others = None if stored is None else stored.moments()
        names = () if others is None else others.names
        found.append(
            outcome_moments(
                outcome.name,
                str(outcome.kind),
                own,
                moments,
                others,
                [registered[name].times for name in names],
                [name for name in names if registered[name].consequence],
            )
        )
    return tuple(found)


def finding(
    outcome: OutcomeReport, row: Comparison, definition: Definition, place: int, moments: IvMoments, control: str
) -> PastFinding:
    """The part of a finding that stored experiments and files share; the caller fills in the rest."""
    behaviour = row.encouragement
    reach = None if behaviour is None or not computable(behaviour.take_up) else behaviour.take_up.control
    return PastFinding(
        name="",
        origin="file",
        source="",
        variant=row.variant,
        comparator=(behaviour.comparator if behaviour is not None else "") or control,
        definition=definition,
        kind=str(outcome.kind),
        moments=moments,
        verdict=str(row.verdict.code),
        started=date.min,
        ended=date.min,
        place=place,
        reach=reach,
        shared=None if behaviour is None or moments != behaviour.moments else behaviour.shared,
        whole_clusters=behaviour is not None and WHOLE_CLUSTERS in behaviour.warnings,
    )


def promised_by(promise: Promised) -> dict[str, float | None]:
    """The evidence ladder's headline with its standard error, as columns of a finding."""
    best = promise.adjusted
    return {} if best is None else {"promised": best.estimate, "promised_error": error_of(best)}


def error_of(best: PromisedDifference) -> float | None:
    """Standard error of a promised difference, from its interval of level .95."""
    return None if best.low is None or best.high is None else (best.high - best.low) / (2 * Z)


def measured_moments(result: AnalysisResult, outcome: OutcomeReport, row: Comparison) -> IvMoments | None:
    """Moments of a comparison as measured, uncorrected for its stopping rule; None where they aren't known.

    Over all final analyses the information-weighted mean of plain effects is unbiased under any stopping rule (Wald's
    identity): an early stop has a large effect and a small weight. Corrected ones make a pool 4 to 9 % too small.

    Source: Schou and Marschner 2013.
    """
    behaviour = row.encouragement
    if behaviour is None:
        return None
    return (
        behaviour.moments
        if behaviour.moments is not None
        else found_again(behaviour, row, outcome, result.plan.arms[0])
    )


def corrected_moments(opened: Opened, row: Comparison, measured: IvMoments) -> IvMoments | None:
    """The moments with the effect corrected for the plan's looks; None for a plan with one look.

    The correction moves the effect on the outcome and widens its error; the correlation of both effects stays.
    """
    best = best_difference(opened, row)
    if of_variant(opened, row.variant) is None or not computable(best) or measured.v_r <= 0:
        return None
    scale = best.standard_error / sqrt(measured.v_r)
    return replace(measured, itt=best.estimate, v_r=best.standard_error**2, c_rd=measured.c_rd * scale)


def found_again(behaviour: Encouragement, row: Comparison, outcome: OutcomeReport, control: str) -> IvMoments | None:
    """Moments recovered from a payload that doesn't store them.

    The Wald ratio b = ITT/FS has the variance (V_R - 2 b C + b^2 V_D)/FS^2 (docs/methods/encouragement.md, "Wald"):
    solved for C. Both other variances are the squared errors of ITT and first stage. With an ITT of 0 the ratio doesn't
    determine C.
    """
    itt = row.difference
    if not computable(itt) or not computable(behaviour.take_up) or not computable(behaviour.effect):
        return None
    b, stage = behaviour.effect.estimate, behaviour.take_up.difference
    v_r, v_d = itt.standard_error**2, behaviour.take_up.standard_error**2
    if v_r <= 0 or v_d <= 0 or abs(itt.estimate) < NO_ITT * sqrt(v_r):
        return None
    c_rd = (v_r + b * b * v_d - (behaviour.effect.standard_error * stage) ** 2) / (2 * b)
    most = sqrt(v_r * v_d)
    units = (outcome.values[behaviour.comparator or control].n, outcome.values[row.variant].n)
    return IvMoments(itt.estimate, stage, v_r, v_d, max(-most, min(most, c_rd)), *units)


# Store the findings of final analyses with the behaviour that they tested, also for analyses of earlier versions.

log = structlog.get_logger()
READ_AT_ONCE = 20  # payloads per query; one has about 100 kB


def export_findings_of(analysis: Analysis, readout: AnalysisResult) -> None:
    """Store a final analysis's finding on its behaviour, whatever its verdict: pools need failures too."""
    moment = analysis.experiment.moment
    evidence = None if moment is None else moment.evidence
    keep_findings(findings_of(readout, promised(evidence)), analysis=str(analysis.pk))


def hand_on_missing(**_signal: Any) -> int:
    """After migrate: store the findings of final analyses of earlier versions; returns for how many.

    Not a migration step: which numbers are corrected for looks is a rule of this code, and a stored finding is never
    changed. Corrected findings of version 0.4 get the measured moments added.
    """
    _add_plain()
    stored = Finding.objects.filter(origin=Finding.Origin.EXPERIMENT, analysis=Cast(OuterRef("pk"), CharField()))
    rows = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, experiment__moment__isnull=False)
    _say_of_clusters(rows)
    count = 0
    waiting = rows.filter(~Exists(stored)).select_related("experiment__moment").order_by("pk")
    for analysis in waiting.iterator(chunk_size=READ_AT_ONCE):
        readout = READOUT.read(analysis.payload or {})
        if isinstance(readout, Unreadable):
            continue  # the analysis's own page reports it
        try:
            export_findings_of(analysis, readout)
            count += 1
        except Exception:  # one broken result must not stop a migration
            log.exception("finding.not_kept", experiment=analysis.experiment.key)
    return count


def _add_plain() -> None:
    """Add measured moments to findings that lack them; without a readable analysis a finding stays corrected."""
    for key, variant in lacking_plain():
        analysis = Analysis.objects.filter(pk=key).first() if key.isdecimal() else None
        readout = None if analysis is None else READOUT.read(analysis.payload or {})
        if readout is None or isinstance(readout, Unreadable):
            continue
        try:
            for entry in findings_of(readout, Promised()):
                if entry.variant == variant and entry.corrected is not None:
                    add_plain(entry, key)
        except Exception:  # one broken result must not stop a migration
            log.exception("finding.not_plain", analysis=key)


def _say_of_clusters(rows: QuerySet[Analysis]) -> None:
    """Mark the moments whose findings by version 0.4 came from experiments that assigned whole clusters."""
    waiting = rows.exclude(experiment__cluster="").exclude(experiment__moment__finding__has_key="cluster")
    for analysis in waiting.select_related("experiment__moment").iterator(chunk_size=READ_AT_ONCE):
        moment = analysis.experiment.moment
        readout = READOUT.read(analysis.payload or {})
        if moment is None or isinstance(readout, Unreadable) or (moment.finding or {}).get("analysis") != analysis.pk:
            continue
        if readout.whole_clusters:
            say_of_clusters(moment=moment, cluster=readout.whole_clusters)
