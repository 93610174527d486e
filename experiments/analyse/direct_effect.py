"""Sensitivity of the behaviour's effect to a direct effect of being nudged, for one comparison. Pure.

Source: docs/methods/encouragement.md, "How much exclusion must fail".
"""

from dataclasses import replace

from experiments.analyse.effects import Encouragement
from experiments.analyse.protocol import Pair
from experiments.plan.design import Kind
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
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, computable
from stats.sequential.looks import Look


def with_direct_effect(
    found: Encouragement, pair: Pair, moments: IvMoments, look: Look, registered: tuple[float, float] | None = None
) -> Encouragement:
    """The comparison with its breakdown value, sets under direct effects, and a group that shows the direct effect."""
    critical = moments.critical_value(look.nominal_alpha)
    breakdown = _breakdown(pair, moments, look)
    found = replace(found, breakdown=breakdown, blind_spot=_blind_spot(pair, moments))
    if registered is not None:
        directs = range_grid(*registered, breakdown)
        union = union_of_sets(moments, *registered, critical=critical, alpha=look.alpha)
        found = replace(found, direct_range=DirectRange(*registered, union))
    else:
        directs = default_range(breakdown) if computable(breakdown) else ()
    bounded = computable(found.effect_set) and found.effect_set.bounded
    shows = _zero_first_stage(pair, moments, look) if bounded and computable(breakdown) else None
    rows = sensitivity(moments, directs, critical=critical, alpha=look.alpha)
    return replace(found, sensitivity=rows, zero_first_stage=shows)


def _breakdown(pair: Pair, moments: IvMoments, look: Look) -> float | NotComputable:
    """The breakdown value; where some units' behaviour is unknown, the smaller of those with and without them.

    The deciding p-value uses all units, the set only those with a known behaviour: a direct effect that explains either
    leaves nothing shown.
    """
    found = breakdown_value(moments, moments.critical_value(look.nominal_alpha))
    if not computable(found) or moments.n_control + moments.n_variant == pair.control.n + pair.variant.n:
        return found
    whole = pair.difference(alpha=look.nominal_alpha)
    if not computable(whole):
        return found
    end = whole.low if found > 0 else whole.high
    if end * found <= 0:
        return NotComputable(Reason.NUDGE_NOT_PROVED)
    return min(found, end, key=abs)


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
