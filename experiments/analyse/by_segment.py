"""One comparison inside segments, pooled over them, and the test of whether segments differ. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments.analyse.effects import SegmentEffect, Stratified
from experiments.analyse.protocol import Pair
from experiments.plan.design import Kind
from stats import heterogeneity, stratified
from stats.multiplicity import benjamini_hochberg
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.sequential.looks import Look, at_look, told_at
from stats.summaries import Mean

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
    kept = pair.by_segment() if pair.kind is Kind.PROPORTION else rows
    strata = [(control, variant) for _, control, variant in kept or [] if control.n > 0 and variant.n > 0]
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
    found = stratified.odds_ratio(strata, alpha=look.nominal_alpha)
    return replace(found, level=1 - look.alpha) if computable(found) else found


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
