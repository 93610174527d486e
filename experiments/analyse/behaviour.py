"""In-depth parts of an analysis: take-up, behaviour, dose, time. Pure: computed from cells and counts alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from experiments.analyse.comparison.warehouse_cells import CellData, CellPair
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.gather.answers import REACHED, Answers
from experiments.analyse.result import ArmOverTime, Belief, ByTimes, FirstStage, OverTime, Shrunk, Through
from experiments.plan.design import Kind
from experiments.plan.record import Plan
from stats.bayes import Posterior, beta_binomial, normal_posterior
from stats.cells import pool_cells
from stats.heterogeneity import shrink
from stats.instrument.bounds import Bounds, balke_pearl
from stats.instrument.compliers import Trait, complier_levels, complier_shares, complier_trait
from stats.instrument.dose import DoseTest, DoseWeights, dose_test, dose_weights, response_of
from stats.instrument.encouragement import TakeUp, effect_on_behaviour, first_stage, per_protocol, wald
from stats.instrument.placebo import Placebo
from stats.instrument.tf import tf_adjusted
from stats.instrument.validity import inequalities_at
from stats.iv_moments import IvMoments, iv_moments
from stats.novelty import Novelty, effect_by_week
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.looks import Look, told_at
from stats.summaries import Joint, Mean
from stats.survival.day_curve import curve_difference, day_shares
from stats.survival.kaplan_meier import Durations, at_risk_table, kaplan_meier
from stats.survival.logrank import curves_cross, stratified_log_rank
from stats.survival.rmst import compare_restricted_means

# A longer profile would be unreadable.
MOST_TRAITS = 40
AT_RISK_POINTS = 5


type Looks = Mapping[str, Look]


def is_interim(look: Look) -> bool:
    """True for any look but the last of a plan with several looks."""
    return look.is_repeated and not look.final


def strictest(looks: Looks) -> Look:
    """The look with the largest critical value: parts that concern all arms together are judged at it."""
    return min(looks.values(), key=lambda look: look.nominal_alpha)


def hidden_parts(plan: Plan, looks: Looks) -> tuple[str, ...]:
    """Codes of the parts held back until the final analysis: no valid level is known for them at an interim look."""
    if not is_interim(strictest(looks)):
        return ()
    of_behaviour = () if plan.claim is None else ("bounds",)
    return (*of_behaviour, *(("dose",) if plan.doses else ()), "novelty", "beliefs")


def first_stages(plan: Plan, answers: Answers, data: CellData) -> tuple[FirstStage, ...]:
    """Take-up of each variant among units whose behaviour window is over, whether or not their outcome is known."""
    if plan.claim is None:
        return ()
    counts = {label: [0, 0] for label in plan.arms}
    for label, times, units in answers.times:
        counts[label][0] += units if times >= plan.claim.times else 0
        counts[label][1] += units
    control = Mean.from_counts(*counts[plan.arms[0]])
    stages = []
    for label in plan.arms[1:]:
        whole = _take_up(control, Mean.from_counts(*counts[label]), plan.alpha)
        # The warehouse counts times neither by segment nor by cluster, but mature units by both.
        if not plan.same_split or plan.cluster:
            whole = _pooled_take_up(data.pair(plan.primary[0], plan.arms.index(label)), plan.alpha)
        stages.append(FirstStage(label, whole, tuple(_by_segment(plan, answers, label))))
    return tuple(stages)


def _by_segment(plan: Plan, answers: Answers, label: str) -> Iterator[tuple[str, TakeUp | NotComputable]]:
    """Take-up by segment, of units with a known first outcome; the level holds for all segments jointly."""
    cells, block = answers.cells, answers.cells.blocks[plan.primary[0]]
    # The error of one segment is unknown when clusters reach into several segments.
    if REACHED not in block.names or len(cells.segments) < 2 or plan.cluster:
        return
    place, code = block.names.index(REACHED), cells.variants.index(label)
    for segment, name in enumerate(cells.segments):
        arms = []
        for variant in (0, code):
            mask = (cells.segment == segment) & (cells.variant == variant)
            arms.append(pool_cells(block.n[mask], block.means[mask], block.covariance[mask]).column(place))
        yield name, _take_up(arms[0], arms[1], plan.alpha / len(cells.segments))


def _pooled_take_up(pair: CellPair, alpha: float) -> TakeUp | NotComputable:
    moments = pair.moments()
    return first_stage(moments, *pair.take_up(), alpha=alpha) if computable(moments) else moments


def _take_up(control: Mean, variant: Mean, alpha: float) -> TakeUp | NotComputable:
    least = min(control.n, variant.n)
    if least < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": least, "needed": 2})
    error = control.variance / control.n + variant.variance / variant.n
    moved = variant.mean - control.mean
    moments = IvMoments(moved, moved, error, error, error, control.n, variant.n)
    return first_stage(moments, control.mean, variant.mean, alpha=alpha)


def beliefs(data: CellData, outcomes: Sequence[OutcomeReport], *, alpha: float) -> tuple[Belief, ...]:
    """Bayesian figures of every variant against control: beta-binomial for a share, else normal with a flat prior.

    Compared with control even where the plan has a placebo: "the chance to beat control" is about nudging everybody.
    """
    figures = []
    for outcome in outcomes:
        for code, row in enumerate(outcome.comparisons, start=1):
            figures.append(Belief(outcome.name, row.variant, _posterior(data.pair(outcome.name, code), row, alpha)))
    return tuple(figures)


def _posterior(pair: CellPair, row: Comparison, alpha: float) -> Posterior | NotComputable:
    plain = not pair.by_lin and not pair.clustered
    if pair.kind is Kind.PROPORTION and len(pair.strata) < 2 and plain:
        return beta_binomial(pair.control, pair.variant, alpha=alpha)
    difference = row.difference if row.against_control is None else row.against_control
    if not computable(difference):
        return difference
    return normal_posterior(difference.estimate, difference.standard_error, alpha=alpha)


def shrunk_segments(outcome: OutcomeReport, looks: Looks) -> tuple[Shrunk, ...]:
    """Segment effects after empirical-Bayes shrinkage; empty with fewer than two segments."""
    segments = []
    for row in outcome.comparisons:
        known = [(stratum.segment, stratum.difference) for stratum in row.by_segment if computable(stratum.difference)]
        look = looks[row.variant]
        pulled = told_at(shrink([effect for _name, effect in known], alpha=look.nominal_alpha), look)
        if computable(pulled):
            segments.append(Shrunk(row.variant, tuple(name for name, _effect in known), pulled))
    return tuple(segments)


# ── The behaviour ─────────────────────────────────────────────────────────────
def throughs(plan: Plan, answers: Answers, data: CellData, outcome: OutcomeReport, looks: Looks) -> tuple[Through, ...]:
    """The validity panel of each variant that nudges towards the behaviour, at the look's level."""
    if plan.claim is None:
        return ()
    placebo = None
    if plan.placebo_arm is not None:
        arm = data.pair(outcome.name, plan.arms.index(plan.placebo_arm))
        at = looks[plan.placebo_arm]
        placebo = told_at(
            Placebo(arm.difference(alpha=at.nominal_alpha), effect_on_behaviour(arm.moments(), alpha=at.nominal_alpha)),
            at,
        )
    panels = []
    for code, label in enumerate(plan.arms[1:], start=1):
        if label == plan.placebo_arm:
            continue
        pair = data.pair(outcome.name, code, against=_against(plan, outcome, label))
        whole, look = _whole(pair), looks[label]
        alpha = look.nominal_alpha
        traits = tuple(_traits(answers, outcome.name, code, alpha)) if computable(whole) else ()
        panels.append(
            Through(
                variant=label,
                shares=told_at(complier_shares(*whole, alpha=alpha), look) if computable(whole) else whole,
                levels=told_at(complier_levels(*whole, alpha=alpha), look) if computable(whole) else whole,
                traits=tuple((name, told_at(trait, look)) for name, trait in traits),
                bounds=NotComputable(Reason.NOT_AT_A_LOOK)
                if is_interim(look)
                else told_at(_bounds(pair, whole, alpha), look),
                inequalities=inequalities_at(pair.inequalities(), look),
                tf=NotComputable(Reason.ONE_LOOK_ONLY) if look.is_repeated else _tf(pair, plan.alpha),
                placebo=placebo,
                per_protocol=per_protocol(*whole) if computable(whole) else whole,
            )
        )
    return tuple(panels)


def _against(plan: Plan, outcome: OutcomeReport, variant: str) -> int:
    """Index of the arm that a variant is compared with: control, or the placebo."""
    row = next((row for row in outcome.comparisons if row.variant == variant), None)
    return plan.arms.index(row.compared_with) if row is not None and row.compared_with else 0


def _whole(pair: CellPair) -> tuple[Joint, Joint] | NotComputable:
    """Both arms over all segments; not computable with clusters or where segments have different planned splits."""
    if pair.clustered:
        return NotComputable(Reason.WHOLE_CLUSTERS if pair.whole_clusters else Reason.CLUSTERED)
    return pair.joints() if pair.same_split else NotComputable(Reason.SPLIT_DIFFERS)


def _bounds(pair: CellPair, whole: tuple[Joint, Joint] | NotComputable, alpha: float) -> Bounds | NotComputable:
    if not computable(whole):
        return whole
    if pair.kind is not Kind.PROPORTION:
        return NotComputable(Reason.NOT_A_PROPORTION)
    test = pair.inequalities()
    return balke_pearl(*whole, rejected=computable(test) and test.p_value < alpha, alpha=alpha)


def _tf(pair: CellPair, alpha: float) -> Estimate | NotComputable:
    moments = pair.moments()
    if not computable(moments):
        return moments
    ratio = wald(moments, alpha=alpha)
    return tf_adjusted(ratio, moments) if computable(ratio) else ratio


def _traits(answers: Answers, outcome: str, code: int, alpha: float) -> Iterator[tuple[str, Trait | NotComputable]]:
    """Shares of covariate levels and segments among compliers and among all units."""
    cells, block = answers.cells, answers.cells.blocks[outcome]
    reached = block.names.index(REACHED)
    columns = [
        (f"{name} = {level or '–'}", cells.covariate[:, place] == number)
        for place, name in enumerate(cells.covariates)
        for number, level in enumerate(cells.levels[place])
    ]
    if len(cells.segments) > 1:
        columns += [(label or "–", cells.segment == number) for number, label in enumerate(cells.segments)]
    for name, inside in columns[:MOST_TRAITS]:
        arms = []
        for variant in (0, code):
            mask = cells.variant == variant
            pooled = pool_cells(
                block.n[mask], block.means[mask], block.covariance[mask], inside[mask].astype(np.float64)[:, None]
            )
            arms.append(pooled.take(len(block.names), reached))
        if computable(iv_moments(*arms)):
            yield name, complier_trait(arms[0], arms[1], alpha=alpha)


def by_times(plan: Plan, answers: Answers, data: CellData, outcome: OutcomeReport, looks: Looks) -> tuple[ByTimes, ...]:
    """Effect of one further act, and the numbers of acts that each nudge added.

    Acts are no outcome, so they are read at the plain level. The effect is read as the verdict's set is: `looks` are
    those of `experiments.analyse.engine.set_looks`.
    """
    if plan.claim is None:
        return ()
    histograms = {label: {t: n for variant, t, n in answers.times if variant == label} for label in plan.arms}
    rows = []
    for code, label in enumerate(plan.arms[1:], start=1):
        if label == plan.placebo_arm:
            continue
        other = _against(plan, outcome, label)
        pair = data.pair(outcome.name, code, against=other)
        whole = pair.whole_clusters
        moments = NotComputable(Reason.WHOLE_CLUSTERS) if whole else pair.moments(by_times=True)
        weights: DoseWeights | NotComputable = NotComputable(Reason.SPLIT_DIFFERS)
        if plan.cluster:
            weights = NotComputable(Reason.CLUSTERED)
        elif plan.same_split:
            base = histograms[plan.arms[other]]
            weights = dose_weights(base, histograms[label], plan.claim.times, alpha=plan.alpha)
        look = looks[label]
        response = told_at(response_of(moments, alpha=look.nominal_alpha), look) if computable(moments) else moments
        rows.append(ByTimes(label, response, weights))
    return tuple(rows)


def dose_arms(plan: Plan, data: CellData, outcome: OutcomeReport, looks: Looks) -> DoseTest | None:
    """Test of a step against a dose response, where arms nudge to different numbers of times."""
    codes = [code for code, label in enumerate(plan.arms) if code and label != plan.placebo_arm]
    if plan.claim is None or not plan.doses or len(codes) < 2 or not plan.same_split or plan.cluster:
        return None
    other = _against(plan, outcome, plan.arms[codes[0]])  # all arms have the same comparator
    arms = [data.pair(outcome.name, code, against=other).joints() for code in codes]
    look = strictest(looks)
    return told_at(dose_test(arms[0][0], [variant for _control, variant in arms], alpha=look.nominal_alpha), look)


# ── Over time ─────────────────────────────────────────────────────────────────
def durations_of(answers: Answers, variant: str, segment: str | None = None) -> Durations:
    """Times to churn of one arm, in one segment or in all of them."""
    rows = [row for row in answers.durations if row[0] == variant and segment in (None, row[1])]
    days = sorted({row[2] for row in rows})
    counts = {True: dict.fromkeys(days, 0), False: dict.fromkeys(days, 0)}
    for _variant, _segment, day, churned, units in rows:
        counts[churned][day] += units
    return Durations(
        np.array(days, dtype=np.float64),
        np.array([counts[True][day] for day in days], dtype=np.int64),
        np.array([counts[False][day] for day in days], dtype=np.int64),
    )


def arms_over_time(plan: Plan, answers: Answers, tau: float, looks: Looks) -> tuple[ArmOverTime, ...]:
    """Day-n shares, time to churn and numbers at risk of each arm, at the look's level."""
    look = strictest(looks)
    days = sorted({round(tau * step / (AT_RISK_POINTS - 1)) for step in range(AT_RISK_POINTS)})
    groups = [durations_of(answers, label) for label in plan.arms]
    at_risk = at_risk_table(groups, [float(day) for day in days])
    return tuple(
        ArmOverTime(
            label,
            () if plan.cluster else told_at(day_shares(_days(answers, label), alpha=look.nominal_alpha), look),
            NotComputable(Reason.CLUSTERED)
            if plan.cluster
            else told_at(kaplan_meier(group, alpha=look.nominal_alpha), look),
            tuple(zip(days, row, strict=True)),
        )
        for label, group, row in zip(plan.arms, groups, at_risk, strict=True)
    )


def over_time(plan: Plan, answers: Answers, data: CellData, tau: float, looks: Looks) -> tuple[OverTime, ...]:
    """Each variant against control: day-n difference, log-rank by segment, mean days, novelty; at the look's level.

    The novelty tests wait for the final analysis: no level is known for them at an interim look.
    """
    control = plan.arms[0]
    segments = sorted({row[1] for row in answers.durations})
    waits = NotComputable(Reason.NOT_AT_A_LOOK)
    rows = []
    for code, label in enumerate(plan.arms[1:], start=1):
        pairs = [
            (durations_of(answers, control, segment), durations_of(answers, label, segment)) for segment in segments
        ]
        whole, look = (durations_of(answers, control), durations_of(answers, label)), looks[label]
        alpha = look.nominal_alpha
        weeks = _weeks(answers, data, plan.primary[0], code) if plan.same_split else []
        row = OverTime(
            variant=label,
            days=curve_difference(_days(answers, control), _days(answers, label), alpha=alpha),
            log_rank=stratified_log_rank([pair for pair in pairs if len(pair[0].times) and len(pair[1].times)]),
            crossing=curves_cross(*whole, alpha=alpha),
            restricted=compare_restricted_means(*whole, tau=tau, alpha=alpha),
            tau=tau,
            novelty=Novelty((), waits, waits) if is_interim(look) else effect_by_week(weeks, alpha=alpha),
        )
        if not plan.same_split:
            unlike = NotComputable(Reason.SPLIT_DIFFERS)
            row = replace(row, days=unlike, crossing=unlike, restricted=unlike)
        if plan.cluster:  # their errors count units as independent
            group = NotComputable(Reason.CLUSTERED)
            row = replace(row, days=group, log_rank=group, crossing=group, restricted=group)
            row = replace(row, novelty=Novelty((), group, group))
        rows.append(told_at(row, look))
    return tuple(rows)


def _days(answers: Answers, label: str) -> dict[int, tuple[int, int]]:
    return {day: (eligible, active) for variant, day, eligible, active in answers.curve if variant == label}


def _weeks(answers: Answers, data: CellData, outcome: str, code: int) -> list[tuple[date, Mean, Mean]]:
    weeks = []
    for number, week in enumerate(answers.cells.weeks):
        pair = data.pair(outcome, code, week=number)
        if pair.control.n + pair.variant.n:
            weeks.append((week, pair.control, pair.variant))
    return weeks
