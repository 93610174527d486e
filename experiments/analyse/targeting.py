"""For whom the first outcome moves: beyond those whom the nudge moved, and whom to nudge. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.analyse.comparison.protocol import Data, Pair
from experiments.analyse.effects import Comparison, Encouragement, NudgeMargins, OutcomeReport
from experiments.plan.design import Design, Kind
from stats.instrument.bounds import Bounds, balke_pearl
from stats.instrument.generalise import Everybody, Reweighted, bounds_of_the_others, reweighted
from stats.instrument.margins import effect_at_margins
from stats.policy import Policy, whom_to_nudge
from stats.results import NotComputable, Reason, computable
from stats.sequential.looks import Look, fixed, told_at

# Extrapolate from compliers to everybody: reweighting by traits, bounds, and nudges of different strength. Pure.
#
# Source: docs/methods/encouragement.md, "Reweighted".


def generalise_to_population(pair: Pair, look: Look) -> Everybody | NotComputable:
    """What is known of units that the nudge didn't move, at the level of the last look."""
    moments = pair.moments()
    if not computable(moments):
        return moments
    alpha = look.nominal_alpha
    others, everyone = _bounds(pair, alpha)
    everybody = Everybody(moments.first_stage, _reweighted(pair, alpha), others, everyone)
    return told_at(everybody, look)


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
    effects = effect_at_margins(arms[0][0], [variant for _control, variant in arms], alpha=look.nominal_alpha)
    if not computable(effects):
        return effects
    return NudgeMargins((data.labels[base], *(data.labels[code] for code in codes)), told_at(effects, look))


# Parts of the first outcome on for whom it holds: they wait for the final analysis, where they have a level. Pure.


def for_whom(
    design: Design, data: Data, outcome: OutcomeReport, looks: Mapping[str, Look], *, seed: int
) -> OutcomeReport:
    """The first outcome with what is known beyond compliers, and with whom to nudge.

    Args:
        design: fixed before.
        data: of the experiment.
        outcome: the first one, judged.
        looks: how each variant is judged; without an entry, by a fixed end.
        seed: of the cross-fitting folds.
    """
    rows = []
    for row in outcome.comparisons:
        if row.variant == design.placebo:
            rows.append(row)
            continue
        look = looks.get(row.variant) or fixed(design.alpha)
        encouragement = row.encouragement
        if encouragement is not None:
            encouragement = replace(encouragement, everybody=_everybody(data, outcome.name, row, encouragement, look))
        rows.append(
            replace(row, encouragement=encouragement, policy=_policy(design, data, outcome.name, row, look, seed))
        )
    return replace(outcome, comparisons=tuple(rows), margins=_margins(design, data, outcome, looks))


def _waits(look: Look) -> NotComputable | None:
    return NotComputable(Reason.NOT_AT_A_LOOK) if look.is_repeated and not look.final else None


def _everybody(
    data: Data, outcome: str, row: Comparison, encouragement: Encouragement, look: Look
) -> Everybody | NotComputable:
    if not computable(encouragement.effect):
        return encouragement.effect
    pair = data.pair(outcome, data.labels.index(row.variant), against=_against(data, row))
    if pair.whole_clusters:
        return NotComputable(Reason.WHOLE_CLUSTERS)
    return _waits(look) or generalise_to_population(pair, look)


def _policy(design: Design, data: Data, outcome: str, row: Comparison, look: Look, seed: int) -> Policy | NotComputable:
    """Whom to nudge, against control even where a placebo is the comparator: others aren't nudged at all."""
    if missing := _waits(look):
        return missing
    cells = data.pair(outcome, data.labels.index(row.variant)).trait_cells(behaviour=False)
    if not computable(cells):
        return cells
    return told_at(whom_to_nudge(cells, cost=design.nudge_cost, alpha=look.nominal_alpha, seed=seed), look)


def _margins(
    design: Design, data: Data, outcome: OutcomeReport, looks: Mapping[str, Look]
) -> NudgeMargins | NotComputable | None:
    look = min(looks.values(), key=lambda look: look.nominal_alpha, default=fixed(design.alpha))
    nudge_margins = margins(design, data, outcome.name, [_against(data, row) for row in outcome.comparisons], look)
    return nudge_margins if nudge_margins is None else _waits(look) or nudge_margins


def _against(data: Data, row: Comparison) -> int:
    return data.labels.index(row.compared_with) if row.compared_with else 0
