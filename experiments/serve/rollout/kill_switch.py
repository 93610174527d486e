"""The kill switch: one action that gives everybody the default, in every process within two seconds.

A rollout keeps its steps and can be resumed. A running experiment is paused, which looks the same to users; its units
keep their variant until it is resumed.
"""

from experiments.models import Experiment, Rollout
from experiments.plan.lifecycle import Action, Status
from experiments.plan.moves import move
from experiments.serve.rollout.rollout_lifecycle import MOVES, Killed, Move
from experiments.serve.rollout.shipping import Asked, move_rollout, state_of
from runs.refusals import Refused

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
