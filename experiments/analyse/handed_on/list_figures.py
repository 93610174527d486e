"""Main figures of an analysis for lists and page heads, stored as a column so that no list reads a payload. Pure."""

from typing import Any

from experiments.analyse.corrected import best_difference, best_effect
from experiments.analyse.effects import Comparison, leading
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from stats.results import computable

type Figures = dict[str, Any]


def figures_of(readout: Readout) -> Figures | None:
    """Figures of the first outcome and the comparison that the verdict rests on; None while the outcome is locked.

    Returns:
        `outcome` (its text), `share` (whether it is one), `control` and `variant` (labels), `levels` (n and mean by
        arm), and `nudge`, `behaviour`, `take_up`: estimate with its limits, each None where it can't be computed. With
        planned looks they are the corrected ones, as in a moment's finding.
    """
    report = readout.report
    if report is None:
        return None
    first, row = report.outcomes[0], leading(report)
    nudge = best_difference(readout, row)
    return {
        "outcome": readout.plan.primary[0],
        "share": first.kind is Kind.PROPORTION,
        "control": row.compared_with or report.design.control,
        "variant": row.variant,
        "levels": {
            label: {"n": value.n, "mean": value.mean if computable(value.mean) else None}
            for label, value in first.values.items()
        },
        "nudge": {"estimate": nudge.estimate, "low": nudge.low, "high": nudge.high} if computable(nudge) else None,
        "behaviour": _behaviour(readout, row),
        "take_up": _take_up(row),
    }


def _behaviour(readout: Readout, row: Comparison) -> Figures | None:
    """The behaviour's effect with its set; an unbounded side is None."""
    effect = best_effect(readout, row)
    if row.encouragement is None or not computable(effect):
        return None
    around = row.encouragement.effect_set
    bounded = computable(around) and around.bounded
    return {
        "estimate": effect[0],
        "low": around.low if bounded and computable(around) else None,
        "high": around.high if bounded and computable(around) else None,
    }


def _take_up(row: Comparison) -> Figures | None:
    found = None if row.encouragement is None else row.encouragement.take_up
    if found is None or not computable(found):
        return None
    return {
        "control": found.control,
        "variant": found.variant,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
    }
