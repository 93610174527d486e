"""The decision table's advice before a variant is shipped, and the service to ship it: with a reason, or by the table.
While the outcome is locked it reveals only what the experiment's page shows itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone

from experiments.analyse.analyses import latest_analysis, read_analysis
from experiments.analyse.decision_record import Ruling
from experiments.analyse.result import Readout
from experiments.models import Experiment, Rollout
from experiments.report.outcomes.registered_decision import decision_sentence
from experiments.serve.rollout import shipping
from experiments.serve.rollout.shipping import Asked
from experiments.standing import overview


@dataclass(frozen=True)
class Advice:
    """Advice before a variant is shipped.

    Attributes:
        sentence: the decision table's; "" before the first analysis.
        proved: keys of the variants that it recommends to ship.
        counted_until: the day until which outcomes of the experiment are still counted; None when all are known.
    """

    sentence: str
    proved: frozenset[str]
    counted_until: date | None


def advice(experiment: Experiment) -> Advice:
    """The last analysis's advice, and whether outcomes are still being counted."""
    readout = read_analysis(latest_analysis(experiment))
    result = overview.until(experiment).result
    counting = result if result is not None and result > timezone.localdate() else None
    if not isinstance(readout, Readout) or readout.decision is None:
        return Advice("", frozenset(), counting)
    found = readout.decision
    # A locked outcome has no ruling by variant except harm, which is always shown.
    proved = [arm.variant for arm in found.arms if arm.ruling is Ruling.SHIP] if readout.report is not None else []
    return Advice(decision_sentence(found), frozenset(proved), counting)


def ship_winner(*, experiment: Experiment, arm: str, rows: Sequence[Mapping[str, Any]], asked: Asked) -> Rollout:
    """Roll out a variant; one that the decision table doesn't recommend needs a reason, which is logged.

    Args:
        experiment: that has ended.
        arm: key of the variant.
        rows: as `experiments.serve.rollout.shipping.ship` takes them.
        asked: requester and reason.

    Raises:
        Refused: as `ship`.
    """
    proved = arm in advice(experiment).proved
    return shipping.ship(key=experiment.key, arm=arm, rows=rows, proved=proved, asked=asked)
