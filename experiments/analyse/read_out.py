"""From a plan and the warehouse's answers to the readout: state, health, statistics, verdict, path. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from events.metrics import days_needed, parse_metric
from experiments.analyse import behaviour, verdict
from experiments.analyse.codes import Code
from experiments.analyse.comparator import Comparator, comparators, kept_at
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.corrected import correct, measured
from experiments.analyse.effects import OutcomeReport, Report
from experiments.analyse.engine import Judgement, compare_all, leading_comparison, segment_findings
from experiments.analyse.gather.answers import Answers
from experiments.analyse.health import context as live_context
from experiments.analyse.health import file_checks, stored_checks
from experiments.analyse.health.context import Audit, Context
from experiments.analyse.health.file_checks import Finding, Severity
from experiments.analyse.health.split import at_any_look
from experiments.analyse.outcome_lock import looks_of, planned_pair, standing_of, units_by_arm
from experiments.analyse.per_act import per_act
from experiments.analyse.result import Flow, LookTaken, Readout, Standing, State
from experiments.analyse.verdict import Verdict
from experiments.plan import derived
from experiments.plan.design import Design, kind_of
from experiments.plan.planned import Planned
from stats.results import Estimate, NotComputable, computable
from stats.sequential.looks import Look, at_look

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
        plan: as it stands, with its logged amendments.
        answers: of the warehouse.
        audit: of the stored assignments.
        earlier: looks taken before this one, oldest first.
        peek: a person asked to see the outcome of a fixed plan before its time; the readout then says so first.
        today: local date.
        seed: kept with the result; nothing here draws at random.

    Returns:
        The readout. Before the outcome may be read it holds the state, the health and the take-up, and nothing else.
    """
    standing = standing_of(plan, answers, looks=earlier, peek=peek, today=today)
    split = live_context.split_of(plan, answers)
    if not standing.final:
        split = at_any_look(plan, answers, split)
    data = CellData(
        answers.cells,
        tuple(name for name in plan.outcomes if name in answers.cells.blocks),
        answers.bins,
        plan.same_split,
    )
    stages = behaviour.first_stages(plan, answers, data)
    design = derived.design(
        plan,
        outcomes=data.outcomes,
        covariates=answers.cells.covariates,
        segmented=len(answers.cells.segments) > 1,
        shares=live_context.expected_shares(plan, answers.cells),
    )
    known = live_context.stages_known(stages, plan.alpha)
    against = comparators(design, data.labels, known, plan.take_up, kept_at(plan, standing, earlier))
    context = Context(
        plan=plan,
        answers=answers,
        standing=standing,
        audit=audit,
        sample_ratio=split,
        first_stage=stages,
        guardrails=_guardrails(plan, data),
        running=plan.enrolment_ended is None,
        today=today,
        earlier=tuple(earlier),
        comparators=against,
    )
    findings = stored_checks.examine(context)
    invalid = tuple(finding.invalid for finding in findings if finding.invalid is not None)
    found = Readout(
        plan=plan, standing=standing, flow=_flow(plan, answers), sample_ratio=split, health=findings,
        first_stage=stages, verdict=None, report=None, path=tuple(earlier), beliefs=(), shrunk=(), through=(),
        by_times=(), dose=None, arms_over_time=(), over_time=(), data_end=answers.data_end.isoformat(),
        time_zone=answers.time_zone, events=answers.events, seed=seed,
    )  # fmt: skip
    if standing.state is State.PENDING:
        # Broken data are broken before maturity too, and waiting won't mend them.
        return replace(found, verdict=Verdict(Code.INVALID, invalid[0])) if invalid else found
    return _opened(found, answers, data, design, against, invalid, earlier, today)


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
    by_times = behaviour.by_times(plan, answers, data, outcomes[0], looks)
    outcomes = (per_act(outcomes[0], by_times, data, looks), *outcomes[1:])
    leading = leading_comparison(design, outcomes[0])
    concluded, variant, notes = _standing_verdict(plan, leading.verdict, leading.variant, earlier, against)
    notes += segment_findings(outcomes[0], variant)
    findings = file_checks.sorted_findings((*found.health, *notes))
    taken = _looks_taken(plan, standing, answers, outcomes[0], looks, today)
    tau = float(max(days_needed(parse_metric(plan.primary[0])) - plan.churn_gap, 1))
    report = Report(
        source=plan.key,
        design=design,
        rows=sum(standing.exposed.values()) + answers.several_variants + sum(answers.unknown_variants.values()),
        units=standing.exposed,
        excluded={
            name: n
            for name, n in (
                ("several_variants", answers.several_variants),
                ("unknown_variant", sum(answers.unknown_variants.values())),
                ("no_signup", answers.no_signup),
            )
            if n
        },
        sample_ratio=found.sample_ratio,
        sample_ratio_passed="srm" not in invalid,
        outcomes=outcomes,
        health=findings,
        verdict=concluded,
        leading=variant,
    )
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
    )


def _standing_verdict(
    plan: Planned, now: Verdict, variant: str, earlier: Sequence[LookTaken], against: Mapping[str, Comparator]
) -> tuple[Verdict, str, list[Finding]]:
    """A bound that was crossed stays crossed: later data can make a found effect uncertain again, not unfound.

    The arm that crossed leads, whichever is ahead today. What another outcome or clock once found is another finding.
    """
    crossed = [
        look
        for look in earlier
        if look.verdict in FOUND
        and not look.peeked
        and look.variant in plan.variants
        and look.measured == measured(plan, against[look.variant].label)
        and look.variant != plan.placebo
    ]
    undecided = now.code is Code.INCONCLUSIVE or (now.code, now.reason) == (Code.NUDGE_FAILED, "weak_first_stage")
    if not crossed or not undecided:
        return now, variant, []
    first = crossed[0]
    note = Finding("crossed_earlier", Severity.INFO, {"day": first.on.isoformat(), "share": first.fraction})
    facts: dict[str, verdict.Detail] = {
        "outcome": plan.primary[0], "variant": first.variant, "day": first.on.isoformat(),
        "estimate": first.estimate, "low": first.low, "high": first.high, "kind": str(kind_of(plan.primary[0])),
    }  # fmt: skip
    if against[first.variant].label != plan.variants[0]:
        facts["comparator"] = against[first.variant].label
    elif plan.claim is not None:
        # The end of that look's interval nearer to 0 is its breakdown value (METHODS 4.16).
        facts["breakdown"] = first.low if first.estimate > 0 else first.high
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
            )
        )
    return taken


def _guardrails(plan: Planned, data: CellData) -> dict[tuple[str, str], Estimate | NotComputable]:
    """Guardrails are watched every night, whatever the plan's method: by an interval that allows it."""
    found: dict[tuple[str, str], Estimate | NotComputable] = {}
    for name in (one for one in plan.guardrails if one in data.order):
        for code, label in enumerate(plan.variants[1:], start=1):
            pair = data.pair(name, code)
            units = pair.control.n + pair.variant.n
            if min(pair.control.n, pair.variant.n) < stored_checks.GUARDRAIL_UNITS:
                continue
            look = Look(plan.alpha, "always_valid", units=units, planned_units=planned_pair(plan, label))
            found[name, label] = at_look(pair.difference(alpha=look.nominal_alpha), look)
    return found


def _flow(plan: Planned, answers: Answers) -> Flow:
    cells = answers.cells
    return Flow(
        exposed=units_by_arm(cells, cells.exposed),
        several_variants=answers.several_variants,
        unknown_variants=dict(answers.unknown_variants),
        no_signup=answers.no_signup,
        mature={name: units_by_arm(cells, block.n) for name, block in cells.blocks.items()},
        by_day=answers.exposures_by_day,
        not_admitted=answers.not_admitted,
        unverified=answers.unverified,
    )
