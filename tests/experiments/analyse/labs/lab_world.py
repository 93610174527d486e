"""Labs with a known truth: users drawn into sets of nudges, which move behaviours, of which some keep users."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.result import AnalysisResult, LookTaken
from experiments.plan.analysed import Analysed
from experiments.plan.lab import nudges_in, variants_of
from experiments.plan.record import WHOLE, Claim, PlannedNudge
from tests.experiments.make_answers import make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, TODAY

METRIC, GUARDRAIL = "window:21-27", "on_day:7"
QUIET: dict[str, Any] = {"durations": (), "curve": ()}  # nothing over time: a world faster
BEHAVIOURS = ("friend_add", "chat", "craft")


def lab_plan(shares: Sequence[int] = (5_000, 5_000), *, most: int | None = None, **changes: Any) -> Analysed:
    """A fixed lab whose nudges a, b, c each lead to a behaviour of their own; its enrolment has ended."""
    nudges = tuple(
        PlannedNudge("abcdefgh"[place], share, BEHAVIOURS[place % 3], 1 + place // 3)
        for place, share in enumerate(shares)
    )
    sets = variants_of(changes.get("nudges", nudges), most)
    given: dict[str, Any] = {
        "key": "lab",
        "kind": "lab",
        "nudges": nudges,
        "most_nudges": most,
        "variants": tuple(each.key for each in sets),
        "shares": {"": tuple(each.weight / WHOLE for each in sets)},
        "claim": Claim("friends", "a friend", BEHAVIOURS[0], 1, 7, METRIC, 0.4, 0.38, 0.42),
        "smallest_effect": None,
        **changes,
    }
    return make_analysed(**given)


@dataclass(frozen=True, eq=False)
class Users:
    """What users were drawn into and did: `arm` the place of their set, `on` n x J, `did` n x K."""

    arm: Any
    on: Any
    did: Any
    kept: Any
    guard: Any
    segment: Any
    week: Any


def draw_users(
    planned: Analysed,
    n: int,
    seed: int,
    *,
    moves: Sequence[Sequence[float]],
    effects: Sequence[float],
    direct: Sequence[float] = (),
    guard: Sequence[float] = (),
    together: float = 0.0,
) -> Users:
    """Users of a lab.

    Args:
        planned: the lab.
        n: users.
        seed: of the draw.
        moves: J x K, share of users whom each nudge moves to each behaviour.
        effects: K, of each behaviour on staying.
        direct: J, of each nudge on staying by itself.
        guard: J, of each nudge on the guardrail.
        together: more staying with the first two nudges than both add up to.
    """
    rng = np.random.default_rng(seed)
    plan = planned.plan
    weights = np.array(plan.weights) / sum(plan.weights)
    arm = rng.choice(len(weights), n, p=weights)
    keys = [nudge.key for nudge in plan.nudges]
    on = np.array([[key in nudges_in(name) for key in keys] for name in plan.arms])[arm].astype(float)
    tendency = rng.random(n)  # who plays more does more, and stays more whatever they do
    # No chance below leaves 0 to 1 with the effects that tests use: cut off there, effects wouldn't add up.
    did = (0.1 + 0.2 * tendency[:, None] + on @ np.array(moves) > rng.random((n, len(effects)))).astype(float)
    stays = 0.33 + 0.25 * tendency + (did - 0.2) @ np.array(effects) + on @ np.array(direct or [0.0] * len(keys))
    kept = stays + together * on[:, 0] * on[:, 1] > rng.random(n)
    harmed = 0.5 + on @ np.array(guard or [0.0] * len(keys)) > rng.random(n)
    return Users(arm, on, did, kept.astype(float), harmed.astype(float), rng.integers(0, 2, n), rng.integers(0, 2, n))


def units_of(users: Users, value: Any) -> dict[str, Any]:
    """The users as units of `make_answers`; the first behaviour is the plan's."""
    n = len(users.arm)
    return {
        "arm": users.arm,
        "segment": users.segment,
        "level": np.zeros(n, dtype=np.int64),
        "week": users.week,
        "reached": users.did[:, 0],
        "times": users.did[:, 0],
        "value": value,
        "mature": np.ones(n, dtype=bool),
        "others": {name: users.did[:, 1 + place] for place, name in enumerate(BEHAVIOURS[1 : users.did.shape[1]])},
    }


def answers_of(planned: Analysed, users: Users, **changes: Any) -> Answers:
    """What the warehouse would answer about these users."""
    arms = planned.plan.arms
    cells: Cells = make_cells(units_of(users, users.kept), outcomes=(METRIC,), variants=arms)
    guard = make_cells(units_of(users, users.guard), outcomes=(GUARDRAIL,), variants=arms)
    cells = replace(cells, blocks={**cells.blocks, **guard.blocks})
    return make_answers(units_of(users, users.kept), cells=cells, **changes)


def read(planned: Analysed, users: Users, *, earlier: tuple[LookTaken, ...] = (), **changes: Any) -> AnalysisResult:
    """The result of a lab with these users."""
    return analyse_answers(planned, answers_of(planned, users, **changes), CLEAN, earlier=earlier, today=TODAY)
