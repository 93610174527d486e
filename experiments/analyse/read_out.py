"""Compute the readout from plan and gathered data: state, health, statistics, verdict, path of looks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from events.metrics import days_needed, parse_metric
from experiments.analyse import behaviour, verdict
from experiments.analyse.codes import Code
from experiments.analyse.comparator import Comparator, comparators, stages_known
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.comparison.saturation_effects import saturation_parts
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.corrected import correct, measured
from experiments.analyse.decision_table import decide_by_plan
from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.analyse.engine import Judgement, compare_all, leading_comparison, segment_findings, set_looks
from experiments.analyse.findings import Finding, Severity, gravest_first
from experiments.analyse.for_whom.first_outcome import for_whom
from experiments.analyse.gather.answers import Answers, Audit, Cells
from experiments.analyse.health.all_checks import examine
from experiments.analyse.health.guardrails import guardrails_of
from experiments.analyse.health.stored_context import StoredContext, expected_shares, stored_context
from experiments.analyse.older_rules import RULES
from experiments.analyse.outcome_lock import looks_of, standing_of, units_by_arm
from experiments.analyse.per_act import per_act
from experiments.analyse.result import Flow, LookTaken, Readout, Standing, State
from experiments.analyse.verdict import Verdict
from experiments.plan import derived
from experiments.plan.design import Design, kind_of
from experiments.plan.planned import Planned
from stats.results import computable
from stats.sequential.looks import Look

FOUND = (Code.CAUSES, Code.HARMS)


def read_out(
    plan: Planned,
    answers: Answers,
    audit: Audit,
    *,
    earlier: Sequence[LookTaken] = (),
    peek: bool = False,
    today: date,
    seed: int = 1,
) -> Readout:
    """Analyse a stored experiment as far as its plan allows.

    Args:
        plan: with its logged amendments.
        answers: from the warehouse.
        audit: of the stored assignments.
        earlier: looks taken before this one, oldest first.
        peek: True when a person asked to see the outcome of a fixed plan before its time; the readout then says so
            first.
        today: local date.
        seed: stored with the result; seeds the cross-fitting folds.

    Returns:
        The readout. Before the outcome may be read it holds only the state, the health and the take-up.
    """
    standing = standing_of(plan, answers, looks=earlier, peek=peek, today=today)
    outcomes = tuple(name for name in plan.outcomes if name in answers.cells.blocks)
    data = _data(plan, answers, outcomes)
    stages = behaviour.first_stages(plan, answers, data)
    design = _design(plan, data, answers.cells)
    against = comparators(design, data.labels, stages_known(stages, plan.alpha), plan.take_up)
    context = stored_context(
        plan,
        answers,
        standing,
        audit,
        first_stage=stages,
        guardrails=guardrails_of(plan, data),
        comparators=against,
        earlier=tuple(earlier),
    )
    findings = examine(context)
    invalid = tuple(finding.invalid for finding in findings if finding.invalid is not None)
    found = _locked(plan, answers, context, findings, seed)
    if standing.state is State.PENDING:
        # Broken data are reported before maturity too, since waiting won't fix them.
        found = replace(found, verdict=Verdict(Code.INVALID, invalid[0])) if invalid else found
    else:
        found = _opened(found, answers, data, design, against, invalid, earlier, today)
    return replace(found, decision=decide_by_plan(found, data, earlier))


def _data(plan: Planned, answers: Answers, outcomes: tuple[str, ...]) -> CellData:
    parts = answers.cells, outcomes, answers.bins, plan.same_split, plan.adjustment, plan.prediction
    if answers.cells.cluster is None:
        return CellData(*parts)
    inside = tuple(0 < one.share < 1 for one in plan.saturations) if plan.inside_clusters else ()
    judged = (*plan.primary, *plan.secondary)
    return ClusterData(*parts, inside, tuple(name for name in plan.guardrails if name not in judged))


def _locked(
    plan: Planned, answers: Answers, context: StoredContext, findings: tuple[Finding, ...], seed: int
) -> Readout:
    """The readout while the outcome is locked."""
    return Readout(
        plan=plan,
        standing=context.standing,
        flow=_flow(plan, answers),
        sample_ratio=context.split.found,
        health=findings,
        first_stage=context.first_stage,
        verdict=None,
        report=None,
        path=context.earlier,
        beliefs=(),
        shrunk=(),
        through=(),
        by_times=(),
        dose=None,
        arms_over_time=(),
        over_time=(),
        data_end=answers.data_end.isoformat(),
        time_zone=answers.time_zone,
        events=answers.events,
        seed=seed,
        rules=RULES,
    )


def _design(plan: Planned, data: CellData, cells: Cells) -> Design:
    """The comparisons' design from the plan, with the cells' segments and covariates."""
    return derived.design(
        plan,
        outcomes=data.outcomes,
        covariates=cells.covariates,
        segmented=len(cells.segments) > 1,
        shares=expected_shares(plan, cells),
    )


def _opened(
    found: Readout,
    answers: Answers,
    data: CellData,
    design: Design,
    against: Mapping[str, Comparator],
    invalid: tuple[str, ...],
    earlier: Sequence[LookTaken],
    today: date,
) -> Readout:
    plan, standing = found.plan, found.standing
    looks = looks_of(plan, standing, earlier, {label: one.label for label, one in against.items()})
    outcomes = compare_all(design, data, Judgement(invalid, looks, against, plan.primary))
    hidden = behaviour.hidden_parts(plan, looks)
    sets = set_looks(design, looks)
    by_times = behaviour.by_times(plan, answers, data, outcomes[0], sets)
    first = per_act(outcomes[0], by_times, data, sets)
    outcomes = (for_whom(design, data, first, looks, seed=found.seed), *outcomes[1:])
    leading = leading_comparison(design, outcomes[0])
    concluded, variant, notes = _standing_verdict(plan, design, leading, earlier, against)
    notes += segment_findings(outcomes[0], variant)
    findings = gravest_first((*found.health, *notes))
    taken = _looks_taken(plan, standing, answers, outcomes[0], looks, today)
    tau = float(max(days_needed(parse_metric(plan.primary[0])) - plan.churn_gap, 1))
    report = _report(found, answers, design, outcomes, leading=variant, verdict=concluded, health=findings)
    return replace(
        found,
        health=findings,
        verdict=concluded,
        report=report,
        path=(*earlier, *taken),
        beliefs=() if "beliefs" in hidden else behaviour.beliefs(data, outcomes, alpha=plan.alpha),
        shrunk=behaviour.shrunk_segments(outcomes[0], looks),
        through=behaviour.throughs(plan, answers, data, outcomes[0], looks),
        by_times=by_times,
        dose=None if "dose" in hidden else behaviour.dose_arms(plan, data, outcomes[0], looks),
        arms_over_time=behaviour.arms_over_time(plan, answers, tau, looks),
        over_time=behaviour.over_time(plan, answers, data, tau, looks),
        corrected=correct(plan, standing, outcomes[0], earlier),
        hidden=hidden,
        saturation=saturation_parts(plan, answers.cells, looks),
    )


def _report(
    found: Readout,
    answers: Answers,
    design: Design,
    outcomes: tuple[OutcomeReport, ...],
    *,
    leading: str,
    verdict: Verdict,
    health: tuple[Finding, ...],
) -> Report:
    """The part of the readout that a file's report has, too."""
    unknown = sum(answers.unknown_variants.values())
    left_out = {"several_variants": answers.no_first_arm, "missing_cluster": answers.no_cluster}
    left_out |= {"unknown_variant": unknown, "no_signup": answers.no_signup}
    return Report(
        source=found.plan.key,
        design=design,
        rows=sum(found.standing.exposed.values()) + answers.no_first_arm + unknown,
        units=found.standing.exposed,
        excluded={name: n for name, n in left_out.items() if n},
        sample_ratio=found.sample_ratio,
        sample_ratio_passed=all(finding.invalid != "srm" for finding in found.health),
        outcomes=outcomes,
        health=health,
        verdict=verdict,
        leading=leading,
        clusters=ClusterData(answers.cells, (), {}).counts() or None,
    )


def _standing_verdict(
    plan: Planned, design: Design, ahead: Comparison, earlier: Sequence[LookTaken], against: Mapping[str, Comparator]
) -> tuple[Verdict, str, list[Finding]]:
    """The verdict with earlier looks: a crossed bound stays crossed, even if later data make the effect uncertain.

    The arm that crossed leads, whichever is ahead today. Only looks at the same outcome and clock count.
    """
    now, able = ahead.verdict, design.may_lead(plan.variants[1:])
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
    if against[first.variant].label != plan.variants[0]:
        facts["comparator"] = against[first.variant].label
    elif plan.claim is not None:
        # In version 0.4 it was the limit of that look's interval nearer to 0 (docs/methods/encouragement.md).
        nearer = first.low if first.estimate > 0 else first.high
        facts["breakdown"] = nearer if first.breakdown is None else first.breakdown
    return Verdict(Code(first.verdict), "crossed", facts), first.variant, [note]


def _looks_taken(
    plan: Planned, standing: Standing, answers: Answers, outcome: OutcomeReport, looks: Mapping[str, Look], today: date
) -> list[LookTaken]:
    taken = []
    for row in outcome.comparisons:
        if not computable(row.difference) or row.difference.standard_error <= 0:
            continue
        look, effect = looks[row.variant], row.difference
        taken.append(
            LookTaken(
                on=answers.data_end.date(),
                measured=measured(plan, row.compared_with or plan.variants[0]),
                variant=row.variant,
                units=look.units,
                fraction=standing.fraction,
                estimate=effect.estimate,
                low=effect.low,
                high=effect.high,
                z=effect.estimate / effect.standard_error,
                critical=look.multiplier,
                p_value=effect.p_value,
                verdict=str(row.verdict.code),
                peeked=standing.peeked,
                rule=standing.rule,
                shown=today,
                breakdown=_breakdown(row),
            )
        )
    return taken


def _breakdown(row: Comparison) -> float | None:
    found = None if row.encouragement is None else row.encouragement.breakdown
    return found if found is not None and computable(found) else None


def _flow(plan: Planned, answers: Answers) -> Flow:
    cells = answers.cells
    several = answers.several_variants or answers.identity_conflicts or answers.no_first_arm
    return Flow(
        exposed=units_by_arm(cells, cells.exposed),
        several_variants=answers.several_variants,
        unknown_variants=dict(answers.unknown_variants),
        no_signup=answers.no_signup,
        mature={name: units_by_arm(cells, block.n) for name, block in cells.blocks.items()},
        by_day=answers.exposures_by_day,
        not_admitted=answers.not_admitted,
        unverified=answers.unverified,
        no_cluster=answers.no_cluster,
        identity_conflicts=answers.identity_conflicts,
        no_first_arm=answers.no_first_arm if several else None,
        apart=answers.apart,
    )
