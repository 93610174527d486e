"""Direct and spillover effects by saturation and primary outcome, where clusters drew saturations. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from events.metrics import days_needed, parse_metric
from experiments.analyse import behaviour, lab, verdict
from experiments.analyse.codes import Code, Finding, Severity, gravest_first
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.comparison.lab_cells import LabData, lab_behaviours
from experiments.analyse.comparison.protocol import Comparator, comparators, stages_known
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.corrected import correct, measured
from experiments.analyse.decision_table import decide_by_plan
from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.analyse.engine import (
    Judgement,
    compare_all,
    effect_set_at,
    leading_comparison,
    segment_findings,
    set_looks,
)
from experiments.analyse.gather.answers import DENOMINATOR, REACHED, Answers, Audit, Block, Cells
from experiments.analyse.health.all_checks import examine
from experiments.analyse.health.context import StoredContext, expected_shares, stored_context
from experiments.analyse.health.nudge import guardrails_of
from experiments.analyse.outcome_lock import looks_of, maturity_of, units_by_arm
from experiments.analyse.payload_versions import RULES
from experiments.analyse.result import AnalysisResult, ByTimes, Flow, Locked, LookTaken, Maturity, Opened, State
from experiments.analyse.targeting import for_whom
from experiments.analyse.verdict import Detail, Verdict
from experiments.plan import derived
from experiments.plan.analysed import Analysed
from experiments.plan.design import Design, kind_of
from experiments.plan.lab import compared, least_of_a_nudge
from experiments.plan.record import Plan
from stats.ratios import linearised, ratio_point
from stats.results import computable
from stats.saturation import SaturationEffects, saturation_effects
from stats.sequential.looks import Look, told_at
from stats.summaries import Array


def saturation_parts(plan: Plan, cells: Cells, looks: Mapping[str, Look]) -> tuple[SaturationEffects, ...]:
    """Effects of every share above 0 on every primary outcome, at the level of the look; empty without saturations.

    A plan with a behaviour also gets the effects of the user's own and of the peers' behaviour.
    """
    if cells.saturation is None or cells.cluster is None:
        return ()
    look = looks[plan.arms[1]]
    shares = np.array([saturation.share for saturation in derived.saturations(plan)])
    parts = []
    for name in plan.primary:
        block = cells.blocks.get(name)
        if block is None:
            continue
        mask = (block.n > 0) & (cells.saturation >= 0)
        share, nudged = shares[cells.saturation[mask]], (cells.variant[mask] == 1).astype(np.float64)
        values = _values(block, mask, share, nudged)
        did = block.means[mask][:, block.names.index(REACHED)] if REACHED in block.names else None
        for at in shares[shares > 0].tolist():
            effects = saturation_effects(
                values,
                nudged,
                share,
                cells.cluster[mask],
                at=at,
                outcome=name,
                alpha=look.nominal_alpha,
                n=block.n[mask].astype(np.float64),
                behaviour=did,
            )
            parts.append(told_at(effects, look))
    return tuple(parts)


def _values(block: Block, mask: np.ndarray, share: Array, nudged: Array) -> Array:
    """The outcome per cell; a ratio is linearised at the values of its own group."""
    means, covariance, n = block.means[mask], block.covariance[mask], block.n[mask].astype(np.float64)
    if DENOMINATOR not in block.names:
        return np.asarray(means[:, 0])
    values = np.zeros(len(n))
    groups = np.unique(np.column_stack([share, nudged]), axis=0)
    for at, arm in groups.tolist():
        here = (share == at) & (nudged == arm)
        point = ratio_point(n[here], means[here])
        values[here] = linearised(means[here], covariance[here], point)[0][:, 0]
    return values


# Lead the verdict's sentence with the effect per act, where most of the nudge's acts aren't at the threshold.
#
# If every act counts, users who were moved from 4 to 9 times change the outcome without crossing Z = 3, and the
# effect "of crossing" includes the effect of those acts. Pure. Source: docs/methods/verdict.md, "Per act"; Marshall
# 2016.

# docs/methods/verdict.md, "Per act": below this share of the weight at Z, most of it lies elsewhere.
COARSE = 0.5


def per_act(
    outcome: OutcomeReport, by_times: Sequence[ByTimes], data: CellData, looks: Mapping[str, Look]
) -> OutcomeReport:
    """The first outcome's comparisons, with the effect per act added where the verdict must report it.

    Args:
        outcome: judged comparisons.
        by_times: which acts each nudge added.
        data: of the experiment.
        looks: look at which each variant's set is read; the set per act in the same sentence uses it too.
    """
    by_variant = {row.variant: row for row in by_times}
    rows = tuple(_led(outcome.name, row, by_variant.get(row.variant), data, looks) for row in outcome.comparisons)
    return replace(outcome, comparisons=rows)


def _led(outcome: str, row: Comparison, acts: ByTimes | None, data: CellData, looks: Mapping[str, Look]) -> Comparison:
    causal = row.verdict.code in (Code.CAUSES, Code.HARMS) and row.verdict.reason == "behaviour"
    if not causal or acts is None or not computable(acts.weights) or acts.weights.coarsening <= COARSE:
        return row
    labels = data.labels
    other = labels.index(row.compared_with) if row.compared_with else 0
    moments = data.pair(outcome, labels.index(row.variant), against=other).moments(by_times=True)
    details: dict[str, Detail] = {**row.verdict.details, "at_threshold": acts.weights.share_at_threshold}
    if computable(moments):
        whole = effect_set_at(moments, looks[row.variant])
        if whole.bounded and whole.low is not None and whole.high is not None:
            details |= {"act_low": whole.low, "act_high": whole.high}
    return replace(row, verdict=replace(row.verdict, details=details))


# Compute the result from plan and gathered data: state, health, statistics, verdict, path of looks. Pure.

FOUND = (Code.CAUSES, Code.HARMS)


def analyse_answers(
    analysed: Analysed,
    answers: Answers,
    audit: Audit,
    *,
    earlier: Sequence[LookTaken] = (),
    peek: bool = False,
    today: date,
    seed: int = 1,
) -> AnalysisResult:
    """Analyse a stored experiment as far as its plan allows.

    Args:
        analysed: the plan with its logged amendments.
        answers: from the warehouse.
        audit: of the stored assignments.
        earlier: looks taken before this one, oldest first.
        peek: True when a person asked to see the outcome of a fixed plan before its time; the result then says so
            first.
        today: local date.
        seed: stored with the result; seeds the cross-fitting folds.

    Returns:
        A locked result before the outcome may be read, else an opened one.
    """
    plan = analysed.plan
    maturity = maturity_of(analysed, answers, looks=earlier, peek=peek, today=today)
    outcomes = tuple(name for name in plan.outcomes if name in answers.cells.blocks)
    data = _data(analysed, answers, outcomes)
    stages = lab.first_stages(plan, data) if isinstance(data, LabData) else behaviour.first_stages(plan, answers, data)
    design = _design(plan, data, answers.cells)
    against = comparators(design, data.labels, stages_known(stages, plan.alpha), plan.expected_take_up)
    context = stored_context(
        analysed,
        answers,
        maturity,
        audit,
        first_stage=stages,
        guardrails=guardrails_of(compared(plan), data),
        comparators=against,
        earlier=tuple(earlier),
    )
    findings = examine(context)
    invalid = tuple(finding.invalid for finding in findings if finding.invalid is not None)
    locked = _locked(analysed, answers, context, findings, seed)
    if isinstance(data, LabData):
        locked = replace(locked, take_ups=lab.take_ups(plan, data))
    result: AnalysisResult = locked
    if maturity.state is State.OPEN:
        result = _opened(locked, answers, data, design, against, invalid, earlier, today)
    elif invalid:
        # Broken data are reported before maturity too, since waiting won't fix them.
        result = replace(locked, verdict=Verdict(Code.INVALID, invalid[0]))
    return replace(result, decision=decide_by_plan(result, data, earlier))


def _data(analysed: Analysed, answers: Answers, outcomes: tuple[str, ...]) -> CellData:
    plan = analysed.plan
    parts = answers.cells, outcomes, answers.bins, plan.same_split, plan.adjustment, analysed.prediction
    if plan.is_lab:
        nudges = tuple(nudge.key for nudge in plan.nudges)
        return LabData(*parts, nudges=nudges, behaviours=lab_behaviours(plan))
    if answers.cells.cluster is None:
        return CellData(*parts)
    inside = tuple(0 < saturation.share < 1 for saturation in derived.saturations(plan)) if plan.inside_clusters else ()
    judged = (*plan.primary, *plan.secondary)
    return ClusterData(*parts, inside, tuple(name for name in plan.guardrails if name not in judged))


def _locked(
    analysed: Analysed, answers: Answers, context: StoredContext, findings: tuple[Finding, ...], seed: int
) -> Locked:
    return Locked(
        analysed=analysed,
        maturity=context.maturity,
        flow=_flow(analysed.plan, answers),
        sample_ratio=context.split.found,
        health=findings,
        first_stage=context.first_stage,
        verdict=None,
        path=context.earlier,
        data_end=answers.data_end.isoformat(),
        time_zone=answers.time_zone,
        events=answers.events,
        seed=seed,
        rules=RULES,
    )


def _design(plan: Plan, data: CellData, cells: Cells) -> Design:
    """The comparisons' design from the plan, with the cells' segments and covariates."""
    by_arm = compared(plan)
    if plan.is_lab:
        by_arm = replace(by_arm, smallest_effect=least_of_a_nudge(plan))
    return derived.design(
        by_arm,
        outcomes=data.outcomes,
        covariates=cells.covariates,
        segmented=len(cells.segments) > 1,
        shares=expected_shares(plan, cells),
    )


def _opened(
    locked: Locked,
    answers: Answers,
    data: CellData,
    design: Design,
    against: Mapping[str, Comparator],
    invalid: tuple[str, ...],
    earlier: Sequence[LookTaken],
    today: date,
) -> Opened:
    """The result with the outcomes, of which `locked` has none."""
    plan, maturity = locked.plan, locked.maturity
    looks = looks_of(plan, maturity, earlier, {label: comparator.label for label, comparator in against.items()})
    outcomes = compare_all(design, data, Judgement(invalid, looks, against, plan.primary))
    hidden = behaviour.hidden_parts(plan, looks)
    sets = set_looks(design, looks)
    by_times = behaviour.by_times(plan, answers, data, outcomes[0], sets)
    first = per_act(outcomes[0], by_times, data, sets)
    outcomes = (for_whom(design, data, first, looks, seed=locked.seed), *outcomes[1:])
    leading = leading_comparison(design, outcomes[0])
    concluded, variant, notes = _standing_verdict(plan, design, leading, earlier, against)
    notes += segment_findings(outcomes[0], variant)
    findings = gravest_first((*locked.health, *notes))
    taken = _looks_taken(plan, maturity, answers, outcomes[0], looks, today)
    tau = float(max(days_needed(parse_metric(plan.primary[0])) - plan.churn_gap, 1))
    report = _report(locked, answers, design, outcomes, leading=variant, verdict=concluded, health=findings)
    if isinstance(data, LabData):
        arms_over_time, over_time = lab.over_time(plan, answers, data, tau, looks)
        reading = None if invalid else lab.read_together(plan, data, looks)
    else:
        arms_over_time = behaviour.arms_over_time(plan, answers, tau, looks)
        over_time = behaviour.over_time(plan, answers, data, tau, looks)
        reading = None
    return Opened(
        analysed=locked.analysed,
        maturity=maturity,
        flow=locked.flow,
        sample_ratio=locked.sample_ratio,
        first_stage=locked.first_stage,
        data_end=locked.data_end,
        time_zone=locked.time_zone,
        events=locked.events,
        seed=locked.seed,
        rules=locked.rules,
        health=findings,
        verdict=concluded,
        report=report,
        path=(*earlier, *taken),
        beliefs=() if "beliefs" in hidden else behaviour.beliefs(data, outcomes, alpha=plan.alpha),
        shrunk=behaviour.shrunk_segments(outcomes[0], looks),
        through=behaviour.throughs(plan, answers, data, outcomes[0], looks),
        by_times=by_times,
        dose=None if "dose" in hidden else behaviour.dose_arms(plan, data, outcomes[0], looks),
        arms_over_time=arms_over_time,
        over_time=over_time,
        corrected=correct(plan, maturity, outcomes[0], earlier),
        hidden=hidden,
        saturation=saturation_parts(plan, answers.cells, looks),
        take_ups=locked.take_ups,
        lab=reading,
    )


def _report(
    locked: Locked,
    answers: Answers,
    design: Design,
    outcomes: tuple[OutcomeReport, ...],
    *,
    leading: str,
    verdict: Verdict,
    health: tuple[Finding, ...],
) -> Report:
    """The part of the result that a file's report has, too."""
    unknown = sum(answers.unknown_variants.values())
    left_out = {"several_variants": answers.no_first_arm, "missing_cluster": answers.no_cluster}
    left_out |= {"unknown_variant": unknown, "no_signup": answers.no_signup}
    return Report(
        source=locked.plan.key,
        design=design,
        rows=sum(locked.maturity.exposed.values()) + answers.no_first_arm + unknown,
        units=locked.maturity.exposed,
        excluded={name: n for name, n in left_out.items() if n},
        sample_ratio=locked.sample_ratio,
        sample_ratio_passed=all(finding.invalid != "srm" for finding in locked.health),
        outcomes=outcomes,
        health=health,
        verdict=verdict,
        leading=leading,
        clusters=ClusterData(answers.cells, (), {}).counts() or None,
    )


def _standing_verdict(
    plan: Plan, design: Design, ahead: Comparison, earlier: Sequence[LookTaken], against: Mapping[str, Comparator]
) -> tuple[Verdict, str, list[Finding]]:
    """The verdict with earlier looks: a crossed bound stays crossed, even if later data make the effect uncertain.

    The arm that crossed leads, whichever is ahead today. Only looks at the same outcome and clock count.
    """
    now, able = ahead.verdict, design.may_lead(plan.arms[1:])
    crossed = [
        look
        for look in earlier
        if look.verdict in FOUND
        and not look.peeked
        and look.variant in able
        and look.measured == measured(plan, against[look.variant].label)
    ]
    undecided = now.code is Code.INCONCLUSIVE or (now.code, now.reason) == (Code.NUDGE_FAILED, "weak_first_stage")
    if not crossed or not undecided:
        return now, ahead.variant, []
    first = crossed[0]
    note = Finding("crossed_earlier", Severity.INFO, {"day": first.on.isoformat(), "share": first.fraction})
    facts: dict[str, verdict.Detail] = {
        "outcome": plan.primary[0],
        "variant": first.variant,
        "day": first.on.isoformat(),
        "estimate": first.estimate,
        "low": first.low,
        "high": first.high,
        "kind": str(kind_of(plan.primary[0])),
    }
    if plan.claim is not None and plan.cluster and not plan.inside_clusters:
        facts["cluster"] = plan.cluster
    if against[first.variant].label != plan.arms[0]:
        facts["comparator"] = against[first.variant].label
    elif plan.claim is not None:
        # In version 0.4 it was the limit of that look's interval nearer to 0 (docs/methods/encouragement.md).
        nearer = first.low if first.estimate > 0 else first.high
        facts["breakdown"] = nearer if first.breakdown is None else first.breakdown
    return Verdict(Code(first.verdict), "crossed", facts), first.variant, [note]


def _looks_taken(
    plan: Plan, maturity: Maturity, answers: Answers, outcome: OutcomeReport, looks: Mapping[str, Look], today: date
) -> list[LookTaken]:
    taken = []
    for row in outcome.comparisons:
        if not computable(row.difference) or row.difference.standard_error <= 0:
            continue
        look, effect = looks[row.variant], row.difference
        taken.append(
            LookTaken(
                on=answers.data_end.date(),
                measured=measured(plan, row.compared_with or plan.arms[0]),
                variant=row.variant,
                units=look.units,
                fraction=maturity.fraction,
                estimate=effect.estimate,
                low=effect.low,
                high=effect.high,
                z=effect.estimate / effect.standard_error,
                critical=look.multiplier,
                p_value=effect.p_value,
                verdict=str(row.verdict.code),
                peeked=maturity.peeked,
                rule=maturity.rule,
                shown=today,
                breakdown=_breakdown(row),
            )
        )
    return taken


def _breakdown(row: Comparison) -> float | None:
    breakdown = None if row.encouragement is None else row.encouragement.breakdown
    return breakdown if breakdown is not None and computable(breakdown) else None


def _flow(plan: Plan, answers: Answers) -> Flow:
    cells, by_day = answers.cells, answers.exposures_by_day
    if plan.is_lab:  # up to 256 sets of nudges a day would be most of what a night stores
        days: Counter[date] = Counter()
        for day, _set, n in by_day:
            days[day] += n
        by_day = tuple((day, "", n) for day, n in sorted(days.items()))
    several = answers.several_variants or answers.identity_conflicts or answers.no_first_arm
    return Flow(
        exposed=units_by_arm(cells, cells.exposed),
        several_variants=answers.several_variants,
        unknown_variants=dict(answers.unknown_variants),
        no_signup=answers.no_signup,
        mature={name: units_by_arm(cells, block.n) for name, block in cells.blocks.items()},
        by_day=by_day,
        not_admitted=answers.not_admitted,
        unverified=answers.unverified,
        no_cluster=answers.no_cluster,
        identity_conflicts=answers.identity_conflicts,
        no_first_arm=answers.no_first_arm if several else None,
        apart=answers.apart,
    )
