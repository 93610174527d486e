"""From units to report: summaries, comparisons, health, verdict. Pure; file and stored experiments share it."""

from dataclasses import replace

import numpy as np
from scipy import stats

from events.reasons import NotComputable, Reason, computable
from experiments import health, verdict
from experiments.design import Design, Kind, Outcome, Units
from experiments.pair import Pair, itt_difference, pair_of, standard_error
from experiments.report import (
    ArmValue,
    Comparison,
    Encouragement,
    OutcomeReport,
    Report,
)
from experiments.stats import adjust, compare, encouragement
from experiments.stats.instruments import IvMoments, iv_moments, iv_moments_adjusted
from experiments.stats.multiplicity import holm
from experiments.stats.results import Estimate, Interval
from experiments.stats.summaries import Mean
from experiments.stats.validity import instrument_inequalities
from experiments.stats.weak_instrument import AndersonRubin, anderson_rubin
from experiments.within import adjust_all, segment_effects, stratified_effects

# Lee, McCrary, Moreira and Porter (2022): below this first-stage F a plain interval at 1.96 isn't a 5 % interval.
RELIABLE_F = 104.7


def analyze(source: str, design: Design, units: Units) -> Report:
    """Analyse a finished experiment.

    Args:
        source: name shown on the report.
        design: the choices fixed before the outcome was read.
        units: the cleaned units.

    Returns:
        The whole report; numbers that can't be computed are in it as reasons.
    """
    split = health.split_of(design, units)
    findings = health.examine(health.Context(design, units, split))
    invalid = tuple(finding.invalid for finding in findings if finding.invalid is not None)
    outcomes = _with_verdicts(design, [_outcome(design, units, outcome) for outcome in units.outcomes], units, invalid)
    return Report(
        source=source,
        design=design,
        rows=units.rows,
        units=units.counts,
        excluded=units.excluded,
        sample_ratio=split,
        sample_ratio_passed="srm" not in invalid,
        outcomes=outcomes,
        health=findings,
        verdict=_leading(design, outcomes[0]).verdict,
        leading=_leading(design, outcomes[0]).variant,
    )


def _leading(design: Design, outcome: OutcomeReport) -> Comparison:
    """The comparison with the smallest adjusted p; Holm makes ties, so the raw p decides among them.

    A placebo arm only tests the others: it never leads.
    """

    def key(row: Comparison) -> tuple[float, float]:
        adjusted = row.adjusted_p if computable(row.adjusted_p) else 2.0
        return adjusted, row.difference.p_value if computable(row.difference) else 2.0

    return min((row for row in outcome.comparisons if row.variant != design.placebo), key=key)


# ── One outcome ───────────────────────────────────────────────────────────────
def _outcome(design: Design, units: Units, outcome: Outcome) -> OutcomeReport:
    values = {label: _arm_value(design, units, outcome, code) for code, label in enumerate(units.labels)}
    comparisons = tuple(
        _comparison(design, label, pair_of(units, outcome, code))
        for code, label in enumerate(units.labels)
        if code != 0
    )
    return OutcomeReport(outcome.name, outcome.kind, values, comparisons)


def _arm_value(design: Design, units: Units, outcome: Outcome, code: int) -> ArmValue:
    kept = (units.arm == code) & ~np.isnan(outcome.values)
    values = outcome.values[kept]
    n = len(values)
    missing = NotComputable(Reason.NO_DATA if n == 0 else Reason.TOO_FEW_UNITS)
    if n == 0:
        return ArmValue(0, missing, missing, missing)
    mean = float(values.mean())
    error: float | NotComputable = missing
    interval: Interval | NotComputable = missing
    if n > 1:
        clusters = None if units.cluster is None else units.cluster[kept]
        if clusters is not None and len(np.unique(clusters)) < 2:
            few = NotComputable(Reason.TOO_FEW_CLUSTERS)
            return ArmValue(n, mean, few, few)
        error = standard_error(values, clusters)
        if outcome.kind is Kind.PROPORTION and clusters is None:
            interval = compare.wilson(int(values.sum()), n, alpha=design.alpha)
        else:
            df = n - 1 if clusters is None else max(len(np.unique(clusters)) - 1, 1)
            half = float(stats.t.isf(design.alpha / 2, df)) * error
            interval = Interval(mean, mean - half, mean + half, design.level, "mean-interval")
    return ArmValue(n, mean, error, interval)


# ── One comparison ────────────────────────────────────────────────────────────
def _comparison(design: Design, label: str, pair: Pair) -> Comparison:
    difference = itt_difference(pair, alpha=design.alpha)
    by_segment = segment_effects(pair, alpha=design.alpha)
    return Comparison(
        variant=label,
        difference=difference,
        adjusted_p=NotComputable(Reason.NO_DATA),
        lift=_lift(pair, difference, alpha=design.alpha),
        covariate_adjusted=_adjusted(pair, alpha=design.alpha),
        stratified=stratified_effects(pair, by_segment, alpha=design.alpha),
        by_segment=by_segment,
        encouragement=_encouragement(pair, alpha=design.alpha),
        verdict=verdict.Verdict(verdict.Code.INCONCLUSIVE, "too_small"),
    )


def _lift(pair: Pair, difference: Estimate | NotComputable, *, alpha: float) -> Interval | NotComputable:
    if not computable(difference):
        return difference
    control, variant = pair.control, pair.variant
    if pair.cluster is not None:
        # The lift needs each arm's own error; between clusters it is larger than between rows.
        control, variant = (
            replace(arm, variance=standard_error(pair.values[kept], pair.cluster[kept]) ** 2 * arm.n)
            for arm, kept in ((control, ~pair.treated), (variant, pair.treated))
        )
    return compare.lift(control, variant, alpha=alpha)


def _adjusted(pair: Pair, *, alpha: float) -> adjust.Adjusted | NotComputable | None:
    if pair.covariates is None:
        return None
    if pair.cluster is not None:
        return adjust.lin_clustered(pair.values, pair.treated, pair.covariates, pair.cluster, alpha=alpha)
    return adjust.lin(*pair.columns(pair.values, pair.covariates), alpha=alpha)


# ── The behaviour ─────────────────────────────────────────────────────────────
def _moments(pair: Pair) -> IvMoments | NotComputable:
    if pair.behaviour is None:
        raise ValueError("an encouragement analysis needs a behaviour")
    if pair.cluster is not None:
        empty = np.empty((len(pair.values), 0))
        return iv_moments_adjusted(
            pair.values, pair.behaviour, pair.treated.astype(float), empty, clusters=pair.cluster
        )
    return iv_moments(*pair.columns(pair.values, pair.behaviour))


def _encouragement(pair: Pair, *, alpha: float) -> Encouragement | None:
    if pair.behaviour is None:
        return None
    pair = pair.with_behaviour
    if pair.behaviour is None:
        return None
    moments = _moments(pair)
    if not computable(moments):
        return Encouragement(moments, moments, None, moments, moments, ())
    control, variant = pair.columns(pair.values, pair.behaviour)
    take_up = encouragement.first_stage(moments, control.column(1).mean, variant.column(1).mean, alpha=alpha)
    effect = encouragement.wald(moments, alpha=alpha)
    adjusted: Estimate | NotComputable | None = None
    if pair.covariates is not None:
        adjusted = encouragement.two_stage(
            pair.values,
            pair.behaviour,
            pair.treated.astype(float),
            pair.covariates,
            clusters=pair.cluster,
            alpha=alpha,
        )
    effect_set = anderson_rubin(moments, alpha=alpha)
    as_treated = encouragement.as_treated(control, variant)
    return Encouragement(
        take_up, effect, adjusted, effect_set, as_treated, _warnings(take_up, effect, effect_set, as_treated)
    )


def _warnings(
    take_up: encouragement.TakeUp | NotComputable,
    effect: Estimate | NotComputable,
    effect_set: AndersonRubin | NotComputable,
    as_treated: float | NotComputable,
) -> tuple[str, ...]:
    found: list[str] = []
    if computable(as_treated):
        found.append("as_treated")
    if computable(take_up) and computable(take_up.f_statistic) and take_up.f_statistic < RELIABLE_F:
        found.append("weak_nudge")
    if computable(effect_set) and not effect_set.bounded:
        found.append("unbounded_set")
    if computable(effect):
        found.append("compliers_only")
    return tuple(found)


# ── Verdicts ──────────────────────────────────────────────────────────────────
def _with_verdicts(
    design: Design, outcomes: list[OutcomeReport], units: Units, invalid: tuple[str, ...]
) -> tuple[OutcomeReport, ...]:
    """Holm over the family (all outcomes and variants), then each comparison's verdict."""
    family = [row.difference for outcome in outcomes for row in outcome.comparisons]
    adjusted = iter(adjust_all([effect.p_value if computable(effect) else effect for effect in family], holm))
    done: list[OutcomeReport] = []
    for outcome, data in zip(outcomes, units.outcomes, strict=True):
        rows = tuple(replace(row, adjusted_p=next(adjusted)) for row in outcome.comparisons)
        placebo = next((row.difference for row in rows if row.variant == design.placebo), None)
        judged = tuple(
            replace(row, verdict=verdict.decide(_with_placebo(evidence, row, design, placebo)))
            for code, row in enumerate(rows, start=1)
            for evidence in [_evidence(design, outcome.name, row, pair_of(units, data, code), invalid)]
        )
        done.append(replace(outcome, comparisons=judged))
    return tuple(done)


def _with_placebo(
    evidence: verdict.Evidence, row: Comparison, design: Design, placebo: Estimate | NotComputable | None
) -> verdict.Evidence:
    """What the placebo arm did speaks about the other arms; about itself it is no control."""
    return evidence if row.variant == design.placebo else replace(evidence, placebo=placebo)


def _evidence(design: Design, outcome: str, row: Comparison, pair: Pair, invalid: tuple[str, ...]) -> verdict.Evidence:
    narrow_alpha = 2 * design.alpha
    names: dict[str, verdict.Detail] = {"outcome": outcome, "variant": row.variant}
    if design.behaviour is not None:
        names["behaviour"] = design.behaviour
    plain = verdict.Evidence(
        kind=pair.kind,
        names=names,
        invalid=invalid,
        enough=all(_enough(pair.kind, arm) for arm in (pair.control, pair.variant)),
        few_clusters=_few_clusters(pair),
        alpha=design.alpha,
        difference=row.difference,
        narrow=itt_difference(pair, alpha=narrow_alpha),
        adjusted_p=row.adjusted_p,
        # The margin is in the unit of the primary outcome and says nothing about the others.
        margin=design.margin if outcome == design.outcomes[0] else None,
    )
    found = row.encouragement
    if found is None:
        return plain
    if not computable(found.take_up):
        return replace(plain, behaviour_missing=found.take_up.reason)
    if not computable(found.effect_set):
        return replace(plain, behaviour_missing=found.effect_set.reason)
    known = pair.with_behaviour
    if known.behaviour is None:
        return plain
    moments = _moments(known)
    narrow_set = anderson_rubin(moments, alpha=narrow_alpha) if computable(moments) else moments
    return replace(
        plain,
        take_up=found.take_up,
        effect_set=found.effect_set,
        narrow_set=narrow_set if computable(narrow_set) else None,
        inequalities=instrument_inequalities(known.values, known.behaviour, known.treated, clusters=known.cluster),
    )


def _few_clusters(pair: Pair) -> bool:
    """Below five clusters in an arm no verdict: even with Satterthwaite's correction the test can't be trusted."""
    if pair.cluster is None:
        return False
    fewest = min(len(np.unique(pair.cluster[arm])) for arm in (pair.treated, ~pair.treated))
    return fewest < verdict.MIN_CLUSTERS


def _enough(kind: Kind, arm: Mean) -> bool:
    if arm.n < verdict.MIN_UNITS:
        return False
    return kind is not Kind.PROPORTION or min(arm.successes, arm.n - arm.successes) >= verdict.MIN_EVENTS
