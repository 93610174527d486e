"""Adjusted p-values: Holm inside the registered family, Benjamini and Hochberg for all other outcomes. Pure."""

from dataclasses import replace

from experiments.analyse.by_segment import adjust_all
from experiments.analyse.effects import OutcomeReport
from stats.multiplicity import benjamini_hochberg, holm
from stats.results import Estimate, NotComputable, computable


def with_adjusted_p(
    outcomes: list[OutcomeReport], family: tuple[str, ...] | None, placebo: str | None
) -> list[OutcomeReport]:
    """Holm over the family's comparisons; Benjamini-Hochberg over those of all other outcomes.

    A placebo arm is a comparator and not in the family: its effect on the outcome is a diagnostic with its own p.

    Source: docs/methods/comparison.md, "Holm".
    """
    inside = [outcome for outcome in outcomes if family is None or outcome.name in family]
    others = [outcome for outcome in outcomes if family is not None and outcome.name not in family]
    done: dict[str, OutcomeReport] = {}
    for group, method in ((inside, holm), (others, benjamini_hochberg)):
        tests = [row.difference for outcome in group for row in outcome.comparisons if row.variant != placebo]
        adjusted = iter(adjust_all([_p_of(effect) for effect in tests], method))
        for outcome in group:
            rows = tuple(
                replace(row, adjusted_p=_p_of(row.difference) if row.variant == placebo else next(adjusted))
                for row in outcome.comparisons
            )
            done[outcome.name] = replace(outcome, comparisons=rows)
    return [done[outcome.name] for outcome in outcomes]


def _p_of(effect: Estimate | NotComputable) -> float | NotComputable:
    return effect.p_value if computable(effect) else effect
