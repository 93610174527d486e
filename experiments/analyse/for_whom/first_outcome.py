"""Parts of the first outcome on for whom it holds: they wait for the final analysis, where they have a level. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from experiments.analyse.effects import Comparison, Encouragement, NudgeMargins, OutcomeReport
from experiments.analyse.for_whom.beyond_the_moved import beyond_the_moved, margins
from experiments.analyse.protocol import Data
from experiments.plan.design import Design
from stats.instrument.generalise import Everybody
from stats.policy import Policy, whom_to_nudge
from stats.results import NotComputable, Reason, computable
from stats.sequential.looks import Look, fixed, told_at


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
        told = row.encouragement
        if told is not None:
            told = replace(told, everybody=_everybody(data, outcome.name, row, told, look))
        rows.append(replace(row, encouragement=told, policy=_policy(design, data, outcome.name, row, look, seed)))
    return replace(outcome, comparisons=tuple(rows), margins=_margins(design, data, outcome, looks))


def _waits(look: Look) -> NotComputable | None:
    return NotComputable(Reason.NOT_AT_A_LOOK) if look.is_repeated and not look.final else None


def _everybody(data: Data, outcome: str, row: Comparison, told: Encouragement, look: Look) -> Everybody | NotComputable:
    if not computable(told.effect):
        return told.effect
    pair = data.pair(outcome, data.labels.index(row.variant), against=_against(data, row))
    if pair.whole_clusters:
        return NotComputable(Reason.WHOLE_CLUSTERS)
    return _waits(look) or beyond_the_moved(pair, look)


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
    look = min(looks.values(), key=lambda one: one.nominal_alpha, default=fixed(design.alpha))
    found = margins(design, data, outcome.name, [_against(data, row) for row in outcome.comparisons], look)
    return found if found is None else _waits(look) or found


def _against(data: Data, row: Comparison) -> int:
    return data.labels.index(row.compared_with) if row.compared_with else 0
