"""One comparison inside segments, and what direct effects and other behaviours would leave of it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments.analyse.comparison.protocol import Pair
from experiments.analyse.effects import Encouragement, SegmentEffect, Stratified
from experiments.analyse.others import OtherRow, StoredOthers
from experiments.plan.design import Kind, Other
from stats import heterogeneity, stratified
from stats.instrument.encouragement import first_stage
from stats.instrument.exclusion import (
    ZERO_BAND,
    DirectRange,
    ZeroFirstStage,
    blind_spot,
    breakdown_value,
    default_range,
    range_grid,
    sensitivity,
    union_of_sets,
    unmoved_group,
    zero_first_stage,
)
from stats.instrument.other_behaviours import describe_others, under_others
from stats.iv_moments import IvMoments
from stats.multiplicity import benjamini_hochberg
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.sequential.looks import Look, at_look, told_at
from stats.summaries import Mean

# One comparison inside segments, pooled over them, and the test of whether segments differ. Pure.

# docs/methods/comparison.md, "Cochran Q": sparser segments are pooled before any test.
SEGMENT_UNITS = 50
SEGMENT_EVENTS = 10
OTHER_SEGMENT = "other"


def strata_of(pair: Pair) -> tuple[list[tuple[str, Mean, Mean]], tuple[str, ...]]:
    """Summaries per segment, with sparse segments pooled as "other"; and the labels that were pooled."""
    inside = pair.by_segment()
    if inside is None:
        return [], ()
    rows: list[tuple[str, Mean, Mean]] = []
    pooled: list[str] = []
    other = (Mean(0, 0.0, 0.0), Mean(0, 0.0, 0.0))
    for label, control, variant in inside:
        if control.n + variant.n == 0:
            continue
        if _sparse(pair.kind, control) or _sparse(pair.kind, variant):
            pooled.append(label)
            other = (other[0] + control, other[1] + variant)
        else:
            rows.append((label, control, variant))
    if other[0].n + other[1].n:
        labels = [label for label, *_ in inside]
        name = f"({OTHER_SEGMENT})" if OTHER_SEGMENT in labels and OTHER_SEGMENT not in pooled else OTHER_SEGMENT
        rows.append((name if len(pooled) > 1 else pooled[0], *other))
    return rows, tuple(pooled) if len(pooled) > 1 else ()


def _sparse(kind: Kind, arm: Mean) -> bool:
    events = min(arm.successes, arm.n - arm.successes) if kind is Kind.PROPORTION else SEGMENT_EVENTS
    return arm.n < SEGMENT_UNITS or events < SEGMENT_EVENTS


def stratified_effects(pair: Pair, effects: tuple[SegmentEffect, ...], look: Look) -> Stratified | None:
    """The comparison pooled over segments and the test whether ``effects`` differ; None without segments."""
    if pair.by_segment() is None:
        return None
    alpha = look.nominal_alpha
    rows, pooled = strata_of(pair)
    # Mantel-Haenszel handles sparse strata; pooling them first would bring back the confounding that strata remove.
    segments = pair.by_segment() if pair.kind is Kind.PROPORTION else rows
    strata = [(control, variant) for _, control, variant in segments or [] if control.n > 0 and variant.n > 0]
    not_share = NotComputable(Reason.CLUSTERED if pair.clustered else Reason.NOT_A_PROPORTION)
    plain = pair.kind is Kind.PROPORTION and not pair.clustered
    return Stratified(
        risk_difference=at_look(pair.pooled(strata, alpha=alpha), look),
        odds_ratio=_odds_ratio(strata, look) if plain else not_share,
        cmh_p_value=_cmh_p(strata, look) if plain else not_share,
        heterogeneity=told_at(_heterogeneity(pair, effects), look),
        odds_ratio_heterogeneity_p=_breslow_day_p(strata, look) if plain else not_share,
        interaction_p=_interaction_p(strata, look) if plain else not_share,
        population=not_share if pair.clustered else at_look(_population(pair, strata, alpha), look),
        pooled=pooled,
    )


def _population(pair: Pair, strata: list[tuple[Mean, Mean]], alpha: float) -> Estimate | NotComputable:
    """The effect on the whole population; a ratio's pooled difference is standardised already: ratios don't add up."""
    if pair.kind is Kind.RATIO:
        return pair.pooled(strata, alpha=alpha)
    return heterogeneity.population_difference(strata, alpha=alpha)


def _odds_ratio(strata: list[tuple[Mean, Mean]], look: Look) -> Interval | NotComputable:
    """Mantel-Haenszel odds ratio at the look's critical value; its stated level is that of all looks together."""
    ratio = stratified.odds_ratio(strata, alpha=look.nominal_alpha)
    return replace(ratio, level=1 - look.alpha) if computable(ratio) else ratio


def _heterogeneity(pair: Pair, effects: tuple[SegmentEffect, ...]) -> stratified.Heterogeneity | NotComputable:
    """Cochran's Q over the testable segments; not computable when clusters reach into several segments."""
    if not pair.segments_apart:
        return NotComputable(Reason.CLUSTERED)
    return stratified.heterogeneity([row.difference for row in effects if computable(row.difference)])


def _cmh_p(strata: list[tuple[Mean, Mean]], look: Look) -> float | NotComputable:
    result = stratified.cmh_test(strata)
    return look.p_value(result[1]) if computable(result) else result


def _interaction_p(strata: list[tuple[Mean, Mean]], look: Look) -> float | NotComputable:
    result = heterogeneity.interaction_test(strata)
    return look.p_value(result.p_value) if computable(result) else result


def _breslow_day_p(strata: list[tuple[Mean, Mean]], look: Look) -> float | NotComputable:
    result = stratified.breslow_day(strata)
    return look.p_value(result.p_value) if computable(result) else result


def segment_effects(pair: Pair, look: Look) -> tuple[SegmentEffect, ...]:
    """The comparison inside each segment, sparse ones pooled as "other"; p-values by Benjamini-Hochberg."""
    rows, pooled = strata_of(pair)
    alpha = look.nominal_alpha
    effects = [at_look(_segment_difference(pair, *row, pooled=pooled, alpha=alpha), look) for row in rows]
    adjusted = adjust_all([effect.p_value if computable(effect) else effect for effect in effects], benjamini_hochberg)
    return tuple(
        SegmentEffect(label, control.n + variant.n, effect, p_value)
        for (label, control, variant), effect, p_value in zip(rows, effects, adjusted, strict=True)
    )


def _segment_difference(
    pair: Pair, label: str, control: Mean, variant: Mean, *, pooled: tuple[str, ...], alpha: float
) -> Estimate | NotComputable:
    """The test of the whole comparison inside one segment; not computable if it is still sparse after pooling."""
    if _sparse(pair.kind, control) or _sparse(pair.kind, variant):
        return NotComputable(Reason.SPARSE_TABLE)
    known = [name for name, *_ in pair.by_segment() or []]
    labels = pooled if label not in known or label in pooled else (label,)
    return pair.within(labels, control, variant, alpha=alpha)


def adjust_all(
    p_values: Sequence[float | NotComputable], method: Callable[[Sequence[float]], list[float]]
) -> list[float | NotComputable]:
    """Adjust the computable p-values; the others keep their reason and don't count as tests."""
    done = iter(method([p for p in p_values if computable(p)]))
    return [next(done) if computable(p) else p for p in p_values]


# Sensitivity of the behaviour's effect to a direct effect of being nudged, for one comparison. Pure.
#
# Source: docs/methods/encouragement.md, "How much exclusion must fail".


def with_direct_effect(
    encouragement: Encouragement,
    pair: Pair,
    moments: IvMoments,
    look: Look,
    registered: tuple[float, float] | None = None,
) -> Encouragement:
    """The comparison with its breakdown value, sets under direct effects, and a group that shows the direct effect."""
    critical = moments.critical_value(look.nominal_alpha)
    breakdown = _breakdown(pair, moments, look)
    encouragement = replace(encouragement, breakdown=breakdown, blind_spot=_blind_spot(pair, moments))
    if registered is not None:
        directs = range_grid(*registered, breakdown)
        union = union_of_sets(moments, *registered, critical=critical, alpha=look.alpha)
        encouragement = replace(encouragement, direct_range=DirectRange(*registered, union))
    else:
        directs = default_range(breakdown) if computable(breakdown) else ()
    bounded = computable(encouragement.effect_set) and encouragement.effect_set.bounded
    shows = _zero_first_stage(pair, moments, look) if bounded and computable(breakdown) else None
    rows = sensitivity(moments, directs, critical=critical, alpha=look.alpha)
    return replace(encouragement, sensitivity=rows, zero_first_stage=shows)


def with_others(
    encouragement: Encouragement, pair: Pair, moments: IvMoments, look: Look, registered: tuple[Other, ...]
) -> Encouragement:
    """The comparison with what the nudge did to other behaviours, and what they leave of the behaviour's effect.

    `registered` is empty for outcomes in whose unit the limits aren't: these keep the moments alone. Of whole clusters
    no limit can be told: a friend's other behaviour counts, too.

    Source: docs/methods/joint.md, "Other behaviours".
    """
    others = pair.others()
    if others is None:
        return encouragement
    if not computable(others):
        return replace(encouragement, under_others=others if registered else None)
    encouragement = replace(encouragement, other_moments=StoredOthers.of(others))
    if not registered:
        return encouragement
    critical, boxes = moments.critical_value(look.nominal_alpha), [other.box for other in registered]
    found = describe_others(moments, others, boxes, critical=critical)
    whole = NotComputable(Reason.WHOLE_CLUSTERS)
    if pair.whole_clusters:
        found = tuple(replace(one, most=whole) for one in found)
    rows = tuple(OtherRow(*each) for each in zip(registered, found, strict=True))
    if pair.whole_clusters:
        return replace(encouragement, others=rows, under_others=whole)
    places = [place for place, row in enumerate(rows) if row.rivals]
    under = under_others(
        moments, others.take(places), [boxes[place] for place in places], critical=critical, alpha=look.alpha
    )
    return replace(encouragement, others=rows, under_others=under)


def _breakdown(pair: Pair, moments: IvMoments, look: Look) -> float | NotComputable:
    """The breakdown value; where some units' behaviour is unknown, the smaller of those with and without them.

    The deciding p-value uses all units, the set only those with a known behaviour: a direct effect that explains either
    leaves nothing shown.
    """
    value = breakdown_value(moments, moments.critical_value(look.nominal_alpha))
    if not computable(value) or moments.n_control + moments.n_variant == pair.control.n + pair.variant.n:
        return value
    whole = pair.difference(alpha=look.nominal_alpha)
    if not computable(whole):
        return value
    end = whole.low if value > 0 else whole.high
    if end * value <= 0:
        return NotComputable(Reason.NUDGE_NOT_PROVED)
    return min(value, end, key=abs)


def _blind_spot(pair: Pair, moments: IvMoments) -> float | NotComputable:
    """Smallest detectable direct effect, in the direction of the nudge's total effect."""
    if pair.whole_clusters:
        return NotComputable(Reason.WHOLE_CLUSTERS)
    if pair.kind is not Kind.PROPORTION:
        return NotComputable(Reason.NOT_A_PROPORTION)
    if not pair.same_split:
        return NotComputable(Reason.SPLIT_DIFFERS)
    return blind_spot(*pair.joints(), sign=-1 if moments.itt < 0 else 1)


def _zero_first_stage(pair: Pair, moments: IvMoments, look: Look) -> ZeroFirstStage | None:
    """Search for a group that the nudge doesn't move; the first stage is no outcome, so its level is a plain one."""
    chosen = unmoved_group(moments, {label: pair.inside(label).moments() for label in pair.levels}, alpha=look.alpha)
    if chosen is None:
        return None
    label, level = chosen
    inside = pair.inside(label)
    group, others = inside.moments(), pair.outside(label).moments()
    if not computable(group) or not computable(others):
        return None
    return zero_first_stage(
        group,
        others,
        label=label,
        take_up=first_stage(group, *inside.take_up(), alpha=level),
        band=ZERO_BAND * abs(moments.first_stage),
        nominal_alpha=look.nominal_alpha,
        alpha=look.alpha,
    )
