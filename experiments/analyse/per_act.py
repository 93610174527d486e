"""Lead the verdict's sentence with the effect per act, where most of the nudge's acts aren't at the threshold.

If every act counts, users who were moved from 4 to 9 times change the outcome without crossing Z = 3, and the effect
"of crossing" includes the effect of those acts. Pure. Source: docs/methods/verdict.md, "Per act"; Marshall 2016.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.analyse.codes import Code
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.engine import effect_set_at
from experiments.analyse.result import ByTimes
from experiments.analyse.verdict import Detail
from stats.results import computable
from stats.sequential.looks import Look

# docs/methods/verdict.md, "Per act": below this share of the weight at Z, most of it lies elsewhere.
COARSE = 0.5


def per_act(
    outcome: OutcomeReport, by_times: Sequence[ByTimes], data: CellData, looks: Mapping[str, Look]
) -> OutcomeReport:
    """The first outcome's comparisons, with the effect per act added where the verdict must report it.

    Args:
        outcome: judged comparisons.
        by_times: which acts each nudge added.
        data: of the experiment.
        looks: look at which each variant's set is read; the set per act in the same sentence uses it too.
    """
    found = {row.variant: row for row in by_times}
    rows = tuple(_led(outcome.name, row, found.get(row.variant), data, looks) for row in outcome.comparisons)
    return replace(outcome, comparisons=rows)


def _led(outcome: str, row: Comparison, acts: ByTimes | None, data: CellData, looks: Mapping[str, Look]) -> Comparison:
    causal = row.verdict.code in (Code.CAUSES, Code.HARMS) and row.verdict.reason == "behaviour"
    if not causal or acts is None or not computable(acts.weights) or acts.weights.coarsening <= COARSE:
        return row
    labels = data.labels
    other = labels.index(row.compared_with) if row.compared_with else 0
    moments = data.pair(outcome, labels.index(row.variant), against=other).moments(by_times=True)
    details: dict[str, Detail] = {**row.verdict.details, "at_threshold": acts.weights.share_at_threshold}
    if computable(moments):
        whole = effect_set_at(moments, looks[row.variant])
        if whole.bounded and whole.low is not None and whole.high is not None:
            details |= {"act_low": whole.low, "act_high": whole.high}
    return replace(row, verdict=replace(row.verdict, details=details))
