"""What the registered decision table says before a variant is shipped, and the one way to ship it: with a reason, or by
the table. Nothing of a locked outcome: while it is locked, only what the page of the experiment says itself."""

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
    """What is known before a variant is shipped.

    Attributes:
        sentence: the decision table's; "" where no analysis has said anything yet.
        proved: keys of the variants that it says to ship.
        counted_until: the day until which outcomes of the experiment are still counted; None when they are all known.
    """

    sentence: str
    proved: frozenset[str]
    counted_until: date | None


def advice(experiment: Experiment) -> Advice:
    """What the last analysis says, and whether outcomes are still being counted."""
    readout = read_analysis(latest_analysis(experiment))
    result = overview.until(experiment).result
    counting = result if result is not None and result > timezone.localdate() else None
    if not isinstance(readout, Readout) or readout.decision is None:
        return Advice("", frozenset(), counting)
    found = readout.decision
    # A locked outcome has no ruling by variant but harm, which is told whatever is locked.
    proved = [arm.variant for arm in found.arms if arm.ruling is Ruling.SHIP] if readout.report is not None else []
    return Advice(decision_sentence(found), frozenset(proved), counting)


def ship_winner(*, experiment: Experiment, arm: str, rows: Sequence[Mapping[str, Any]], asked: Asked) -> Rollout:
    """Roll a variant out; what the decision table doesn't say to ship needs a reason, which is logged.

    Args:
        experiment: that has ended.
        arm: key of the variant.
        rows: as `experiments.serve.rollout.shipping.ship` takes them.
        asked: who and why.

    Raises:
        Refused: as `ship`.
    """
    proved = arm in advice(experiment).proved
    return shipping.ship(key=experiment.key, arm=arm, rows=rows, proved=proved, asked=asked)
