"""Extrapolate from compliers to everybody: reweighting by traits, bounds, and nudges of different strength. Pure.

Source: docs/methods/encouragement.md, "Reweighted".
"""

from collections.abc import Sequence

from experiments.analyse.effects import NudgeMargins
from experiments.analyse.protocol import Data, Pair
from experiments.plan.design import Design, Kind
from stats.instrument.bounds import Bounds, balke_pearl
from stats.instrument.generalise import Everybody, Reweighted, bounds_of_the_others, reweighted
from stats.instrument.margins import effect_at_margins
from stats.results import NotComputable, Reason, computable
from stats.sequential.looks import Look, told_at


def beyond_the_moved(pair: Pair, look: Look) -> Everybody | NotComputable:
    """What is known of units that the nudge didn't move, at the level of the last look."""
    moments = pair.moments()
    if not computable(moments):
        return moments
    alpha = look.nominal_alpha
    others, everyone = _bounds(pair, alpha)
    found = Everybody(moments.first_stage, _reweighted(pair, alpha), others, everyone)
    return told_at(found, look)


def _reweighted(pair: Pair, alpha: float) -> Reweighted | NotComputable:
    cells = pair.trait_cells(behaviour=True)
    return reweighted(cells, alpha=alpha) if computable(cells) else cells


def _bounds(pair: Pair, alpha: float) -> tuple[Bounds | NotComputable, Bounds | NotComputable]:
    """Bounds of the effect on non-compliers and on everybody."""
    if reason := _unbounded(pair):
        missing = NotComputable(reason)
        return missing, missing
    control, variant = pair.joints()
    test = pair.inequalities()
    rejected = computable(test) and test.p_value < alpha
    everyone = balke_pearl(control, variant, rejected=rejected, alpha=alpha)
    if rejected:
        return NotComputable(Reason.MODEL_CONTRADICTED), everyone
    return bounds_of_the_others(control, variant, alpha=alpha), everyone


def _unbounded(pair: Pair) -> Reason | None:
    """Why the arms give no bounds; None where they do."""
    if pair.kind is not Kind.PROPORTION:
        return Reason.NOT_A_PROPORTION
    if pair.clustered:
        return Reason.CLUSTERED
    return None if pair.same_split else Reason.SPLIT_DIFFERS


def margins(
    design: Design, data: Data, outcome: str, against: Sequence[int], look: Look
) -> NudgeMargins | NotComputable | None:
    """Effects between nudges of different strength, where at least two nudge towards the behaviour.

    Args:
        design: which arm is a placebo.
        data: of the experiment.
        outcome: its first outcome.
        against: index of each variant's comparator.
        look: the strictest look.
    """
    codes = [code for code, label in enumerate(data.labels) if code and label != design.placebo]
    if design.behaviour is None or len(codes) < 2:
        return None
    base = against[codes[0] - 1]  # all arms have the same comparator
    pairs = [data.pair(outcome, code, against=base) for code in codes]
    if any(pair.clustered for pair in pairs):
        return NotComputable(Reason.CLUSTERED)
    if not all(pair.same_split for pair in pairs):
        return NotComputable(Reason.SPLIT_DIFFERS)
    arms = [pair.joints() for pair in pairs]
    found = effect_at_margins(arms[0][0], [variant for _control, variant in arms], alpha=look.nominal_alpha)
    if not computable(found):
        return found
    return NudgeMargins((data.labels[base], *(data.labels[code] for code in codes)), told_at(found, look))
