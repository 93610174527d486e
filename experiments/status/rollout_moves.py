"""Roll out a variant, with a reason unless the decision table recommends it; kill switch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from experiments.analyse.analyses import latest_analysis
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened, Ruling
from experiments.models import Experiment, Rollout
from experiments.plan.lab import nudges_in
from experiments.plan.lifecycle import Action, Status
from experiments.plan.moves import move
from experiments.report.plan import decision_sentence
from experiments.serve import shipping
from experiments.serve.rollout_lifecycle import MOVES, Killed, Move
from experiments.serve.shipping import Asked, move_rollout, state_of
from experiments.status import overview
from runs.refusals import Refused
from runs.site_zone import site_date

# The decision table's advice before a variant is shipped, and the service to ship it: with a reason, or by the table.
# While the outcome is locked it reveals only what the experiment's page shows itself.


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
    readout = READOUT.of(latest_analysis(experiment))
    result = overview.until(experiment).result
    counting = result if result is not None and result > site_date(zone=experiment.zone) else None
    if not isinstance(readout, AnalysisResult) or readout.decision is None:
        return Advice("", frozenset(), counting)
    decision = readout.decision
    # A locked outcome has no ruling by variant except harm, which is always shown.
    proved = [arm.variant for arm in decision.arms if arm.ruling is Ruling.SHIP] if isinstance(readout, Opened) else []
    if experiment.is_lab:
        proved = [key for key in _sets(experiment) if nudges_in(key) and nudges_in(key) <= set(proved)]
    return Advice(decision_sentence(decision), frozenset(proved), counting)


def _sets(experiment: Experiment) -> list[str]:
    """Keys of a lab's variants, which are sets of nudges; the decision is about each nudge by itself."""
    return list(experiment.variants.values_list("key", flat=True))


def ship_winner(*, experiment: Experiment, arm: str, rows: Sequence[Mapping[str, Any]], asked: Asked) -> Rollout:
    """Roll out a variant; one that the decision table doesn't recommend needs a reason, which is logged.

    Args:
        experiment: that has ended.
        arm: key of the variant.
        rows: as `experiments.serve.shipping.ship` takes them.
        asked: requester and reason.

    Raises:
        Refused: as `ship`.
    """
    proved = arm in advice(experiment).proved
    return shipping.ship(key=experiment.key, arm=arm, rows=rows, proved=proved, asked=asked)


# The kill switch: one action that gives everybody the default, in every process within two seconds.
#
# A rollout keeps its steps and can be resumed. A running experiment is paused, which looks the same to users; its
# units keep their variant until it is resumed.

KILL = "kill switch"  # prefix of the pause's reason in the experiment's history


def what_it_stops(experiment: Experiment) -> Killed | None:
    """What the kill switch would stop now; None when everybody gets the default already."""
    if experiment.status == Status.RUNNING:
        return Killed.EXPERIMENT
    state = state_of(Rollout.objects.filter(experiment=experiment).first())
    return Killed.ROLLOUT if (state, Move.KILL) in MOVES else None


def kill(*, key: str, asked: Asked) -> Killed:
    """Give everybody the default now; returns what was stopped.

    Raises:
        Refused: unknown experiment, or only the default is served.
    """
    experiment = Experiment.objects.filter(key=key).first()
    if experiment is None:
        raise Refused("There is no experiment '{key}'.", key=key)
    stops = what_it_stops(experiment)
    if stops is None:
        raise Refused("Everybody gets the value outside the experiment already.")
    if stops is Killed.EXPERIMENT:
        move(key=key, action=Action.PAUSE, by=asked.by, why=f"{KILL}: {asked.why}" if asked.why else KILL)
    else:
        move_rollout(key=key, move=Move.KILL, asked=asked)
    return stops
